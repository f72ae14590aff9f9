"""What the hardware must compute, and the proof that it does.

:mod:`sim.model` is the integer model, equal to the gateware; :mod:`sim.reference` the float truth it
is bounded against; :mod:`sim.compare` reports where two results part.
"""
