"""The bench inside the simulator: cocotb drives the ports, the host driver does the rest.

Nothing outside the simulator's process imports :mod:`sim.bench.link`, :mod:`sim.bench.frames`,
:mod:`sim.bench.stalls` or :mod:`sim.bench.session`: they need cocotb. :mod:`sim.bench.job` is what both sides
share, :mod:`sim.bench.wrapper` puts around a design what feeds and watches its ports, and external memory
where it reads it. What works in every clock is Verilog.
"""
