"""The accelerator in numpy integers: equal to the gateware, bit for bit.

One file per block, named like its counterpart in ``hw/gateware``: :mod:`fetch <sim.model.fetch>`
(windows of a feature map), :mod:`fft <sim.model.fft>`, :mod:`mac <sim.model.mac>`,
:mod:`drain <sim.model.drain>`, :mod:`ifft <sim.model.ifft>`, :mod:`post <sim.model.post>`, and
:mod:`accelerator <sim.model.accelerator>`, which runs a network through them. The rules are those of
``docs/numbers.md``.

Inside, arrays are *planes*: the axes of one tile come first and everything that happens to all tiles
alike (channel, tile, image) last, so that numpy works on long contiguous runs.
"""

from sim.model.accelerator import LayerTrace, maps, run, trace
from sim.model.fft import forward
from sim.model.ifft import inverse

__all__ = ["LayerTrace", "forward", "inverse", "maps", "run", "trace"]
