"""Whether memory keeps pace with a design, and what is said about it."""

import pytest

from bitstreams import boards
from bitstreams.boards.feeding import feeding
from bitstreams.commands.boards import device_of
from hw.util.errors import ConfigError


@pytest.mark.parametrize(
    ("board", "bits", "memories", "enough"),
    [
        ("vc709", 512, 2, True),  # 12.8 of 19.4 GB/s
        ("vc709", 512, 1, False),  # of 10.2
        ("vc709", 1024, 2, False),  # 25.6
        ("vcu118", 1024, 2, True),  # 32 of 34.6
        ("vcu118", 512, 1, True),  # 16 of 17.3
        ("u200", 1024, 1, False),
        ("u200", 1024, 4, True),
        ("genesys2", 64, 1, True),  # 1.6 of 2.56
        ("genesys2", 128, 1, False),
    ],
)
def test_a_design_is_fed_where_memory_sustains_a_beat_a_clock(board, bits, memories, enough):
    found = feeding(boards.find(board), bits, memories)
    assert found.enough == enough
    assert ("the array will wait" in str(found)) != enough
    data = found.to_json()
    assert data["wanted"] == bits / 8 * boards.find(board).clock and data["says"] == str(found)
    assert data["sustained"] < data["peak"]


def test_the_sentence_names_what_it_reckons_with():
    said = str(feeding(boards.find("vc709"), 1024, 2))
    assert said == (
        "Weights are read at 25.6 GB/s, 1024 bits a clock at 200 MHz; on the vc709 2 memories side by side "
        "are reckoned to sustain 19.4 GB/s (peak 24.2 GB/s): the array will wait, and the clocks above are "
        "too few. Lower --bus-bits, raise --memories, or build it for a slower clock."
    )
    with pytest.raises(ConfigError, match="has 2 memory interfaces, not 4"):
        feeding(boards.find("vc709"), 1024, 4)


@pytest.mark.parametrize("board", boards.BOARDS.values(), ids=lambda board: board.name)
def test_a_sweep_takes_no_bus_that_the_board_cannot_feed(board):
    device = device_of(board.name, None, None)
    for memories in (1, 2, 4):
        if memories > len(board.memories):
            with pytest.raises(ConfigError, match=f"not {memories}: (lower --memories|let them hold)"):
                device_of(board.name, None, memories)
            continue
        few = device_of(board.name, None, memories)
        assert few.dram_interfaces == memories and few.dram_rate == board.bandwidth(memories)[0]
        if bus := few.bus_bits:
            assert feeding(board, bus, few.memories(bus)).enough
    connected = max(board.connected, default=0)
    assert device.dram_interfaces == (connected or 1) and (device.bus_bits > 0) == (connected > 0)
    assert connected == (len(board.memories) if board.controllers else 0), (
        "a sweep takes what a build connects"
    )


def test_three_memories_are_no_choice():
    with pytest.raises(ConfigError, match="from 1, 2 or 4 memories, not 3"):
        device_of("u200", None, 3)
