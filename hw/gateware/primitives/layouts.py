"""Shapes shared by the blocks."""

from amaranth import signed
from amaranth.lib import data


def complex_layout(bits: int) -> data.StructLayout:
    """A complex word: ``re`` and ``im``, signed, ``bits`` each."""
    return data.StructLayout({"re": signed(bits), "im": signed(bits)})


def words_layout(bits: int, count: int) -> data.ArrayLayout:
    """``count`` complex words."""
    return data.ArrayLayout(complex_layout(bits), count)


def pixels_layout(bits: int, count: int) -> data.ArrayLayout:
    """``count`` signed pixels of ``bits``."""
    return data.ArrayLayout(signed(bits), count)
