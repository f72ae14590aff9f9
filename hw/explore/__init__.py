"""Design-space exploration: which accelerator runs a network best within the budget of a device.

No weights are needed, only how many steps every spectral word takes (:mod:`hw.explore.workload`). Every
design is compiled, priced by :mod:`hw.cost.resources` and timed by :mod:`hw.cost.cycles`, as ``spec2
estimate`` does it. The device is numbers (:mod:`hw.explore.device`).
"""
