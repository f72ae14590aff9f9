"""A step in the gateware: all of it, and the few bits by which the controller decides when to issue it."""

from amaranth import Cat
from amaranth.lib import data

from hw.config import BANKS
from hw.gateware.mac import weight_layout
from hw.step_format import WORD_BITS, StepFormat


def step_layout(step: StepFormat) -> data.StructLayout:
    """A step as stored (:class:`hw.step_format.StepFormat`)."""
    groups = {"groups": data.ArrayLayout(step.group_bits, step.addresses)}
    if step.run_ahead:
        groups = {"next_word": WORD_BITS, **groups, "of_next": BANKS}
    rows = data.ArrayLayout(weight_layout(step.weight_bits, step.run_ahead), step.rows)
    return data.StructLayout({"word": WORD_BITS, "end_of_word": 1, "end_of_pass": 1, **groups, "rows": rows})


def ends_layout(step: StepFormat) -> data.StructLayout:
    """What a step ends: a word, a pass and, where rows run ahead, the word of every row."""
    rows = {"rows": step.rows} if step.run_ahead else {}
    return data.StructLayout({"end_of_word": 1, "end_of_pass": 1, **rows})


def ends_of(step: StepFormat, bits) -> Cat:
    """The ends of a step of which ``bits`` is a view of :func:`step_layout`."""
    rows = (row.end for row in bits.rows) if step.run_ahead else ()
    return Cat(bits.end_of_word, bits.end_of_pass, *rows)
