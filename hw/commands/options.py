"""Options and arguments that several subcommands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hw.util import quote

DEFAULT_BAUD = 921_600
"""Bit rate of the boards' UARTs unless they were built for another one."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Model = Annotated[Path, typer.Argument(help="The artifact, model.npz, or zoo:NAME ('spec2 zoo').")]
Calibrate = Annotated[
    Path | None,
    typer.Option(
        help="For a trained network in an ONNX file: quantise it, and prune it by --sparsity, without "
        "training, on the images in this .npz: 'images' (n, c, h, w), 0 to 255 or 0 to 1; with 'labels' (n,) "
        "accuracy is measured. Some hundred of all kinds will do."
    ),
]
Design = Annotated[Path, typer.Argument(help="The folder that 'spec2 generate' wrote, also for zoo:NAME.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Take the parameters from this file, as 'spec2 explore' writes it; options override."
    ),
]
Rows = Annotated[int | None, typer.Option(help="N: output channels in flight, a multiple of 4. [default: 8]")]
Lanes = Annotated[int | None, typer.Option(help="P: tiles in flight, 1 to 64. [default: 4]")]
Batch = Annotated[int | None, typer.Option(help="Most images per run, at most P. [default: 4]")]
Stream = Annotated[
    bool | None,
    typer.Option(
        "--stream-weights/--hold-weights",
        help="Read weights from external memory, or hold them. [default: hold]",
        show_default=False,
    ),
]
MemoryLines = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Lines of the feature memory at most: early layers go in row bands. 0: whole maps. [default: 0]",
    ),
]
FeatureMemory = Annotated[
    str | None,
    typer.Option(
        help="What feature maps lie in: block RAM, or the ultra RAM of UltraScale+ devices. [default: block]"
    ),
]
SpectrumMemory = Annotated[
    str | None,
    typer.Option(help="What the buffers of spectra are made of, likewise: block or ultra. [default: block]"),
]
BusBits = Annotated[
    int | None,
    typer.Option(help="Bits of streamed weights per clock, from all memories: 32 to 1024. [default: 512]"),
]
Memories = Annotated[
    int | None, typer.Option(help="Memories that streamed weights are striped over: 1, 2 or 4. [default: 1]")
]
SpareSteps = Annotated[
    int | None,
    typer.Option(
        metavar="PERCENT",
        help="With streamed weights: steps that every block has more than MODEL needs, so that other models "
        "fit onto the accelerator (--onto). [default: 0]",
    ),
]
Products = Annotated[
    str | None,
    typer.Option(
        help="DSP slices of a complex product: three, or packed into two, for narrow weights and spectra. "
        "[default: three]"
    ),
]
StreamBits = Annotated[
    int | None,
    typer.Option(
        help="Bits of a beat of the image and result streams: 32, 64, 128, 256; serial links take 32. "
        "[default: 32]"
    ),
]
BoardName = Annotated[str | None, typer.Option("--board", help="Refuse a design this board cannot hold.")]
LinkName = Annotated[
    str,
    typer.Option(
        "--link", help="Way to the board: uart:/dev/ttyUSB0, xdma:/dev/xdma0, pynq:FILE, or virtual."
    ),
]
LinkNames = Annotated[
    list[str],
    typer.Option(
        "--link",
        help="Way to a board: uart:/dev/ttyUSB0, xdma:/dev/xdma0, pynq:spec2.bit, or virtual. Several "
        "share the images, and those of a board that fails are run by the others. [default: virtual]",
        show_default=False,
    ),
]
Baud = Annotated[
    int | None,
    typer.Option(help=f"Bit rate of the serial port. [default: {DEFAULT_BAUD}, or as it was built]"),
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
DATA_DIR_VARIABLE = "SPEC2_DATA_DIR"
"""Of the environment: what --data-dir is unless given."""

DataDir = Annotated[
    Path | None,
    typer.Option(
        envvar=DATA_DIR_VARIABLE,
        help="Folder with mnist_train.npz, or CIFAR-10; without it 5,000 packaged digits are used.",
    ),
]


def kept_command(arguments: Sequence[str]) -> str:
    """The command line as results keep it: ``--data-dir DIR``, since others have the data elsewhere.

    arguments: the words after ``spec2``.
    """
    kept = list(arguments)
    for i, word in enumerate(arguments):
        if word.startswith("--data-dir="):
            kept[i] = "--data-dir=DIR"
        elif i and arguments[i - 1] == "--data-dir":
            kept[i] = "DIR"
    return quote.shell("spec2", *kept)
