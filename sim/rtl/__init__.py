"""Simulation of the generated Verilog: build a simulator, run images through it, compare every value."""

from sim.rtl.simulation import RtlResult, SimBuild, build, load_design, patience, simulate, weight_beats

__all__ = ["RtlResult", "SimBuild", "build", "load_design", "patience", "simulate", "weight_beats"]
