"""From masks to steps: which input channels the array multiplies in which clock.

A *step* reads one word of one input channel from each of 8 banks (channel mod 8); every row picks
at most one of the eight and multiplies it by its weight. A row's products of one word follow each other, so
that its sum stays in one register.

* :func:`shared` addressing: all banks read the same group of 8 consecutive channels. A group costs as
  many steps as its busiest row keeps channels: for n:m masks that is n, and nothing is wasted.
* :func:`per_bank` addressing: each bank reads a group of its own, for any mask. :func:`pack_words` packs
  all words of a layer together (:mod:`packer <hw.compile.schedule.packer>`, :mod:`exchange
  <hw.compile.schedule.exchange>`).
* :func:`run_ahead`: banks read a group and a word of their own, and rows need not complete a word in the same
  step; see ``docs/decisions/0006-scheduling-irregular-masks.md``.

Per layer one of the three is taken (:mod:`hw.compile.schedule.layer`), in the form that the array executes
(:mod:`hw.compile.schedule.steps`). :func:`form_blocks` chooses which output channels share a block,
:func:`schedule_report <hw.compile.schedule.report.schedule_report>` measures a model. After SPEC2,
arXiv:1910.11103, and the exact-cover scheduling of arXiv:2310.10902, which packs
replicas of one memory instead of banks.
"""

from hw.compile.schedule.bank_schedule import lower_bound, pack_words, per_bank, shared
from hw.compile.schedule.blocks import form_blocks
from hw.compile.schedule.rows import run_ahead
from hw.compile.schedule.steps import Steps

__all__ = ["Steps", "form_blocks", "lower_bound", "pack_words", "per_bank", "run_ahead", "shared"]
