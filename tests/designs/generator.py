"""A random network on a random accelerator, from a seed: everything that a user may choose, odd and extreme.

Whole designs stay small: a run of a full batch takes at most :data:`MOST_CLOCKS` clocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from hw.compile.compiler import compile_program
from hw.compile.program import Program
from hw.contract import narrow
from hw.contract.artifact import Artifact, LayerWeights, Sparsity, random_artifact
from hw.contract.config import BANKS, BUS_BITS, STREAM_BITS, AcceleratorConfig
from hw.contract.network import Conv, Dense, Layer, Network
from hw.contract.sparsity import NAMES
from hw.contract.spectrum import TILE, WORDS
from hw.cost.cycles import total_cycles
from hw.util.errors import ArtifactError, Spec2Error
from tests.designs.graphs import graph, leaking, text, with_identities

MOST_CLOCKS = 40_000
"""Of a run of a full batch, as estimated."""

GRAPHS = 3
"""Of so many seeds the last one is a graph, the others are chains."""

MOST_MACS = 64
"""Rows times lanes: what a simulator of the design costs to build."""

SHAPES = (
    "dense", "unstructured", "kernel", "uniform", "adaptive", "pattern", "block", "filter", "column",
    "row-column", "combined",
)  # fmt: skip
"""Patterns whose masks have a shape of their own: ``darb`` differs in widths of blocks alone. A seed draws
the same design as long as these keep their order."""

PATTERNS = (*SHAPES, *(name for name in NAMES if name not in (*SHAPES, "darb")))
"""With those that nobody gave a shape yet: random words stay."""


@dataclass(frozen=True)
class Design:
    """What to generate and how to run it. latency, gap: of external memory while ports stall."""

    seed: int
    artifact: Artifact
    program: Program
    images: np.ndarray
    latency: int
    gap: int

    @property
    def config(self) -> AcceleratorConfig:
        """As chosen; the program's has ``line_pixels`` resolved."""
        return self.program.config

    @property
    def parameters(self) -> str:
        """In a line."""
        network, c = self.artifact.network, self.config
        layers = " ".join(_layer_text(x) + text(network, i) for i, x in enumerate(network.layers))
        kinds = "/".join(dict.fromkeys(one.kind for one in self.artifact.sparsity.values()))
        held = (
            f"bus {c.bus_bits}×{c.memories} store {c.weight_steps or 'auto'}" if c.stream_weights else "held"
        )
        bands = " bands" if len(self.program.layers) > len(network.layers) else ""
        ahead = " ahead" if self.program.run_ahead else ""
        beside = " beside" if any(plan.images > 1 for plan in self.program.layers) else ""
        sections = " sections" if any(plan.packing > plan.images for plan in self.program.layers) else ""
        sets = any(p.weights_stay and p.blocks_per_transform > 1 for p in self.program.layers)
        several = " sets" if sets else ""
        cut = f" X{self.artifact.spectrum_bits}" if self.artifact.narrow else ""
        wide = f" streams{c.stream_bits}" if c.stream_bits != STREAM_BITS[0] else ""
        size = "×".join(map(str, network.input))
        return (
            f"{size} {layers} | {kinds} | N={c.rows} P={c.lanes} batch {c.batch} line {c.line_pixels} "
            f"{held}{bands}{sections}{beside}{ahead}{several}{cut}{wide}"
        )


def _layer_text(layer: Layer) -> str:
    sign = (f"/{1 << layer.leak}" if layer.leak else "") if layer.relu else "±"
    if isinstance(layer, Dense):
        return f"d{layer.out_features}{sign}"
    step = "p" if layer.pool == 2 else "s" if layer.stride == 2 else ""
    end = "" if layer.after == layer.padding else f"/{layer.after}"
    added = "+" if layer.added else ""
    point = "!" if layer.pointwise else ""
    return f"c{layer.out_channels}k{layer.kernel}{point}+{layer.padding}{end}{step}{sign}{added}"


def is_graph(seed: int) -> bool:
    """Whether the network of a seed is a graph."""
    return seed % GRAPHS == GRAPHS - 1


def design(seed: int) -> Design:
    """The design of a seed. Draws until the compiler takes one, so some seeds take longer."""
    dice = Random(seed)
    for _ in range(1000):
        try:
            found = _draw(seed, dice)
        except Spec2Error:
            continue
        if found:
            return found
    raise RuntimeError(f"no design for seed {seed}")


