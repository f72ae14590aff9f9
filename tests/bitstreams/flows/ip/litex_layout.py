"""What the SoC of ``litex_soc.py`` and the program of ``litex_bench.py`` have in common."""

RAM, REGISTERS = 0x40000000, 0x80000000
"""Bases of the SoC's memory and of the accelerator's registers."""
BYTES = 1 << 16
"""Of that memory."""
FOLDER = "LITEX_FOLDER"
"""The variable that names the folder of a simulation."""
