"""Options of ``spec2 prune``, and how those are read that typer does not know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hw.util.documents import shown
from hw.util.errors import ConfigError

RecipeName = Annotated[
    str,
    typer.Argument(
        help="What to train: lenet, cifar-small, vgg16-cifar, vgg16-cifar-half, resnet20, pneumonia, "
        "cifar-small-long, vgg16-cifar-long, vgg16-cifar-half-long, or a .toml file of your own, or an ONNX "
        "file with --data or --calibrate. With --untrained a file, or any network: vgg16, too."
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBERS",
        help="What was subtracted from the images, of 0 to 1, that an ONNX file was trained on: one number, "
        "or one per channel, as in 0.485,0.456,0.406. [default: 0]",
    ),
]
Std = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBERS",
        help="What they were divided by then, likewise; 1/255 for a file that takes 0 to 255. [default: 1]",
    ),
]
Images = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Images to train on: mnist, cifar10, pneumonia, or a .npz with images and labels; a "
        "recipe names its own.",
    ),
]
Scheme = Annotated[
    str | None,
    typer.Option(help="Which words may stay: PATTERN, or PATTERN-a:b for a of b. [default: adaptive]"),
]
OneShot = Annotated[
    str | None,
    typer.Option(
        "--sparsity",
        help="With --calibrate: which words may stay, as of 'spec2 prune': adaptive-2:8. [default: dense]",
    ),
]
Optimiser = Annotated[
    str | None,
    typer.Option(help="admm, proximal, reweighted, or magnitude for one shot. [default: admm]"),
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results. [default: build/RECIPE]")]
WeightBits = Annotated[
    int | None,
    typer.Option(min=2, max=16, help="Bits of each part of a weight, of all layers or at most. [default: 8]"),
]
SpectrumBits = Annotated[
    int | None,
    typer.Option(
        min=8,
        max=16,
        help="Bits of each part of a transformed pixel tile. Fewer take less block RAM and narrower "
        "multipliers; each of the 32 words of a layer is shifted as the training images ask for, and "
        "fake-quant trains through it. 9 or more before fully connected layers. [default: 16]",
    ),
]
LayerBits = Annotated[
    list[str] | None,
    typer.Option(metavar="LAYER=BITS", help="Fewer bits for one layer, as in conv2=5. May be repeated."),
]
MeanBits = Annotated[
    float | None,
    typer.Option(
        help="Find each layer's bits by what it loses per bit saved, so many on average over the words "
        "that stay; 3 to --weight-bits."
    ),
]
Block = Annotated[
    int | None,
    typer.Option(min=4, help="Output channels that share a step count: N. [default: 8; VGG16: 64]"),
]
TargetCycles = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Find each layer's density by what it loses per clock saved, for so many clocks per image.",
    ),
]
TargetLanes = Annotated[
    int | None, typer.Option(help="P of the array of --target-cycles; its N is --block. [default: 10]")
]
RecipeSeed = Annotated[int | None, typer.Option(help="Seed of everything random. [default: 0]")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of torch. [default: one per core]")]
Device = Annotated[str, typer.Option(help="Where torch trains: cpu, or cuda for a GPU.")]
TensorBoard = Annotated[
    bool,
    typer.Option("--tensorboard", help="Write OUT/tensorboard, too: what training.csv has, for TensorBoard."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Do not resume an interrupted run.")]
Untrained = Annotated[
    bool,
    typer.Option("--untrained", help="Random low-pass kernels, pruned by one projection: for benchmarks."),
]

AsGiven = Annotated[
    bool,
    typer.Option(
        "--as-given",
        help="A quantised ONNX file (QONNX, QDQ) as it is: its weights, and its ranges of maps in place of "
        "images. No training, nothing is pruned.",
    ),
]


def parse_numbers(option: str, given: str | None) -> tuple[float, ...] | None:
    """Numbers with commas between, some of them perhaps fractions such as 1/255.

    Raises ``ConfigError`` for anything else.
    """
    if given is None:
        return None
    found = []
    for part in given.split(","):
        above, slash, below = part.partition("/")
        try:
            found.append(float(above) / float(below) if slash else float(above))
        except (ValueError, ZeroDivisionError):
            raise ConfigError(
                f"{option} takes numbers with commas between, as in 0.5,0.4,0.45, not {shown(given)}"
            ) from None
    return tuple(found)


def parse_widths(options: Sequence[str]) -> dict[str, int]:
    """Bits of weights by layer, from ``LAYER=BITS``; the last one of a layer counts.

    Raises ``ConfigError`` for anything else.
    """
    found = {}
    for option in options:
        name, _, bits = option.partition("=")
        if not (name and bits.isdecimal() and len(bits) <= 4):  # Python reads no thousands of digits
            raise ConfigError(f"--layer-bits takes LAYER=BITS, as in conv2=5, not {shown(option)}")
        found[name] = int(bits)
    return found
