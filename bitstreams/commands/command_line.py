"""The command line: a table of subcommands, and what becomes of everything that goes wrong in one.

A subcommand is a function in a file of its name, in ``commands`` of the package it drives; of several, of
the last one in the order of the work: ``pruning``, ``sim``, ``bitstreams`` (:mod:`hw.commands`). Each
imports what it needs when it runs, so that ``spec2 --help`` is instant.

Results go to stdout (as JSON with ``--json``), progress to stderr. A mistake of the caller is one sentence on
stderr and exit code 2, and so is a full disk; a mismatch between Verilog and integer model is exit code 1;
anything else is a bug and shows its traceback.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence

import typer

from bitstreams.commands.boards import boards
from bitstreams.commands.build import build
from bitstreams.commands.classify import classify
from bitstreams.commands.demo import demo
from bitstreams.commands.deploy import deploy
from bitstreams.commands.doctor import doctor
from bitstreams.commands.estimate import estimate
from bitstreams.commands.explore import explore
from bitstreams.commands.features import features
from bitstreams.commands.generate import generate
from bitstreams.commands.package import package
from bitstreams.commands.report import report
from bitstreams.commands.search import search
from bitstreams.commands.serve import serve
from bitstreams.commands.synth import synth
from hw.commands.logs import tell
from hw.commands.new import new
from hw.commands.options import kept_command
from hw.commands.program import options, running, sentence
from hw.commands.schedule import schedule
from hw.commands.terminal import Ended, ending_in_order, print_anything
from hw.commands.zoo import zoo
from hw.util import caches, quote
from hw.util.errors import Spec2Error
from pruning.commands.index import index
from sim.commands.adapt import adapt
from sim.commands.board import board
from sim.commands.compare import compare
from sim.commands.prune import prune
from sim.commands.robustness import robustness
from sim.commands.simulate import simulate
from sim.commands.sweep import sweep

app = typer.Typer(
    name="spec2",
    help="Generate FPGA accelerators for pruned spectral CNNs, and prove them by simulation.\n\n"
    "The usual order: **prune**, **estimate**, **generate**, **simulate**, **synth**, **report**; then "
    "**build**, **deploy**, **classify**. **demo** does all but the last three with LeNet.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

SUBCOMMANDS = (
    new,
    prune,
    sweep,
    adapt,
    estimate,
    explore,
    schedule,
    generate,
    simulate,
    synth,
    package,
    build,
    deploy,
    board,
    classify,
    serve,
    features,
    index,
    search,
    report,
    compare,
    robustness,
    demo,
    zoo,
    boards,
    doctor,
)
"""In the order of the help."""

for subcommand in SUBCOMMANDS:
    app.command()(subcommand)
app.callback()(options)


UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""What may strike any file that is written, logs of tools included: the disk is full, or not ours."""


INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends in ``SystemExit``."""
    print_anything()
    os.environ |= caches.environment()
    given = list(sys.argv[1:] if arguments is None else arguments)
    with running(given) as program:
        try:
            with ending_in_order():
                program.code = _call(given)
        except Ended as end:
            tell(f"ended by {end}")
            program.code = 128 + end.number
    sys.exit(program.code)


def _call(given: list[str]) -> int:
    """Run the command and say what came in its way; returns the exit code."""
    try:
        code = app(args=given, prog_name="spec2", standalone_mode=False, obj=kept_command(given))
        if code == INTERRUPTED:  # to typer 0.29 Ctrl-C is an exit like any other, without a word
            raise KeyboardInterrupt
    except (Spec2Error, typer.TyperException) as error:
        text = sentence(error, app) if isinstance(error, typer.TyperException) else str(error)
        if text:  # without arguments the help has been printed and there is nothing to add
            tell(quote.line(" ".join(text.split())))
        code = 2
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        where = f" ({quote.line(str(error.filename))})" if error.filename else ""
        tell(f"{error.strerror}{where}: make room, or choose another folder")
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        tell("interrupted")
        code = INTERRUPTED
    return code if isinstance(code, int) else 0
