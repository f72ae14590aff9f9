"""The accelerator in numpy integers: equal to the gateware, bit for bit.

One file per block, named like its counterpart in ``hw/gateware``: :mod:`fetch <sim.model.fetch>`
(windows of a feature map), :mod:`fft <sim.model.fft>`, :mod:`mac <sim.model.mac>`,
:mod:`accumulator drain <sim.model.accumulator_drain>`, :mod:`ifft <sim.model.ifft>`,
:mod:`post <sim.model.post>`, and :mod:`accelerator <sim.model.accelerator>`, which runs a network through
them. The rules are those of ``docs/numbers.md``.
"""

from sim.model.accelerator import LayerTrace, features, joined, maps, run, trace
from sim.model.fft import forward
from sim.model.ifft import inverse

__all__ = ["LayerTrace", "features", "forward", "inverse", "joined", "maps", "run", "trace"]
