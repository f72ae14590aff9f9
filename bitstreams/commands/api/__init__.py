"""The commands for programs and notebooks: functions that return what they made. :mod:`spec2` has them all.

A function takes what the command of its name takes, and does the same through the same code; its result is a
small object that knows a folder, reads what is in it when asked, and shows itself in a notebook. It lies in
``bitstreams``, as ``spec2 generate`` does: a design may be held against a board.
"""

from bitstreams.commands.api.design import Design, Estimate, estimate, generate
from bitstreams.commands.api.model import Model
from bitstreams.commands.api.page import Report, report
from bitstreams.commands.api.simulation import Simulation, simulate
from bitstreams.commands.api.training import prune

__all__ = [
    "Design",
    "Estimate",
    "Model",
    "Report",
    "Simulation",
    "estimate",
    "generate",
    "prune",
    "report",
    "simulate",
]
