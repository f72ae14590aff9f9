"""What limits a design's clock, of the blocks that a wide design has once: levels of LUTs, loads of a net."""

import json

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from bitstreams.synthesis.paths import HOST_LEVELS, HOST_LOADS, MOST_LEVELS, MOST_LOADS, excesses, main, paths
from bitstreams.synthesis.yosys import synthesise
from hw.compile.channel_table import drain_group_bits
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import cifar_small
from hw.emit import emit
from hw.gateware.datapath.feature_memory import FeatureMemory
from hw.gateware.ports.axi import AxiRead
from hw.gateware.ports.axilite import AxiLiteRegisters
from hw.gateware.ports.image_port import ImagePort
from hw.gateware.ports.result_port import MapPort
from hw.gateware.serial.bridge import Bridge
from hw.gateware.weights.burst_reader import BurstReader
from hw.gateware.weights.channel_loader import ChannelLoader
from hw.gateware.weights.memory_striping import MemoryStriping
from hw.gateware.weights.weight_replay import WeightReplay
from hw.generate import generate
from tests.bitstreams.synthesis.test_yosys import design
from tests.hw.gateware.streamed import NARROW, WIDE, program
from tests.hw.gateware.streams import port_program

MEMORIES = 4


class WeightPath(wiring.Component):
    """All between external memories and the array, as an accelerator joins it.

    What enters a block by a port begins no path: blocks that are joined without a register in between have
    to be seen together.
    """

    def __init__(self, compiled):
        self.reader, self.replay = BurstReader(compiled.stream), WeightReplay(compiled)
        address, data = (len(getattr(self.reader.memory, name)) for name in ("araddr", "rdata"))
        self.striping = MemoryStriping(address, data, MEMORIES)
        bits = drain_group_bits(compiled.config.drain, compiled.shift_bits)
        self.loader = ChannelLoader(compiled.stream, bits)
        channels = {name: self.loader.signature.members[name] for name in ("w_en", "w_addr", "w_data")}
        super().__init__(
            {
                **{name: In(len(getattr(self.reader, name))) for name in ("start", "first", "last", "base")},
                "flush": In(1),
                "checking": In(1),
                "images": In(len(self.replay.images)),
                "ends": self.replay.signature.members["ends"],
                "step": self.replay.signature.members["step"],
                "error": Out(1),
                **channels,
                "memories": Out(AxiRead(address, data // MEMORIES)).array(MEMORIES),
            }
        )

    def elaborate(self, platform):
        m = Module()
        reader, replay, striping, loader = self.reader, self.replay, self.striping, self.loader
        m.submodules.reader, m.submodules.replay = reader, replay
        m.submodules.striping, m.submodules.loader = striping, loader
        connect(m, reader.memory, striping.wide)
        connect(m, flipped(self.ends), replay.ends)
        for port, part in zip(self.memories, striping.memories, strict=True):
            connect(m, flipped(port), part)
        for block in (reader, replay):
            m.d.comb += [getattr(block, name).eq(getattr(self, name)) for name in ("start", "first", "last")]
        m.d.comb += [
            striping.generation.eq(reader.generation),
            striping.settled.eq(reader.settled),
            reader.base.eq(self.base),
            reader.flush.eq(self.flush),
            reader.credit.eq(replay.credit),
            replay.images.eq(self.images),
            replay.requested.eq(reader.requested),
            replay.requested_beats.eq(reader.requested_beats),
            loader.start.eq(self.start),
            loader.valid.eq(reader.channels & ~self.checking),
            loader.beat.eq(reader.beat),
            *(getattr(self, name).eq(getattr(loader, name)) for name in ("w_en", "w_addr", "w_data")),
            replay.beat_valid.eq(reader.weights & ~self.checking),
            replay.beat.eq(reader.beat),
            self.step.eq(replay.step),
            self.error.eq(reader.error),
        ]
        return m


BLOCKS = {
    "feature memory": lambda: FeatureMemory(64, 4096),
    "control port": lambda: AxiLiteRegisters(AcceleratorConfig(64, 10, 1), 13, bytes(32).hex(), entries=16),
    "bridge": Bridge,
    "bridge with memory": lambda: Bridge(memory=True),
}
SLOW = {
    "narrow weights": lambda: WeightPath(program(**WIDE, layer_bits=NARROW)),
    "weights": lambda: WeightPath(program(**WIDE)),  # the same block, less the widths of layers
    "image port": lambda: ImagePort(port_program("beside-256")),
    "map port": lambda: MapPort(port_program("beside-256"), 5),
}


HOST = ("control port", "bridge", "bridge with memory")
"""Between host and core."""


@pytest.mark.parametrize("name", [*BLOCKS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_no_block_has_long_paths_or_wide_nets(tmp_path, name):
    """Steps of 1071 bits, beats of 1024 and 256, lines of 64: a register for them all would drive as many."""
    found = synthesise(design(tmp_path, emit((BLOCKS | SLOW)[name](), "spec2").text), paths=True).paths
    holds(found, *((HOST_LEVELS, HOST_LOADS) if name in HOST else ()))


@pytest.mark.slow
def test_no_net_drives_all_of_many_lanes(tmp_path):
    """Each of ten lanes has registers of its own for what steers its window, and for its reset."""
    generate(random_artifact(cifar_small(), seed=1), AcceleratorConfig(4, 10, 1), tmp_path / "design")
    holds(synthesise(tmp_path / "design", paths=True).paths)


def holds(found, levels=MOST_LEVELS, loads=MOST_LOADS):
    assert 0 < found.longest <= levels, found.worst[0]
    assert found.fanout[0][1] <= loads, found.fanout[0]
    assert found.unregistered == ()


def cell(kind, inputs, outputs):
    ways = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    return {"type": kind, "port_directions": ways, "connections": {**inputs, **outputs}, "parameters": {}}


@pytest.mark.parametrize(
    ("where", "limited"),
    [
        ("$flatten\\core.\\writer.$ff", True),
        ("$flatten\\serial.\\accelerator.\\control.$ff", True),
        ("control.$ff", True),
        ("$flatten\\interrupt$12.$ff", True),
        ("$flatten\\core.\\readout.\\control.$ff", False),
        ("core.fetch.$ff", False),
    ],
)
def test_limits_are_tighter_between_host_and_core(where, limited):
    """Four LUTs before a register, which drives 129 of another kind than the 129 of a reset."""
    luts = {f"lut_{i}": cell("LUT1", {"I0": [10 + i]}, {"O": [11 + i]}) for i in range(4)}
    first = cell("FDRE", {"D": ["0"]}, {"Q": [10]})
    last = cell("FDRE", {"D": [14]}, {"Q": [15]})
    loads = {f"load_{i}": cell("FDRE", {"D": [15], "R": [16]}, {"Q": [100 + i]}) for i in range(129)}
    names = {"a": {"bits": [10]}, "b": {"bits": [15]}, "rst": {"bits": [16]}}
    cells = {"first": first, where: last, **luts, **loads}
    netlist = {"modules": {"top": {"cells": cells, "netnames": names, "ports": {}}}}
    tight = ["b: 129 loads, not 128", "a -> b: 4 levels, not 3"] if limited else []
    assert sorted(excesses(netlist, "top")) == sorted(["rst: 129 loads, not 128", *tight])
    assert "a -> b: 4 levels, not 3" in excesses(netlist, "top", levels=3)


def test_prints_the_paths_of_a_netlist(tmp_path, capsys):
    """Two registers and a LUT between them, which a third register shares."""
    cells = {
        "first": cell("FDRE", {"C": [2], "D": [3]}, {"Q": [4]}),
        "lut": cell("LUT1", {"I0": [4]}, {"O": [5]}),
        "second": cell("FDRE", {"C": [2], "D": [5]}, {"Q": [6]}),
        "third": cell("FDRE", {"C": [2], "D": [5]}, {"Q": [7]}),
    }
    names = {"clk": {"bits": [2]}, "a": {"bits": [4]}, "between": {"bits": [5]}, "b": {"bits": [6, 7]}}
    netlist = {"modules": {"top": {"cells": cells, "netnames": names, "ports": {}}}}
    (tmp_path / "top.json").write_text(json.dumps(netlist))
    assert main([str(tmp_path / "top.json"), "top"]) == 0
    assert capsys.readouterr().out == "2 after 1\n1 a -> b[0]: LUT1\n2 between\n1 3\n1 a\n"
    assert paths(netlist, "top").longest == 1
