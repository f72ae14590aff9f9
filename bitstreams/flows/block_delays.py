"""What block RAMs and DSP slices of the 7 series take: delays of the data sheets, in nanoseconds.

nextpnr-xilinx has none: it times no path that begins or ends at one of them. Sources, by number below:

1. DS182 (Kintex-7), v2.19, tables 34 and 35: the slowest of all speed grades and voltages.
2. DS189 (Spartan-7), v1.10, table 30: speed grade -1.
3. Project X-Ray's database of the Artix-7, ``timings/DSP_L.sdf``: the slow corner, for what DS182 was not at
   hand. Where both say something they agree within a tenth.

The Artix-7's own sheet, DS181, was not at hand: of two figures for the same arc the larger stands here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

BLOCKS = ("RAMB18E1", "RAMB36E1", "DSP48E1")
"""Primitives that have a table here."""

CLOCKS = ("CLK", "REGCLK")
"""How the names of their clocks begin."""

RAM_OUT, RAM_OUT_REGISTERED = 2.46, 0.89
"""From the clock to DO without and with the output register (2)."""

_RAM_SETUP = {
    "ADDR": 0.65,  # 1; 0.57 in 2
    "DI": 0.78,  # 1; 0.74 in 2
    "EN": 0.48,  # 1
    "WE": 0.54,  # 1
    "RST": 0.48,  # 1 has 0.34 for the latch, nothing was found for the register: that of EN
    "REGCE": 0.48,  # nothing was found: that of EN
}

_DSP_REGISTERED = {
    "A": ("AREG", 0.38),  # 1
    "B": ("BREG", 0.51),  # 1
    "C": ("CREG", 0.51),  # nothing was found: that of B
    "D": ("DREG", 0.42),  # 3: 0.413
    "OPMODE": ("OPMODEREG", 0.45),  # 3: 0.449
    "INMODE": ("INMODEREG", 0.45),  # 3: 0.449
}
"""Setup of an operand in front of its own register, and the parameter that says whether it has one."""

_DSP_ENABLES = {
    "CEA": 0.55,  # 1
    "CEB": 0.55,  # 1
    "CEM": 0.39,  # 1
    "CEP": 0.54,  # 1
    "RSTA": 0.53,  # 1
    "RSTB": 0.53,  # 1
    "RSTM": 0.27,  # 3; 0.24 in 1
    "RSTP": 0.37,  # 1
    "CED": 0.52,  # 3: 0.513
    "RSTD": 0.59,  # 3: 0.587
    "CECTRL": 0.43,  # 3: 0.421
    "RSTCTRL": 0.47,  # 3: 0.469
    "CEINMODE": 0.61,  # 3: 0.603
    "RSTINMODE": 0.69,  # 3: 0.686
}

_DSP_TO_PRODUCT, _DSP_TO_SUM = 3.66, 5.89
"""Setup of an operand that has no register of its own: in front of MREG, of PREG (1)."""

_DSP_C_TO_SUM, _DSP_CASCADE = 2.33, 1.84
"""Of C and OPMODE (3: 2.209 and 2.326) and of PCIN in front of PREG (3: 1.400; 1 has 1.54 through it)."""

_DSP_OUT = {"PREG": 0.48, "MREG": 2.64}
"""From the clock to the outputs (1 has 0.45 and 2.31 for P, 3 up to 0.478 and 2.634 for cascades)."""


def setup(kind: str, port: str, registers: Mapping[str, int]) -> float | None:
    """Nanoseconds that ``port`` of a primitive needs before its clock, None where nothing is known.

    registers: its parameters that say which registers are in use; one that is not named is not.
    """
    if kind.startswith("RAMB"):
        return next((ns for name, ns in _RAM_SETUP.items() if port.startswith(name)), None)
    for name, ns in sorted(_DSP_ENABLES.items(), key=lambda item: -len(item[0])):
        if port.startswith(name):
            return ns
    name = re.sub(r"\d+$", "", port)  # the bus
    if name in _DSP_REGISTERED and registers.get(_DSP_REGISTERED[name][0], 0):
        return _DSP_REGISTERED[name][1]
    if not registers.get("PREG", 0) and not (registers.get("MREG", 0) and name in ("A", "B", "D", "INMODE")):
        return None
    if name in ("A", "B", "D", "INMODE"):
        return _DSP_TO_PRODUCT if registers.get("MREG", 0) else _DSP_TO_SUM
    if name in ("C", "OPMODE", "ALUMODE", "CARRYIN", "CARRYINSEL"):
        return _DSP_C_TO_SUM
    return _DSP_CASCADE if name in ("PCIN", "MULTSIGNIN", "CARRYCASCIN") else None


def clock_to_out(kind: str, port: str, registers: Mapping[str, int]) -> float | None:
    """Nanoseconds from the clock of a primitive to ``port``, None where nothing is known."""
    if kind.startswith("RAMB"):
        side = "DOA_REG" if port.startswith(("DOA", "DOPA")) else "DOB_REG"
        if not port.startswith("DO"):
            return None
        return RAM_OUT_REGISTERED if registers.get(side, 0) else RAM_OUT
    if port.startswith(("ACOUT", "BCOUT")):
        return None
    return next((ns for name, ns in _DSP_OUT.items() if registers.get(name, 0)), None)
