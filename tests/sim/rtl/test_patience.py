"""A run whose memory is slow is waited for, one that hangs is not waited for for ever."""

import pytest

from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from hw.contract.streamed_weights import StreamedPart, StreamedWeights
from hw.host.driver import DEFAULT_TIMEOUT
from sim import rtl
from sim.bench.job import Memory
from sim.rtl import patience


def info(cycles=1000, **options):
    config = AcceleratorConfig(8, 4, 4, **options)
    layers = tuple(StreamedPart(1 + i, 5, 7) for i in range(len(tiny().layers)))
    stream = StreamedWeights(StreamedPart(0, 3, 8), layers) if config.stream_weights else None
    return DesignInfo("spec2", tiny(), config, "00" * 32, estimates={"cycles": cycles}, stream=stream)


def test_without_external_memory_it_is_a_multiple_of_the_estimate():
    assert patience(info(), 0, Memory(65535, 255), False) == 10_000
    assert patience(info(), 0, Memory(), True) == 20_000
    assert patience(info(0), 0, Memory(), False) == DEFAULT_TIMEOUT


@pytest.mark.parametrize(("latency", "gap"), [(1, 0), (65535, 0), (1, 255), (65535, 255)])
@pytest.mark.parametrize("burst", [4, 64])
def test_the_slowest_memory_is_waited_for(latency, gap, burst):
    """Bursts of a size that a design may have, one by one, in layers that each end in a shorter one."""
    layers, beats = len(tiny().layers), 1000
    serial = (beats // burst + layers) * latency + beats * (1 + gap)
    for stalls in (False, True):
        found = patience(info(stream_weights=True), beats, Memory(latency, gap), stalls)
        assert (
            1000 + serial < found < 50_000 + 2 * (beats // 4 + 2 * layers) * latency + 2 * beats * (1 + gap)
        )


def test_a_simulation_gets_it(monkeypatch, tmp_path):
    """From the file that the memory holds, and the width of its port."""
    made = rtl.SimBuild(tmp_path, info(stream_weights=True), None)
    made.info.ports.update({"m_axi_rdata": 64, "m_axi_araddr": 40, "s_axil_rdata": 32})
    (tmp_path / "spec2_weights.bin").write_bytes(bytes(8 * 77 + 1))
    assert rtl.weight_beats(made) == 78
