"""Digilent Arty A7-35T: Artix-7 XC7A35T, FT2232H USB UART.

Pins: amaranth-boards, those of the Arty A7-100T; they agree with Digilent's Arty-A7-35-Master.xdc. The chip
on the board is the industrial low-power XC7A35TI of grade -1L. Its commercial twin stands here: the same die
in the same package, which is what the databases of the open tools know it by.
"""

from amaranth_boards.arty_a7 import ArtyA7_35Platform as _Upstream

from bitstreams.boards.arty import arty


class ArtyA735Platform(_Upstream):  # type: ignore[misc]
    """Pins of the Arty A7-35T."""

    device = "xc7a35t"
    speed = "1"


BOARD = arty("35", ArtyA735Platform, dsp=90, bram36=50, lut=20_800, ff=41_600)
