"""How runs end, as Verilog: whatever breaks one off, no port breaks a promise and the next run is right."""

import numpy as np
import pytest

from sim import model, rtl
from sim.bench.job import VARIABLE, Job, Memory
from sim.rtl.cosim import run_module
from tests.sim.bench.accelerators import images

pytestmark = pytest.mark.verilator


TINY = ("tiny", "adaptive", 8, 4, 2, 0), {"bus_bits": 128, "memories": 2}
GRAPH = ("graph", "kernel", 8, 3, 2, 0), {"bus_bits": 64}


@pytest.mark.parametrize(
    ("size", "options"),
    [pytest.param(*TINY, id="tiny"), pytest.param(*GRAPH, id="graph", marks=pytest.mark.slow)],
)
def test_whatever_breaks_a_run_off_the_next_one_is_right(accelerator, tmp_path, size, options):
    """Designs of ``test_accelerator.py``: with two memories side by side, and with maps that outlive many
    layers."""
    folder, artifact = accelerator(*size, stream_weights=True, **options)
    made, pictures = rtl.build(folder), images(size[0], 4)
    np.save(tmp_path / "scores.npy", model.run(artifact, pictures))
    Job(made.info, pictures, 2, True, 7, False, 50_000, None, Memory(latency=60)).save(tmp_path)
    run_module(
        made.simulator,
        "tests.sim.bench.endings_bench",
        tmp_path,
        work_dir=folder,
        environment={VARIABLE: str(tmp_path)},
        wall_seconds=600,
    )
