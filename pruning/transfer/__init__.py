"""What features of a trained network are good for beside its own classes.

:mod:`pruning.transfer.search` finds similar images. The files here teach a trained accelerator new classes:
its base stays, its last fully connected layer is learned anew::

    cut = cut_of(artifact)                    # cut.py: the base, and the layer that a head takes the place of
    features                                  # integers that this layer reads, from whoever runs the base
    changes = chosen(("flip", "shift"))       # augmentations.py: g, of images and of feature maps
    fit(...)                                  # feature_maps.py: M_g with e(g(x)) = M_g(e(x)), approximately
    head = train(examples, ...)               # head.py: a softmax layer in torch
    with_head(artifact, head, ...)            # export.py: model.npz with another last layer, and its digest

Nothing here runs the base: :func:`pruning.transfer.adaptation.adapt` takes a function that does, such as the
integer model.
"""
