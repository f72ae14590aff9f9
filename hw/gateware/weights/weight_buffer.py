"""Weight buffer: beats of the memory bus in, whole steps out; a ring that is its own width converter.

A step takes U units of 16 bit, fewer in layers of narrower weights, and a beat brings B of them, no more
than any step takes, beginning anywhere in a step. Unit j of step t lies in column bank j at address t mod
depth, so a beat is rotated and written, and what lies beyond the step's end goes to the first columns' next
address. No register in between, no gaps in memory. What columns beyond a narrow step hold is not read.
"""

from amaranth import Array, C, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.compile.weight_stream import KEPT_FREE, UNIT_BITS, StreamPlan
from hw.gateware.datapath.bank import Bank
from hw.gateware.datapath.feature_memory import rotate, rotate_latency
from hw.gateware.primitives.delay import MAX_FANOUT, delay, replicate, without_reset

BLOCK_DEPTH = 2048
"""Units in a RAMB36."""

O_SHARE_COLUMNS = MAX_FANOUT // UNIT_BITS
"""Columns whose output registers hear from the same register whether they move."""


class WeightBuffer(wiring.Component):
    """Parameters: ``plan``.

    Memory: U column banks of depth × 16 bit, RAMB36s of 2k × 18.

    Members
    -------
    start: in, 1. A pulse: empty the buffer for a run from layer ``first`` on.
    first: in, a layer. With ``start``.
    credit: out, 1. There is room for a whole burst.
    requested: in, 1. A pulse, not in two clocks in a row: room is reserved for a burst.
    requested_beats: in, 0 .. ``burst_beats``. Its beats, with ``requested``.
    valid: in, 1. A beat comes; it cannot be stalled.
    beat: in, ``bus_bits``. Its data, with ``valid``.
    stored: out, 0 .. 2 · depth - 1. Whole steps so far, modulo twice the depth: those before it can be read.
    r_en: in, ``shares``. Read a step, each bit for a share of its columns: all are equal.
    r_steps: in, ``shares`` of 0 .. depth - 1. Its address, with ``r_en``, for every share.
    o_en: in, ``o_shares``. The step that was read moves on, to the columns' output registers.
    bits: out, 16 · U. The step in those; it stays until the next one moves on.
    freed: in, 1. A pulse: one step will not be read again.
    """

    def __init__(self, plan: StreamPlan):
        self.plan = plan
        layers = range(len(plan.layer_steps))
        super().__init__(
            {
                "start": In(1),
                "first": In(layers),
                "credit": Out(1),
                "requested": In(1),
                "requested_beats": In(range(plan.burst_beats + 1)),
                "valid": In(1),
                "beat": In(plan.bus_bits),
                "stored": Out(range(2 * plan.depth)),
                "r_en": In(self.shares),
                "r_steps": In(data.ArrayLayout(range(plan.depth), self.shares)),
                "o_en": In(self.o_shares),
                "bits": Out(plan.step_units * UNIT_BITS),
                "freed": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        next_unit, next_size, step, whole = self._position(m)
        self._count_credit(m, whole)

        # Clocks 0..: unit i of the beat to place (i + unit) mod B.
        units = [self.beat[i * UNIT_BITS : (i + 1) * UNIT_BITS] for i in range(plan.beat_units)]
        rotated, wait = rotate(m, units, next_unit[: ceil_log2(plan.beat_units)], left=False, name="beat")
        # Units after the step's end: they fill the next step's columns up to this one.
        over = next_unit + plan.beat_units - self._units[next_size]
        beyond = delay(m, over, wait, name="beyond")
        size = delay(m, next_size, wait, name="size")
        next_unit = delay(m, next_unit, wait, name="next_unit")
        step = delay(m, step, wait, name="step")
        valid = delay(m, self.valid, wait, name="valid", reset=True)
        next_step = Signal.like(step)
        m.d.comb += next_step.eq(step + 1)
        out = []
        for j in range(plan.step_units):
            bank = Bank(UNIT_BITS, plan.depth)
            m.submodules[f"column_{j}"] = bank.shared()
            # Last clock but one: a unit is of this step, or of the next one, or of no use to this column.
            of_this = delay(m, next_unit <= j, 1, name=f"of_this_{j}")
            of_use = Mux(next_unit <= j, j < next_unit + plan.beat_units, j < beyond)
            enable = valid & delay(m, of_use, 1, name=f"of_use_{j}")
            if j % (MAX_FANOUT // UNIT_BITS) == 0:
                size_near = replicate(m, size, name=f"size_{j}")
            # Last clock: a register in front of the memory.
            address = Mux(of_this, step, next_step)
            wrapped = Array(rotated[(j + units) % plan.beat_units] for units in self._sizes)[size_near]
            unit_bits = Mux(of_this, rotated[j % plan.beat_units], wrapped)
            m.d.comb += [
                bank.w_en.eq(delay(m, enable, 1, name=f"w_en_{j}")),
                bank.w_addr.eq(delay(m, address, 1, name=f"w_addr_{j}")),
                bank.w_data.eq(delay(m, unit_bits, 1, name=f"w_data_{j}")),
                bank.r_addr.eq(self.r_steps[j // self._share_columns]),
                bank.r_en.eq(self.r_en[j // self._share_columns]),
                bank.o_en.eq(self.o_en[j // O_SHARE_COLUMNS]),
            ]
            out.append(bank.r_data)
        m.d.comb += self.bits.eq(Cat(*out))
        return m

    @property
    def shares(self) -> int:
        """Into how many shares columns are divided, so that no address drives more than ``MAX_FANOUT`` block
        RAMs."""
        return -(-self.plan.step_units // self._share_columns)

    @property
    def o_shares(self) -> int:
        """Into how many shares their output registers are."""
        return -(-self.plan.step_units // O_SHARE_COLUMNS)

    @property
    def _share_columns(self) -> int:
        """Columns that have their address from the same register."""
        return max(1, MAX_FANOUT // -(-self.plan.depth // BLOCK_DEPTH))

    @property
    def write_latency(self) -> int:
        """Clocks from a step's last beat until ``stored`` counts it."""
        return rotate_latency(self.plan.beat_units) + 2

    def _position(self, m):
        """Where the next beat begins: its unit and its step's size, both a clock ahead, and its step; and
        whether the beat at hand completes a step.
        """
        plan = self.plan
        # A start sets all of them.
        layer = Signal.like(self.first, reset_less=True)
        size = Signal(range(len(self._sizes)), reset_less=True)
        unit = Signal(range(plan.step_units), reset_less=True)
        step = Signal(range(plan.depth), reset_less=True)
        next_unit = Signal.like(unit)
        next_size = Signal.like(size)
        left = Signal(range(max(plan.layer_beats) + 1), reset_less=True)
        final = Signal(reset_less=True)  # one beat is left
        beats, single, sizes = (
            Array(C(n) for n in t)
            for t in (
                plan.layer_beats,
                [n == 1 for n in plan.layer_beats],
                [self._sizes.index(units) for units in plan.layer_units],
            )
        )
        whole = Signal()
        ends = Signal()
        unit_after = Signal(range(2 * plan.step_units))  # the beat at hand
        next_layer = Signal.like(layer)
        m.d.comb += [
            unit_after.eq(unit + plan.beat_units),
            whole.eq(self.valid & (unit_after >= self._units[size])),
            ends.eq(self.valid & final),
            next_layer.eq(layer + 1),
            next_unit.eq(unit),
            next_size.eq(size),
        ]
        m.d.sync += [unit.eq(next_unit), size.eq(next_size)]
        with m.If(self.valid):
            m.d.comb += next_unit.eq(unit_after)
            m.d.sync += [left.eq(left - 1), final.eq(left == 2)]
        with m.If(whole):
            m.d.comb += next_unit.eq(unit_after - self._units[size])
            m.d.sync += step.eq(step + 1)
        with m.If(ends):
            m.d.comb += [next_unit.eq(0), next_size.eq(sizes[next_layer])]
            m.d.sync += [layer.eq(next_layer), left.eq(beats[next_layer]), final.eq(single[next_layer])]
        stored = delay(m, whole, self.write_latency - 1, name="stored", reset=True)
        count = without_reset(m, self.stored, name="stored_steps")
        with m.If(stored):
            m.d.sync += count.eq(count + 1)
        with m.If(self.start):
            m.d.comb += [next_unit.eq(0), next_size.eq(sizes[self.first])]
            m.d.sync += [
                Cat(step, count).eq(0),
                layer.eq(self.first),
                left.eq(beats[self.first]),
                final.eq(single[self.first]),
            ]
        return next_unit, next_size, step, whole

    def _count_credit(self, m, whole):
        """Units neither reserved nor in use.

        A beat that is requested reserves what it may take; when it comes it gives that back, and the step
        that it completes takes a step's room. The step that is being filled is not counted, and what is
        counted is two clocks old: ``KEPT_FREE``.
        """
        plan = self.plan
        all_units = plan.depth * plan.step_units
        free = Signal(range(all_units + 1), init=all_units, reset_less=True)
        came = Mux(self.valid, plan.beat_credit, 0) - Mux(whole, plan.step_units, 0)
        came = delay(m, came, 1, name="came")
        freed = Mux(delay(m, self.freed, 1, name="freed", reset=True), plan.step_units, 0)
        requested = delay(m, self.requested, 1, name="requested", reset=True)
        beats = delay(m, self.requested_beats, 1, name="requested_beats")
        # Shifted and added: synthesis would take a DSP slice for the product.
        product = sum(
            (beats << i for i in range(plan.beat_credit.bit_length()) if plan.beat_credit >> i & 1), C(0)
        )
        reserved = Mux(requested, product, 0)
        m.d.sync += [
            free.eq(free + freed + came - reserved),
            # Two bursts: one that was requested two clocks ago is not yet in the sum.
            self.credit.eq(free >= 2 * plan.burst_beats * plan.beat_credit + KEPT_FREE * plan.step_units),
        ]
        # A clock late: what is requested after the start is counted a clock after that.
        with m.If(replicate(m, self.start, name="start_late", reset=True)):
            m.d.sync += free.eq(all_units)

    @property
    def _sizes(self) -> list[int]:
        """The units that a step takes in any layer."""
        return sorted(set(self.plan.layer_units))

    @property
    def _units(self) -> Array:
        """Units of a step, by the position of its size among all."""
        return Array(C(units) for units in self._sizes)
