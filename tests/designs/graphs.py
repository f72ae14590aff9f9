"""A random graph of layers: branches, concatenations, additions, strides, paddings of two sizes.

Many draws are refused, by the network or by the compiler: who asks draws again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import numpy as np

from hw.contract.artifact import Artifact
from hw.contract.network import IMAGES, MOST_LEAK, Conv, Dense, Layer, Network, Shape
from hw.contract.spectrum import TILE
from hw.util.errors import UnsupportedNetwork


@dataclass
class _Graph:
    """What is there so far: layers, and the shapes of their maps by name, the images' too."""

    dice: Random
    input: Shape
    layers: list[Layer] = field(default_factory=list)
    maps: dict[str, Shape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.maps[IMAGES] = self.input

    def unread(self) -> list[str]:
        """Layers whose maps nobody reads yet."""
        read = {source for layer in self.layers for source in layer.sources}
        return [layer.name for layer in self.layers if layer.name not in read]

    def add(self, layer: Layer) -> None:
        """Append ``layer``, if it can run there."""
        shapes = [self.maps[source] for source in layer.sources]
        try:
            made = layer.output((sum(shape[0] for shape in shapes), *shapes[0][1:]))
        except UnsupportedNetwork:
            return
        self.layers.append(layer)
        self.maps[layer.name] = made

    def some(self) -> str:
        """A map to read, mostly a new one."""
        names, fresh = list(self.maps), self.unread()
        return self.dice.choice(fresh if fresh and self.dice.random() < 0.7 else names)

    def beside(self, name: str) -> list[str]:
        """Other maps of the same size as ``name``."""
        size = self.maps[name][1:]
        return [other for other, shape in self.maps.items() if shape[1:] == size and other != name]

    def grow(self) -> None:
        """One layer more: it reads a map, several at once, or two and adds the last one."""
        dice, name = self.dice, f"c{len(self.layers)}"
        sources = [self.some()]
        others = self.beside(sources[0])
        dice.shuffle(others)
        kernel = dice.choice((1, 3, 3, 3, dice.randint(1, 7)))
        if others and dice.random() < 0.45:
            added = others.pop()
            if others and dice.random() < 0.3:
                sources.append(others.pop())
            before = dice.randrange(kernel)
            step = {"padding": before, "end_padding": kernel - 1 - before, "added": True}
            out, sources = self.maps[added][0], [*sources, added]
        else:
            sources += others[: dice.choice((0, 0, 1, 1, 2))]
            pool, stride = dice.choice(((1, 1), (1, 1), (1, 1), (2, 1), (1, 2)))
            step = {"padding": dice.randrange(kernel), "pool": pool, "stride": stride}
            if stride == 1 and dice.random() < 0.3:
                step |= _windows(dice)
            if dice.random() < 0.6:  # maps of one size, which later layers can read together
                step |= {"padding": kernel // 2, "end_padding": (kernel - 1) // 2}
            elif dice.random() < 0.4:
                step["end_padding"] = dice.randrange(kernel)
            out = dice.choice((1, 2, 3, dice.randint(1, 24)))
            if dice.random() < 0.2:
                cin = sum(self.maps[source][0] for source in sources)
                step["groups"] = dice.choice([n for n in range(1, cin + 1) if cin % n == 0])
                out = step["groups"] * dice.randint(1, 3)
        cin = sum(self.maps[source][0] for source in sources)
        self.add(Conv(name, cin, out, kernel, relu=dice.random() < 0.6, sources=tuple(sources), **step))


def _windows(dice: Random) -> dict[str, int]:
    """Pooling windows that overlap or reach beyond the map."""
    size, pool = dice.choice(((2, 2), (3, 1), (3, 2)))
    ends = {"pool_padding": dice.randrange(size), "pool_end_padding": dice.randrange(size)}
    return {"pool": pool, "pool_size": size, **ends}


def graph(dice: Random) -> Network:
    """A network in which some layer reads another map than that of the layer before it, or several.

    Raises ``UnsupportedNetwork`` for draws that are none.
    """
    size = (dice.randint(1, 26), dice.randint(1, 26))
    if dice.random() < 0.4:  # small maps, which lie side by side
        size = (dice.randint(1, 9), dice.randint(1, 9))
    image, spread = (dice.choice((1, 2, 3, dice.randint(1, 12))), *size), dice.choice((1, 1, 1, 2, 4))
    constant = Random(repr(image)).random() < 0.25  # of its own, so that other networks stay what they were
    channels = (image[0] + constant) * spread**2
    found = _Graph(dice, (channels, -(-image[1] // spread), -(-image[2] // spread)))
    for _ in range(dice.randint(3, 8)):
        found.grow()
    # What nobody read is read now, or left out.
    last = found.unread()[-1:]
    for name in last:
        sources = [name, *(other for other in found.unread() if other in found.beside(name))]
        shapes = [found.maps[source] for source in sources]
        features = sum(c * h * w for c, h, w in shapes)
        _, height, width = shapes[0]
        if height == width <= TILE and len(sources) == 1 and dice.random() < 0.3:
            channels = shapes[0][0]
            ends = {"end_padding": TILE - height, "groups": channels, "average": True}
            found.add(Conv("mean", channels, channels, TILE, relu=False, sources=(name,), **ends))
            features, sources = channels, ["mean"]
        if dice.random() < 0.6:
            if dice.random() < 0.3:
                found.add(Dense("d0", features, dice.randint(1, 90), dice.random() < 0.6, tuple(sources)))
                features, sources = found.layers[-1].outputs, [found.layers[-1].name]
            found.add(Dense("scores", features, dice.randint(1, 20), relu=False, sources=tuple(sources)))
        elif len(sources) > 1:
            found.add(
                Conv("joined", sum(s[0] for s in shapes), dice.randint(1, 9), 1, sources=tuple(sources))
            )
    layers = _read(found.layers)
    network = Network(f"graph{dice.randrange(1000)}", image, _unnamed(layers, dice), spread, constant)
    if network.chain:
        raise UnsupportedNetwork("a chain")
    return network


def leaking(network: Network) -> Network:
    """The same, now and then with leaky ReLUs of up to three slopes. With dice of its own, so that seeds from
    before draw what they did."""
    dice = Random(f"{network.to_json()}/leaks")
    if dice.random() < 0.6:
        return network
    slopes = [dice.randint(1, MOST_LEAK) for _ in range(3)]
    layers = [
        replace(layer, leak=dice.choice((0, *slopes))) if layer.relu else layer for layer in network.layers
    ]
    return replace(network, layers=tuple(layers))


def _read(layers: list[Layer]) -> list[Layer]:
    """The layers that the last one needs."""
    needed: set[str] = set()
    kept: list[Layer] = []
    for layer in reversed(layers):
        if not kept or layer.name in needed:
            kept.insert(0, layer)
            needed |= set(layer.sources)
    return kept


def _unnamed(layers: list[Layer], dice: Random) -> tuple[Layer, ...]:
    """The same layers; some of those that read just the layer before do not name it."""
    before, found = IMAGES, []
    for layer in layers:
        plain = layer.sources == (before,) and dice.random() < 0.7
        found.append(replace(layer, sources=()) if plain else layer)
        before = layer.name
    return tuple(found)


def with_identities(artifact: Artifact, dice: Random) -> Artifact:
    """The same, in which every second layer that adds a map has one weight of it for each output, as those of
    trained networks have, and most averages are means, one weight for each channel."""
    layers = dict(artifact.layers)
    for layer in artifact.network.layers:
        if layer.added and dice.random() < 0.5:
            weights = layers[layer.name]
            weight = weights.weight.copy()
            limit = (1 << artifact.bits_of(layer.name) - 1) - 1
            weight[:, layer.convolved :] = 0
            outputs = np.arange(layer.outputs)
            weight[outputs, layer.convolved + outputs] = np.random.default_rng(layer.outputs).integers(
                1, limit + 1, (layer.outputs, 1, 1)
            )
            weight[..., ~layer.used_parts((0, 0, 0))[0, 0]] = 0
            layers[layer.name] = replace(weights, weight=weight)
        elif layer.average and Random(f"{artifact.digest}/{layer.name}").random() < 0.7:
            weights = layers[layer.name]
            weight = np.zeros_like(weights.weight)
            weight[layer.connected, 0, 0] = (1 << artifact.bits_of(layer.name) - 1) - 1
            layers[layer.name] = replace(weights, weight=weight)
    return replace(artifact, layers=layers)


def text(network: Network, number: int) -> str:
    """What layer ``number`` reads, in a word; nothing for the layer before it."""
    maps = network.sources[number]
    return "" if maps == (number,) else "@" + ",".join(map(str, maps))
