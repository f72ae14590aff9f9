"""``python docs/pictures/draw.py``: draw the pictures of the documents anew, beside it or into ``--out``."""

from __future__ import annotations

import argparse
from pathlib import Path

from svg import Picture

HERE = Path(__file__).parent


def machine() -> Picture:
    """The data path as a loop from feature memory to feature memory, and what steers it."""
    picture = Picture(
        "machine",
        690,
        382,
        "The machine",
        "Pixels go from the feature memory through a window, a forward FFT and the X buffer into an array of "
        "N rows and P lanes of complex multipliers; sums go through drain, Y buffer, inverse FFT and "
        "post-processing back into the feature memory. Weight steps give the X buffer its bank addresses and "
        "every row a selection and a weight.",
    )
    picture.rect(12, 88, 108, 192, "strong")
    picture.text(66, 154, "feature", "memory", kind="title")
    picture.text(66, 186, "one line of", "pixels read and", "one written", "per clock", kind="faint")

    picture.rect(136, 74, 352, 220, "frame", 9)
    picture.text(312, 188, "lane p = 0 … P - 1: one tile each", kind="faint")
    picture.box(146, 88, 96, 62, "window", "8 pixels", "per clock")
    picture.box(264, 88, 96, 62, "FFT", "8×8 pixels", "to 32 words")
    picture.box(382, 88, 96, 62, "X buffer", "8 banks:", "channel mod 8")
    picture.box(382, 218, 96, 62, "Y buffer", "corner turn,", "4 words/clock")
    picture.box(264, 218, 96, 62, "inverse FFT", "32 words to", "8×8 pixels")
    picture.box(146, 218, 96, 62, "post", "bias, round,", "ReLU, pool")

    picture.rect(532, 88, 146, 192, "strong")
    picture.text(605, 108, "array", kind="title")
    for row in range(4):
        for lane in range(5):
            picture.rect(547 + 24 * lane, 118 + 21 * row, 20, 17, "box", 3)
    picture.text(
        605, 219, "N rows: output", "channels; P lanes.", "A complex MAC is", "3 DSP slices", kind="faint"
    )

    for a, b in ((120, 146), (242, 264), (360, 382), (478, 532)):
        picture.arrow((a, 119), (b, 119))
        picture.arrow((b, 249), (a, 249))
    picture.text(510, 241, "drain", kind="faint")

    picture.box(382, 12, 296, 40, "weight steps", "the mask, as bank addresses and selects", kind="strong")
    picture.arrow((430, 52), (430, 88))
    picture.text(424, 69, "8 addresses", kind="faint", anchor="end")
    picture.arrow((605, 52), (605, 88))
    picture.text(599, 69, "N × (select, weight)", kind="faint", anchor="end")
    picture.arrow((266, 32), (382, 32))
    picture.text(260, 28, "ROM, or memory", anchor="end", kind="faint")
    picture.text(260, 44, "m_axi", anchor="end", kind="port")

    picture.box(
        146,
        320,
        532,
        48,
        "sequencer: the layer program",
        "fetch, issue and output controllers run concurrently",
    )
    for x in (194, 430, 605):
        picture.arrow((x, 320), (x, 280), kind="quiet", head=False)
    picture.arrow((40, 330), (40, 280))
    picture.arrow((92, 280), (92, 330))
    picture.text(40, 345, "s_axis", kind="port")
    picture.text(40, 360, "images", kind="faint")
    picture.text(94, 345, "m_axis", kind="port")
    picture.text(94, 360, "results", kind="faint")
    return picture


def links() -> Picture:
    """What lies between the host's driver and the accelerator's ports: five links."""
    picture = Picture(
        "links",
        720,
        494,
        "From the driver to the accelerator",
        "One driver, five links: a UART through the shell of a board, PCI Express through a block design, "
        "the processor of a Zynq through its DMA, the bench around the Verilog, a terminal in front of the "
        "simulated serial board.",
    )
    picture.box(12, 20, 84, 454, "Driver", "hw/host", kind="strong")

    def link(y: float, name: str, medium: str) -> None:
        picture.arrow((96, y), (216, y))
        picture.text(154, y - 6, name, kind="title")
        picture.text(154, y + 17, medium, kind="faint")

    link(82, "SerialLink", "UART, 8N1")
    picture.rect(216, 20, 492, 112, "frame", 9)
    picture.text(226, 39, "shell: pads, PLL, reset bridge, LEDs", kind="faint", anchor="start")
    picture.box(228, 56, 78, 54, "UART", "bits, bytes")
    picture.box(336, 56, 104, 54, "framing", "stuffing, CRC-32")
    picture.box(470, 56, 96, 54, "bridge", "one at a time")
    for a, b in ((306, 336), (440, 470)):
        picture.arrow((a, 75), (b, 75))
        picture.arrow((b, 93), (a, 93))
    for y, port, what in ((64, "s_axil", "registers"), (89, "s_axis", "images")):
        picture.arrow((566, y), (650, y))
        picture.text(606, y - 4, what, kind="faint")
        picture.text(678, y + 4, port, kind="port")
    picture.arrow((650, 105), (566, 105))
    picture.text(606, 120, "results", kind="faint")
    picture.text(678, 109, "m_axis", kind="port")

    link(230, "XdmaLink", "PCI Express")
    picture.rect(216, 150, 492, 160, "frame", 9)
    picture.text(226, 169, "block design: PCI Express, clocks, resets, DRAM", kind="faint", anchor="start")
    picture.box(228, 184, 78, 112, "XDMA", "by AMD")
    picture.arrow((306, 200), (650, 200))
    picture.text(330, 195, "AXI4-Lite: registers, 0x0000", kind="faint", anchor="start")
    picture.text(678, 204, "s_axil", kind="port")
    picture.arrow((306, 224), (560, 224), (560, 236))
    picture.text(330, 219, "marker word, 0x1000", kind="faint", anchor="start")
    picture.box(336, 236, 78, 60, "width", "of the bus")
    picture.box(436, 236, 78, 60, "clock", "crossing")
    picture.box(536, 236, 78, 60, "sync", "after aborts")
    for a, b in ((306, 336), (414, 436), (514, 536), (614, 650)):
        picture.arrow((a, 254), (b, 254))
        picture.arrow((b, 280), (a, 280))
    picture.text(678, 258, "s_axis", kind="port")
    picture.text(678, 284, "m_axis", kind="port")

    link(346, "PynqLink", "PYNQ")
    picture.box(
        216,
        326,
        492,
        40,
        "processor of a Zynq",
        "AXI DMA and marker word, sync, one clock: the same three ports",
    )
    link(400, "bench's link", "coroutines")
    picture.box(216, 380, 492, 40, "the Verilog alone", "in Verilator, with cocotb (sim/bench)")
    link(454, "SerialLink", "pseudo-terminal")
    picture.box(
        216, 434, 492, 40, "virtual board", "UART, framing, bridge and Verilog, in Verilator (sim/virtual)"
    )
    return picture


PICTURES = (machine, links)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE)
    out = parser.parse_args().out
    for draw in PICTURES:
        picture = draw()
        (out / f"{picture.name}.svg").write_text(str(picture), encoding="utf-8")


if __name__ == "__main__":
    main()
