"""The layers that the accelerator executes: what each computes, its shapes, and what it refuses.

A layer names the maps that it reads (``sources``): those of other layers, or the images (:data:`IMAGES`).
Several are taken as one map, their channels one after the other; none named is that of the layer before.

Both kinds answer the same questions, so that only code which computes a layer has to ask which one it is:

=============== ============================ ===================================================
property        ``Conv``                     ``Dense``
=============== ============================ ===================================================
``inputs``      input channels               input features
``outputs``     output channels              output features
``kernel``      side of the kernel           1
``padding``     rows and columns of zeros    0
``pool``        rows from a maximum to the   1
                next
``overlaps``    pooling windows overlap      False
``tile_padding`` rows above the map that     0
                the first tile has
``step``        rows from an output to the   1
                next: stride times pool
``sampling``    rows from a pixel that is    1
                read to the next
``tile_stride`` rows from a tile to the next 1
``added``       adds its last channels       False
``leak``        of its ReLU, 0 for none      likewise
``signed``      outputs may be below zero    likewise
``dot``         False                        True: the array runs in dot mode (one sum per output)
``transformed`` not ``pointwise``            False: the array multiplies pixels
=============== ============================ ===================================================

``dot`` tells type checkers which of the two a ``Layer`` is.
"""

from __future__ import annotations

from hw.contract.network.conv import Conv
from hw.contract.network.dense import Dense

Layer = Conv | Dense