def _draw(seed: int, dice: Random) -> Design | None:
    network = _pointwise(leaking(graph(dice) if is_graph(seed) else _network(dice)))
    artifact = _artifact(network, dice)
    if is_graph(seed):
        artifact = with_identities(artifact, dice)
    config = _config(network, dice)
    program = compile_program(artifact, config)
    if network.chain and dice.random() < 0.5:
        program = _in_bands(artifact, config, program, dice)
    batch = config.batch
    if total_cycles(program, batch) > MOST_CLOCKS:
        return None
    program = _wide(artifact, config, program)
    numbers = np.random.default_rng(seed)
    images = numbers.integers(0, 256, (batch + dice.randint(1, batch), *network.input), dtype=np.uint8)
    images[0] = 255
    if len(images) > 2:
        images[2] = 255 * numbers.integers(0, 2, images[2].shape)
    latency, gap = dice.choice(((30, 0), (100, 0), (5, 0), (60, 2)))
    return Design(seed, artifact, program, images, latency, gap)


def _wide(artifact: Artifact, config: AcceleratorConfig, narrow: Program) -> Program:
    """The same with wider streams, now and then, if its line has room for a beat. With dice of its own, so
    that seeds from before draw what they did."""
    bits = Random(f"{artifact.digest}/streams").choice((32, 32, *STREAM_BITS[1:]))
    try:
        wide = replace(config, memory_lines=narrow.config.memory_lines, stream_bits=bits)
        return compile_program(artifact, wide)
    except Spec2Error:
        return narrow


def _in_bands(artifact: Artifact, config: AcceleratorConfig, whole: Program, dice: Random) -> Program:
    """On a feature memory that does not hold all maps, if any of some sizes will do."""
    for _ in range(4):
        limit = max(1, int(whole.memory_lines * dice.uniform(0.3, 0.95)))
        try:
            return compile_program(artifact, replace(config, memory_lines=limit))
        except Spec2Error:
            continue
    return whole


def _network(dice: Random) -> Network:
    odd = lambda most: dice.choice((1, 2, 3, dice.randint(1, most), dice.randint(1, most)))  # noqa: E731
    shape = (odd(12), dice.randint(1, 40), dice.randint(1, 40))
    if dice.random() < 0.4:  # small maps, which lie side by side
        shape = (shape[0], dice.randint(1, 9), dice.randint(1, 9))
    tall = dice.random() < 0.3  # early maps that are most of the memory, which bands are for
    if tall:
        shape = (dice.randint(1, 3), dice.randint(25, 60), dice.randint(3, 16))
    first, layers = shape, []
    for i in range(dice.randint(2 + tall, 5)):
        kernel = dice.choice((1, 3, 3, 3, dice.randint(1, 7)))
        layer = Conv(
            f"c{i}",
            shape[0],
            odd(40),
            kernel,
            dice.randrange(kernel),
            dice.random() < 0.6,
            dice.choice((1, 1, 2)),
        )
        try:
            shape = layer.output(shape)
        except Spec2Error:
            continue
        layers.append(layer)
    c, h, w = shape
    if layers and max(h, w) <= TILE and dice.random() < 0.7:
        features = c * h * w
        if dice.random() < 0.4:
            layers.append(Dense("d0", features, hidden := dice.randint(1, 90), dice.random() < 0.6))
            features = hidden
        layers.append(Dense("scores", features, dice.randint(1, 20), relu=False))
    return Network(f"random{dice.randrange(1000)}", first, tuple(layers))


def _pointwise(network: Network) -> Network:
    """The same, with most of its 1×1 convolutions pointwise. With dice of its own, so that seeds from before
    draw what they did."""
    dice = Random(f"{network.to_json()}/pointwise")
    layers = [
        replace(layer, pointwise=True)
        if isinstance(layer, Conv) and layer.kernel == 1 and dice.random() < 0.7
        else layer
        for layer in network.layers
    ]
    return replace(network, layers=tuple(layers))


