"""Give every layer its density, or its bits: the least loss of accuracy for a number of clocks, or of bits.

Each layer has options, from dense to sparse or from wide to narrow: what it would cost (clocks of the array,
by the cost model, or bits of weights) and what would be lost (:mod:`pruning.training.sensitivity`). Starting
with everything dense or wide, the layer that loses least per cost saved takes its next step, until the cost
is low enough. Steps run along the lower convex hull of a layer's options, so no other choice of that cost, or
of a lower one, loses less (H. Everett, Operations Research 11(3), 1963), but for what the last step saves too
much. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.util.errors import ConfigError


@dataclass(frozen=True)
class Option:
    """What a layer may become: ``scheme`` as a recipe names it, its ``cost`` and the ``loss`` it brings."""

    scheme: str
    cost: float
    loss: float


def allocate(options: Mapping[str, Sequence[Option]], target: float, fixed: float = 0.0) -> dict[str, Option]:
    """One option per layer whose costs and ``fixed`` add up to ``target`` at most.

    The first option of a layer is where it starts. Raises ``ConfigError`` when even the cheapest options
    cost more.
    """
    hulls = {name: hull(found) for name, found in options.items()}
    chosen = {name: 0 for name in hulls}
    total = fixed + sum(steps[0].cost for steps in hulls.values())
    while total > target:
        moves = [
            (slope(steps[chosen[name]], steps[chosen[name] + 1]), name)
            for name, steps in hulls.items()
            if chosen[name] + 1 < len(steps)
        ]
        if not moves:
            raise ConfigError(
                f"the least these densities come to is {total:,.0f}, more than the target of {target:,.0f}: "
                "raise it, or take a larger array"
            )
        _, name = min(moves)
        steps, position = hulls[name], chosen[name]
        total += steps[position + 1].cost - steps[position].cost
        chosen[name] += 1
    return {name: steps[chosen[name]] for name, steps in hulls.items()}


def refill(
    options: Mapping[str, Sequence[Option]], chosen: Mapping[str, Option], target: float
) -> dict[str, Option]:
    """``chosen``, with what its last step saved too much spent again.

    While any layer has an option that loses less and still fits ``target``, the one that regains most per
    cost is taken. With choices of :func:`allocate`, a larger target never loses more.
    """
    filled = dict(chosen)
    while True:
        room = target - sum(option.cost for option in filled.values())
        moves = [
            (slope(option, filled[name]), name, option)
            for name, found in options.items()
            for option in found
            if option.loss < filled[name].loss and 0 < option.cost - filled[name].cost <= room
        ]
        if not moves:
            return filled
        _, name, option = max(moves, key=lambda move: move[:2])
        filled[name] = option


def hull(options: Sequence[Option]) -> list[Option]:
    """From the first option down: those on the lower convex hull, each cheaper than the one before.

    A cheaper option that loses less than the first replaces it as the start.
    """
    start = options[0]
    cheaper = sorted((o for o in options if o.cost <= start.cost), key=lambda o: (-o.cost, o.loss))
    start = min(cheaper, key=lambda o: (o.loss, o.cost))
    found = [start]
    for option in (o for o in cheaper if o.cost < start.cost):
        while len(found) > 1 and slope(found[-2], option) <= slope(found[-2], found[-1]):
            found.pop()
        if option.cost < found[-1].cost:
            found.append(option)
    return found


def slope(dear: Option, cheap: Option) -> float:
    """Loss per cost saved."""
    return (cheap.loss - dear.loss) / (dear.cost - cheap.cost)
