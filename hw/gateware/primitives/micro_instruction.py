"""A step, the micro-instruction of the array, and the few bits by which the controller issues it."""

from amaranth import Cat
from amaranth.lib import data

from hw.compile.step_format import SELECT_BITS, WORD_BITS, StepFormat
from hw.contract.config import BANKS


def step_layout(step: StepFormat) -> data.StructLayout:
    """A step as stored (:class:`hw.compile.step_format.StepFormat`)."""
    groups = {"groups": data.ArrayLayout(step.group_bits, step.addresses)}
    if step.run_ahead:
        groups = {"next_word": WORD_BITS, **groups, "of_next": BANKS}
    row = data.StructLayout({"select": SELECT_BITS, **({"end": 1} if step.run_ahead else {})})
    rows = {
        "rows": data.ArrayLayout(row, step.rows),
        "bit_planes": data.ArrayLayout(step.bit_plane_width, step.weight_bits),
    }
    return data.StructLayout({"word": WORD_BITS, "end_of_word": 1, "end_of_pass": 1, **groups, **rows})


def rows_of(step: StepFormat, bits, bit_planes) -> Cat:
    """The part of every row of a step, laid out as by :func:`hw.gateware.datapath.row_weights.weight_layout`.

    bits: a view of :func:`step_layout`. bit_planes: those of its weights.
    """
    rows = []
    for n, row in enumerate(bits.rows):
        re, im = (Cat(bit_plane[2 * n + part] for bit_plane in bit_planes) for part in range(2))
        rows.append(Cat(row.select, re, im, *([row.end] if step.run_ahead else [])))
    return Cat(*rows)


def ends_layout(step: StepFormat) -> data.StructLayout:
    """What a step ends: a word, a pass and, where rows run ahead, the word of every row."""
    rows = {"rows": step.rows} if step.run_ahead else {}
    return data.StructLayout({"end_of_word": 1, "end_of_pass": 1, **rows})


def ends_of(step: StepFormat, bits) -> Cat:
    """The ends of a step of which ``bits`` is a view of :func:`step_layout`."""
    rows = (row.end for row in bits.rows) if step.run_ahead else ()
    return Cat(bits.end_of_word, bits.end_of_pass, *rows)
