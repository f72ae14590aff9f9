"""Which primitives nextpnr-xilinx packs on the 7 series, and which end it.

Read from openXC7/nextpnr-xilinx, folder ``xilinx``, as of 2026-09. The table decides: ``synth.ys`` stops
when the netlist holds a primitive that is not in it, before minutes of placement.
"""

from __future__ import annotations

from collections.abc import Mapping

PACKED: Mapping[str, str] = {
    **{f"LUT{inputs}": "pack.cc, pack_luts" for inputs in range(1, 7)},
    "INV": "pack.cc, pack_inverters: becomes a LUT1",
    **{name: "pack.cc, pack_ffs" for name in ("FDRE", "FDSE", "FDCE", "FDPE")},
    "CARRY4": "pack_carry_xc7.cc",
    "MUXF7": "pack.cc, pack_muxfs: a LUT in front where an input is no LUT of its own",
    "MUXF8": "pack.cc, pack_muxfs",
    "RAM32M": "pack_dram.cc, whole slice; constant addresses need #184 fixed",
    "RAM64M": "pack_dram.cc, whole slice",
    "RAM32X1D": "pack_dram.cc",
    "RAM64X1D": "pack_dram.cc",
    "RAM128X1D": "pack_dram.cc",
    "SRL16E": "pack.cc, pack_srls; initial values need #181 fixed",
    "SRLC32E": "pack.cc, pack_srls",
    "RAMB18E1": "pack.cc, XC7Packer::pack_bram; simple dual port needs #112 fixed",
    "RAMB36E1": "pack.cc, XC7Packer::pack_bram",
    "DSP48E1": "pack_dsp_xc7.cc; constant INMODE, ALUMODE and OPMODE need #159 fixed",
    "IBUF": "pack_io_xc7.cc, decompose_iob",
    "IBUFDS": "pack_io_xc7.cc, decompose_iob",
    "OBUF": "pack_io_xc7.cc, decompose_iob",
    "BUFG": "pack_clocking_xc7.cc, prepare_clocking: becomes a BUFGCTRL",
    "PLLE2_ADV": "pack_clocking_xc7.cc, pack_plls",
}
"""Primitive to where it is packed. Numbers are issues and pull requests of openXC7/nextpnr-xilinx."""

FATAL: Mapping[str, str] = {
    "MUXF9": "pack.cc, pack_muxfs: not on the 7 series",
    "RAM256X1D": "pack_dram.cc: not on the 7 series",
    "RAM32X1S": "pack_dram.cc: no rule, #202",
    "RAM64X1S": "pack_dram.cc: no rule until #195",
    "RAM128X1S": "pack_dram.cc: no rule until #144",
    "RAM256X1S": "pack_dram.cc: no rule until #144",
    "RAM512X1S": "pack_dram.cc: listed, but no rule",
    "LUT6_2": "pack.cc: its O5 was unroutable until split_lut6_2",
    "MMCME2_ADV": "packed, but does not lock on the board, #79",
}
"""Primitives that end the run, or did in releases that are in use, and why."""


def unsupported(cells: Mapping[str, int]) -> dict[str, int]:
    """The cells of a netlist (type to count) that nextpnr-xilinx cannot pack."""
    return {name: count for name, count in cells.items() if count and name not in PACKED}
