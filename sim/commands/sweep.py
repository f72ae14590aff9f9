"""``spec2 sweep``: in ``sim``, because every job is measured with the integer model."""

from __future__ import annotations

import sys
from contextlib import ExitStack, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hw.commands.console import emit, progress, requires
from hw.commands.options import DataDir, Json
from hw.util import quote
from hw.util.files import alone, write_json
from hw.util.tables import table
from sim.commands.prune import prune_and_measure

if TYPE_CHECKING:
    from pruning.training.sweep.plan import Job


def sweep(
    file: Annotated[Path, typer.Argument(help="The sweep, a TOML file.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the trainings. [default: build/ and the file's name]")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=1024, help="Trainings at a time, each on one processor.")
    ] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Address of a Dask scheduler (tcp://HOST:PORT) whose workers train instead; they see OUT "
            "under the same name."
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Train a recipe with several seeds and settings, and say what is spread and what is gain.

    FILE names a recipe of 'spec2 prune', seeds, and in [grid] the values of its fields (sparsity, optimiser,
    weight_bits, spectrum_bits, block, batch): every combination is trained with every seed. Each training is
    that of 'spec2 prune --seed', and its folder one that the other commands take. The table gives mean and
    standard deviation over the seeds; *lost* is what a seed's integers lose against its own dense network.
    An interrupted sweep goes on where it was, each training too; the results do not depend on how many work
    at it. A worker that dies is replaced, and what it was at is done again.

    **Examples**

        spec2 sweep sweep.toml
        spec2 sweep sweep.toml --workers 8 --data-dir ~/mnist
        spec2 sweep sweep.toml --cluster tcp://10.0.0.5:8786 --out /shared/sweep
    """
    with requires("torch", "mlxtend"):
        from pruning.training.sweep import engine, plan
        from pruning.training.sweep.spread import cells, spread

    folder = (out or Path("build") / file.stem).resolve()
    data_dir = data_dir.resolve() if data_dir else None
    jobs = plan.read(file, folder, data_dir)
    many = cluster is not None or workers > 1
    shown = progress("sweeping") if many else nullcontext(_line)  # one alone shows its own progress
    with alone(folder, "this sweep"), shown as show:
        show(0, len(jobs), "")
        work = Training(data_dir, quiet=many)
        found = engine.carry_out(jobs, work, workers=workers, cluster=cluster, told=show)
    rows, failed = spread(found), [outcome for outcome in found if outcome.error]
    data = {
        "out": str(folder),
        "cases": rows,
        "jobs": [
            {
                "folder": o.job.folder.name,
                "seed": o.job.seed,
                **o.job.changes,
                "measured": o.measured,
                "error": o.error,
            }
            for o in found
        ],
    }
    write_json(folder / "sweep.json", data)
    said = [f"{outcome.job.name}: {outcome.error}" for outcome in failed]
    emit(as_json, data, table(*cells(rows)), *(quote.markdown(line) for line in said))
    if failed:
        print(f"{len(failed)} of {len(jobs)} trainings failed, first {said[0]}", file=sys.stderr)
        raise typer.Exit(1)


def _line(done: float | None, total: float | None, what: str = "") -> None:
    print(f"sweeping {done} of {total} {quote.line(what)}", file=sys.stderr)


class Training:
    """Carries out a job: trains and measures as ``spec2 prune`` does, on one processor. ``quiet``: what that
    says goes into a log in the job's folder."""

    def __init__(self, data_dir: Path | None, *, quiet: bool) -> None:
        self.data_dir, self.quiet = data_dir, quiet

    def __call__(self, job: Job) -> dict[str, float]:
        from pruning.training.sweep.engine import log_of

        job.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            if self.quiet:
                log = stack.enter_context(log_of(job).open("a"))
                stack.enter_context(redirect_stderr(log))
                stack.enter_context(redirect_stdout(log))
            return prune_and_measure(
                job.recipe,
                job.folder,
                data_dir=self.data_dir,
                threads=1,
                seed=job.seed,
                command=f"spec2 sweep: {job.name}",
                **job.changes,
            )
