"""Digilent Arty A7-100T: Artix-7 XC7A100T, FT2232H USB UART.

Pins: amaranth-boards; they agree with Digilent's Arty-A7-100-Master.xdc. Corrected: the device is an
XC7A100T of grade -1; the industrial low-power XC7A...TI-1L is on the 35T board alone.
"""

from amaranth_boards.arty_a7 import ArtyA7_100Platform as _Upstream

from bitstreams.boards.arty import arty


class ArtyA7100Platform(_Upstream):  # type: ignore[misc]
    """Pins of the Arty A7-100T."""

    device = "xc7a100t"
    speed = "1"


BOARD = arty("100", ArtyA7100Platform, dsp=240, bram36=135, lut=63_400, ff=126_800)
