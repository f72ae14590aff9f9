"""How much worse a model gets on images that are not as clean as those it was trained on.

Tests of one's own models, to learn what pruning and narrow numbers cost that clean accuracy hides::

    corruptions.py    noise, blur, contrast, JPEG, in three severities
    placement.py      where and how a patch lies on an image: drawn at random, bent like cloth
    patch.py          one patch that misleads a model, or several, wherever it lies
    study.py          the accuracy of every model under each of them, by the steps of plan.py, which
                      journal.py keeps

Images are changed as 8-bit pixels. Patches are learned on :func:`pruning.quant.from_artifact.from_artifact`,
which has gradients; nothing here runs the hardware's integers: :func:`pruning.robustness.study.study` takes a
function that does, such as the integer model.
"""
