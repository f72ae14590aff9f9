"""Similar images: features become short binary codes, whose Hamming distances are counted. numpy only.

::

    coder = learn(vectors, method="itq", bits=64, seed=0)     # learning.py: a projection, and thresholds
    codes = coder.codes(vectors)                              # coder.py: (n, 8) bytes
    found, distances = nearest(codes, queries, 10)            # hamming.py: words, XOR, population count
    index = make(features, "itq", 64); index.save("index.npz")          # index.py: all of it in one file

:mod:`~pruning.transfer.search.benchmark` measures how good they are (``measures.py``);
:mod:`~pruning.transfer.search.contact_sheet` shows what was found.
"""
