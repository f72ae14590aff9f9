"""From a trained model to the hardware's integers without training: some images, and no labels.

:func:`pruning.post_training.compress.compress_` does all of it; its steps have a file each.
"""