def _config(network: Network, dice: Random) -> AcceleratorConfig:
    rows = dice.choice((4, 4, 8, 8, 12, 16, 32))
    lanes = dice.randint(1, max(1, min(12, MOST_MACS // rows)))
    streams = dice.random() < 0.5
    options: dict[str, int] = {}
    if streams:
        memories = dice.choice((1, 1, 2, 4))
        buses = [bits for bits in BUS_BITS if bits // memories >= BUS_BITS[0]]
        options = {"bus_bits": dice.choice(buses), "memories": memories}
        if dice.random() < 0.4:
            options["weight_steps"] = 1 << dice.randint(4, 10)
    return AcceleratorConfig(
        rows=rows,
        lanes=lanes,
        batch=dice.randint(1, lanes),
        line_pixels=dice.choice((0, 0, 8, 16, 32, 64)),
        stream_weights=streams,
        **options,
    )


def _artifact(network: Network, dice: Random) -> Artifact:
    widest = dice.choice((8, 8, 8, dice.randint(2, 16)))
    bits = {
        layer.name: dice.randint(2, widest) for layer in network.layers if dice.random() < 0.3 and widest > 2
    }
    numbers = np.random.default_rng(dice.randrange(1 << 30))
    dense = random_artifact(
        network, seed=dice.randrange(1 << 30), kind="dense", weight_bits=widest, layer_bits=bits
    )
    layers, sparsity = {}, {}
    common = dice.choice(PATTERNS)
    for name, w in dense.layers.items():
        kind = common if dice.random() < 0.7 else dice.choice(PATTERNS)
        keep = dice.choice((0.05, 0.125, 0.25, 0.5))
        mask = masked(kind, w.weight.shape[:3], keep, numbers)
        # Sums as wide as before, or far beyond what the drain holds.
        shift = (
            w.shift.astype(int)
            + int(np.floor(0.5 * np.log2(max(mask.mean(), 1e-3))))
            - dice.choice((0, 0, 1, 4))
        )
        bias = numbers.integers(-3000, 3001, w.bias.shape) * dice.choice((0, 1, 100))
        layers[name] = LayerWeights(
            w.weight * mask[..., None].astype(w.weight.dtype), bias, np.clip(shift, 0, None)
        )
        sparsity[name] = Sparsity() if kind == "dense" else Sparsity(kind, keep, WORDS, BANKS)
    made = replace(dense, layers=layers, sparsity=sparsity)
    # With dice of its own, so that seeds from before narrow spectra draw what they did.
    return _narrow(made, Random(made.digest))


def _narrow(artifact: Artifact, dice: Random) -> Artifact:
    """The same with narrow spectra, now and then: words that never saturate, now and then, and always."""
    bits = dice.choice((16, 16, 11, dice.randint(8, 15)))
    try:
        narrow.check_spectrum_bits(bits, artifact.network, ArtifactError)
    except ArtifactError:
        bits = 9
    most, layers = narrow.most_shift(bits), dict(artifact.layers)
    for layer in artifact.network.layers:
        if layer.transformed:
            least = dice.choice((most, max(0, most - 4), 0))
            shift = np.array([dice.randint(least, most) for _ in range(WORDS)], np.uint8)
            layers[layer.name] = replace(layers[layer.name], word_shift=shift)
    return replace(artifact, layers=layers, spectrum_bits=bits)


def masked(kind: str, shape: tuple[int, int, int], keep: float, numbers: np.random.Generator) -> np.ndarray:
    """A mask (out, in, words) that keeps about so much, of the shape that a sparsity pattern gives."""
    out, cin, words = shape
    noise = numbers.random(shape)
    rank = noise.argsort(axis=2).argsort(axis=2)
    match kind:
        case "dense":
            return np.ones(shape, bool)
        case "kernel":
            return rank < max(1, round(keep * words))
        case "uniform" | "adaptive":
            groups = -(-cin // BANKS)
            kept = np.full((out, groups, words), max(1, round(keep * BANKS)))
            if kind == "adaptive":
                blocks = numbers.binomial(BANKS, keep, (-(-out // BANKS), groups, words))
                kept = blocks.repeat(BANKS, axis=0)[:out]
            place = numbers.random((out, groups, BANKS, words)).argsort(axis=2).argsort(axis=2)
            return (place < kept[:, :, None]).reshape(out, groups * BANKS, words)[:, :cin]
        case "pattern":
            library = numbers.random((4, words)).argsort(axis=1).argsort(axis=1) < max(1, round(keep * words))
            return library[numbers.integers(4, size=(out, cin))]
        case "block":
            blocks = numbers.random((-(-out // 4), -(-cin // 4), words)) < keep
            return blocks.repeat(4, axis=0).repeat(4, axis=1)[:out, :cin]
        case "filter":
            return np.broadcast_to((numbers.random((out, 1, 1)) < keep), shape)
        case "column":
            return np.broadcast_to((numbers.random((1, cin, words)) < keep), shape)
        case "row-column":
            rows, columns = (
                numbers.random((out, 1, 1)) < keep**0.5,
                numbers.random((1, cin, words)) < keep**0.5,
            )
            return np.broadcast_to(rows & columns, shape)
        case "combined":
            return (numbers.random((1, cin, words)) < 0.6) & (rank < max(1, round(keep * words)))
    return noise < keep


def designs(count: int, seed: int) -> Iterator[Design]:
    """So many designs, of the seeds from ``seed`` on."""
    for number in range(seed, seed + count):
        yield design(number)
