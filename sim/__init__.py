"""What the hardware must compute, and the proof that it does.

:mod:`sim.model` is the integer model, equal to the gateware; :mod:`sim.reference` the float truth it
is bounded against. :mod:`sim.rtl` runs the Verilog with :mod:`sim.bench` around it and compares;
:mod:`sim.report` shows what was measured; :mod:`sim.virtual` is a board made of the same Verilog.
"""
