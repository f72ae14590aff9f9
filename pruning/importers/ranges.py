"""Maps that a quantiser keeps in a range. Its rounding is left out: the hardware rounds every map itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pruning.importers.heads import Heads
from pruning.importers.refusals import refuse
from pruning.importers.values import Made, Value
from pruning.quant.given import Given

Range = tuple[float, float]

CLOSE = 1 + 1e-6


class Ranges(Heads):
    """Ranges of maps."""

    def ranged(self, value: Value, position: str, low: float, high: float, step: float) -> Value:
        """A map that a quantiser with steps of ``step`` keeps within ``low`` and ``high``.

        What has no sign ends at ``high``, exactly. Where numbers have a sign, the range is that of the
        hardware's 8 bits, and nothing is done to the float model. Averages that wait are left as they are,
        and so are images, which no quantiser of 0 to about 1 changes by more than two steps.
        """
        self.ready(value)
        if not low <= 0 < high:
            raise refuse(
                position,
                f"its range of {low:.4g} to {high:.4g} leaves no room for zero and what is above it",
                "quantise with a zero point within the range, and not to negative numbers alone",
            )
        if value.average is not None:
            uncut = () if _below(value, high) else (position,)
            waiting, before = value.average, value.average.range or (low, high)
            both = max(low, before[0]), min(high, before[1])
            return replace(value, average=replace(waiting, range=both, uncut=waiting.uncut + uncut))
        if value.parts == (None,) and high >= 1 - 2 * step:
            return value
        if low == 0 or not value.signed:
            return value if _below(value, high) else self.clip(value, position, "Quant", 0.0, high)
        for made in value.parts if not value.shared else ():
            if made is None:
                continue
            if not made.spec.signed:
                clip = high if made.spec.clip is None else min(high, made.spec.clip)
                made.spec = replace(made.spec, clip=clip)
            else:
                before = made.range or (low, high)
                made.range = (max(low, before[0]), min(high, before[1]))
        return value


def _below(value: Value, high: float) -> bool:
    """Whether a map has nothing above ``high``, and no sign."""
    clips = [made.spec.clip if made is not None else 1.0 for made in value.parts]
    return not value.signed and all(clip is not None and clip <= high * CLOSE for clip in clips)


def given(layers: Sequence[Made]) -> dict[str, Given]:
    """What is known of the layers, in their order, by name. Layers that only copy or average have the range
    of what they read."""
    ends: dict[Made | None, Range | None] = {None: (0.0, 1.0)}
    found = {}
    for made in layers:
        if made.spec.clip is not None:
            ends[made] = (0.0, made.spec.clip)
        else:
            ends[made] = made.range or _copied(made, ends)
        low, high = ends[made] or (None, None)
        if high is not None or made.step is not None:
            found[made.spec.name] = Given(low, high, made.step)
    return found


def _copied(made: Made, ends: Mapping[Made | None, Range | None]) -> Range | None:
    """The range of what reads one pixel an output, or averages them, from those of what it reads."""
    known = [ends.get(source) for source in made.sources]
    if made.spec.average:
        return None if None in known else (min(end[0] for end in known), max(end[1] for end in known))
    weight = made.module.weight.detach().double().flatten(1)
    single = bool(((weight != 0).sum(1) <= 1).all())
    if not (made.copies or single) or made.norm is not None or None in known:
        return None
    read, added = known[: len(made.reads)], known[len(made.reads) :]
    low, high = min(end[0] for end in read), max(end[1] for end in read)
    rising, falling = weight.clamp(min=0).sum(1), weight.clamp(max=0).sum(1)
    bias = 0.0 if made.module.bias is None else made.module.bias.detach().double()
    least = rising * low + falling * high + bias + sum(end[0] for end in added)
    most = rising * high + falling * low + bias + sum(end[1] for end in added)
    bottom = 0.0 if not made.spec.signed else min(0.0, float(least.min()))
    return (bottom, float(most.max())) if float(most.max()) > 0 else None
