"""The virtual board on a small circuit instead of an accelerator: bytes, clients, sleep, and every end."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitstreams.links.serial import open_serial
from hw.host import virtual_port
from hw.util.errors import ConfigError, LinkError, ToolFailed
from sim.rtl import verilate
from sim.rtl.verilator import find_verilator
from sim.virtual import board as board_module
from sim.virtual.board import VirtualBoard, run_board
from sim.virtual.build import VirtualBuild, build_serial

pytestmark = pytest.mark.verilator

KEY, SLOW, FINISH, BREAK = 0x55, 0xA5, 0x5A, 0x0F
SPECIAL = bytes([SLOW, FINISH, BREAK])
THINKING = 300_000
"""Clocks after which SLOW is answered; much longer than the board runs on by itself."""

ECHO = f"""
// Answers a byte with the byte ^ KEY. SLOW takes a while, FINISH ends it all, BREAK is 15 zeros long.
module spec2_serial(input clk, input rst, input uart_rx, output uart_tx);
  reg [9:0] in;
  reg [15:0] out = 16'hffff;
  reg [7:0] waiting;
  reg [7:0] in_phase, out_phase;
  reg [3:0] in_bits = 0, out_bits = 0;
  reg [31:0] delay = 0;
  reg have = 0;
  assign uart_tx = out[0];
  always @(posedge clk) begin
    if (in_bits == 0) begin
      if (!uart_rx) begin in_bits <= 10; in_phase <= BIT / 2 - 1; end
    end else if (in_phase != 0) in_phase <= in_phase - 1;
    else begin
      in <= {{uart_rx, in[9:1]}};
      in_bits <= in_bits - 1;
      in_phase <= BIT - 1;
      if (in_bits == 1) begin
        waiting <= in[9:2];
        have <= 1;
        delay <= in[9:2] == {SLOW} ? {THINKING} : 0;
        if (in[9:2] == {FINISH}) $finish;
      end
    end
    if (delay != 0) delay <= delay - 1;
    if (out_bits != 0) begin
      if (out_phase != 0) out_phase <= out_phase - 1;
      else begin out <= {{1'b1, out[15:1]}}; out_bits <= out_bits - 1; out_phase <= BIT - 1; end
    end
    if (have && delay == 0 && (out_bits == 0 || out_bits == 1 && out_phase == 0)) begin
      out <= waiting == {BREAK} ? 16'h8000 : {{7'h7f, waiting ^ 8'd{KEY}, 1'b0}};
      out_bits <= waiting == {BREAK} ? 15 : 10;
      out_phase <= BIT - 1;
      have <= 0;
    end
    if (rst) begin in_bits <= 0; out_bits <= 0; out <= 16'hffff; have <= 0; end
  end
endmodule
"""


PLAIN = pytest.param((4, "echo"), id="plain")
SPACES = (7, "größer & $HOME's")
"""Clocks per bit, and the folder's name."""


@pytest.fixture(scope="module", params=[PLAIN, pytest.param(SPACES, id="spaces")])
def build(request, tmp_path_factory) -> VirtualBuild:
    """One of them lies where make cannot work, and so do the tools that made it."""
    clocks_per_bit, name = request.param
    folder = tmp_path_factory.mktemp("echo") / name
    folder.mkdir()
    verilog = {"echo.v": ECHO.replace("BIT", str(clocks_per_bit))}
    tool = find_verilator()
    tools = {key: tool.environment[key] for key in ("VERILATOR_ROOT", "PYTHON3") if key in tool.environment}
    for key, path in tools.items():
        (folder / key).symlink_to(path)
        tools[key] = str(folder / key)
    with pytest.MonkeyPatch.context() as patch:
        moved = replace(tool, environment={**tool.environment, **tools})
        patch.setattr(verilate, "find_verilator", lambda: moved)
        return build_serial(verilog, folder, folder / "sim_virtual", clocks_per_bit)


class Client:
    """What opens the terminal, and takes it as it is."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        os.close(self.file)

    def talk(self, data: bytes, seconds: float = 20) -> bytes:
        """Write ``data``, reading as it goes; everything that comes until there is an answer to each byte."""
        answer, end = b"", time.monotonic() + seconds
        want = len(data)
        while len(answer) < want and time.monotonic() < end:
            readable, writable, _ = select.select([self.file], [self.file] if data else [], [], 0.1)
            if writable:
                data = data[os.write(self.file, data[:1000]) :]
            if readable:
                answer += os.read(self.file, 4096)
        return answer


def flipped(data: bytes) -> bytes:
    return bytes(byte ^ KEY for byte in data)


def harmless(count: int, seed: int) -> bytes:
    """``count`` random bytes without the special ones, after one of each kind."""
    data = np.random.default_rng(seed).integers(0, 256, count + 256, dtype=np.uint8).tobytes()
    return (bytes(range(256)) + data).translate(None, SPECIAL)[:count]


def wait_until(condition, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def cpu_seconds(process: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_every_byte_arrives_and_is_answered(build) -> None:
    data = harmless(4000, seed=1)
    with VirtualBoard(build) as board, Client(board.path) as client:
        assert client.talk(data) == flipped(data)
    assert board.statistics["bytes_to_board"] == board.statistics["bytes_to_host"] == len(data)
    # Both directions back to back, at full rate: ten bits a byte, but for the start, the end and some gaps.
    clocks = 10 * build.clocks_per_bit * len(data)
    assert clocks < board.statistics["clocks"] < 1.5 * clocks + 50_000
    assert board.statistics["bytes_lost"] == board.statistics["framing_errors"] == 0


def test_clients_come_and_go(build) -> None:
    with VirtualBoard(build) as board:
        for number in range(4):
            data = harmless(500, seed=number)
            with Client(board.path) as client:
                assert client.talk(data) == flipped(data)
                os.write(client.file, b"nobody fetches the answer")
                assert wait_until(lambda: select.select([client.file], [], [], 0)[0])
            time.sleep(0.5)  # the board notices that the client has gone
        with Client(board.path) as first, Client(board.path) as second:
            assert first.talk(b"1") == flipped(b"1")
            assert second.talk(b"2") == flipped(b"2")


def test_clock_runs_while_an_answer_is_outstanding(build) -> None:
    with VirtualBoard(build) as board, Client(board.path) as client:
        assert client.talk(bytes([SLOW])) == flipped(bytes([SLOW]))
    assert THINKING < board.statistics["clocks"] < THINKING + 50_000


def test_clock_ends_when_nobody_waits(build, monkeypatch) -> None:
    monkeypatch.setattr(board_module, "PATIENCE", 10_000)
    with VirtualBoard(build) as board:
        with Client(board.path) as client:
            for _ in range(3):
                assert client.talk(bytes([SLOW]), seconds=0.3) == b""
        time.sleep(0.2)
    assert 3 * 10_000 < board.statistics["clocks"] < 3 * 10_000 + 5_000


def test_a_clock_is_no_faster_than_it_may_be(build) -> None:
    """Time that the board slept is not made up for: 300,000 clocks take as long after a pause."""
    hz = 400_000
    with VirtualBoard(build, most_hz=hz) as board, Client(board.path) as client:
        time.sleep(1)
        start = time.monotonic()
        assert client.talk(bytes([SLOW]), seconds=60) == flipped(bytes([SLOW]))
        assert time.monotonic() - start > 0.98 * THINKING / hz - 0.01
    assert 1 < board.statistics["clocks_per_second"] < 1.05 * hz


@pytest.mark.parametrize("hz", [-1, 10**9 + 1])
def test_a_rate_out_of_range_is_refused(build, hz) -> None:
    with pytest.raises(ConfigError, match=f"0 to 1,000,000,000 Hz, not {hz:,}"):
        VirtualBoard(build, most_hz=hz)


def test_board_sleeps_when_nothing_happens(build) -> None:
    def used(seconds: float = 1) -> float:
        time.sleep(0.3)
        before = cpu_seconds(board._process.pid)
        time.sleep(seconds)
        return cpu_seconds(board._process.pid) - before

    with VirtualBoard(build) as board:
        assert used() <= 0.05
        with Client(board.path) as client:
            assert client.talk(b"hello") == flipped(b"hello")
            assert used() <= 0.05
        assert used() <= 0.05
    assert board.statistics["seconds_asleep"] > 3


@pytest.mark.parametrize(
    "build", [PLAIN, pytest.param(SPACES, id="spaces", marks=pytest.mark.slow)], indirect=True
)
def test_client_that_does_not_read_loses_bytes_and_nothing_else(build) -> None:
    def answered() -> bool:
        with Client(board.path) as client:
            return client.talk(b"next", seconds=1) == flipped(b"next")

    with VirtualBoard(build) as board:
        with Client(board.path) as client:
            os.set_blocking(client.file, True)
            for _ in range(150):
                os.write(client.file, b"x" * 1000)
        assert wait_until(answered)
    assert board.statistics["bytes_lost"] > 10_000


def test_byte_without_stop_bit_is_dropped(build) -> None:
    with VirtualBoard(build) as board, Client(board.path) as client:
        assert client.talk(bytes([BREAK]), seconds=0.3) == b""
        assert client.talk(b"after") == flipped(b"after")
    assert board.statistics["framing_errors"] == 1


# --- starting and ending ------------------------------------------------------------------------------


def test_link_lasts_as_long_as_the_board(build, tmp_path) -> None:
    link = tmp_path / "port"
    link.symlink_to("/dev/pts/none")  # left by a board that was killed
    with VirtualBoard(build, link=link) as board:
        assert os.readlink(link) == board.path
        with Client(str(link)) as client:
            assert client.talk(b"by name") == flipped(b"by name")
        with pytest.raises(ConfigError, match=r"leads to /dev/pts/\d+ already: stop the board"):
            VirtualBoard(build, link=link).__enter__()
    assert not os.path.lexists(link)
    assert not list(build.executable.parent.glob("run-*"))


def test_a_link_left_by_a_killed_board_leads_nobody_astray(build, tmp_path) -> None:
    """Its terminal has long been given to somebody's shell, here to a listener that must hear nothing."""
    link = tmp_path / "port"
    master, slave = os.openpty()
    with pytest.raises(ToolFailed, match="ended with code -9"), VirtualBoard(build, link=link) as board:
        assert virtual_port.alive(link) and not virtual_port.abandoned(link)
        board._process.kill()
    link.unlink()
    link.symlink_to(os.ttyname(slave))
    assert not virtual_port.alive(link) and virtual_port.abandoned(link)
    with pytest.raises(LinkError, match="was left by a virtual board that runs no more: start it"):
        open_serial(str(link), 3_000_000)
    assert select.select([master], [], [], 0)[0] == []
    with VirtualBoard(build, link=link) as board, Client(str(link)) as client:
        assert virtual_port.alive(link) and os.readlink(link) == board.path
        assert client.talk(b"new") == flipped(b"new")
        link.unlink()
        link.symlink_to(os.ttyname(slave))  # as /dev/pts/N means another terminal in another container
        assert not virtual_port.alive(link)
    assert not list(build.executable.parent.glob("run-*")), "what the killed one left has gone"
    os.close(master)
    os.close(slave)


def test_link_replaces_nothing_else(build, tmp_path) -> None:
    precious = tmp_path / "file"
    precious.write_text("precious")
    with pytest.raises(ConfigError, match="a file is there: choose another name"):
        VirtualBoard(build, link=precious).__enter__()
    (tmp_path / "mine").symlink_to(precious)
    with pytest.raises(ConfigError, match=r"leads to .*file already, no board's port: remove it, or"):
        VirtualBoard(build, link=tmp_path / "mine").__enter__()
    with pytest.raises(ConfigError, match="there is no folder"):
        VirtualBoard(build, link=tmp_path / "nowhere" / "port").__enter__()
    done = subprocess.run(
        [build.executable, "--clocks-per-bit", "4", "--link", precious], capture_output=True
    )
    assert done.returncode == 1 and b"is no symbolic link" in done.stderr
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly(build, tmp_path, number) -> None:
    link = tmp_path / "port"
    command = [build.executable, "--clocks-per-bit", str(build.clocks_per_bit), "--link", link]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"/dev/")
    process.send_signal(number)
    out, statistics = process.communicate(timeout=5)
    assert process.returncode == 0 and out == b"" and b'"clocks": ' in statistics
    assert not os.path.lexists(link)


def test_statistics_are_written_now_and_then(build, tmp_path) -> None:
    file = tmp_path / "statistics.json"
    command = [build.executable, "--clocks-per-bit", "4", "--stats", file, "--stats-period", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        assert wait_until(file.exists)
        assert json.loads(file.read_text())["clocks"] > 1000
        process.terminate()


def test_board_ends_with_its_parent(build, tmp_path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from sim.virtual.board import *\n"
        f"build = VirtualBuild(Path({str(build.design_dir)!r}), Path({str(build.executable)!r}), 4)\n"
        f"with VirtualBoard(build, link={str(tmp_path / 'port')!r}) as board:\n"
        "    print(board._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE) as parent:
        board = int(parent.stdout.readline())
        assert os.path.lexists(tmp_path / "port")
        parent.kill()
    assert wait_until(lambda: not os.path.lexists(tmp_path / "port"))
    assert wait_until(lambda: not Path(f"/proc/{board}/exe").exists())


def test_run_board_ends_with_control_c(build) -> None:
    def ready(board: VirtualBoard) -> None:
        with Client(board.path) as client:
            assert client.talk(b"hi") == flipped(b"hi")
        raise KeyboardInterrupt

    assert run_board(build, ready=ready)["bytes_to_host"] == 2


# --- failures -----------------------------------------------------------------------------------------


def test_crash_names_the_log(build) -> None:
    with pytest.raises(ToolFailed, match=r"the virtual board ended with code -11: see .*board\.log"):
        with VirtualBoard(build) as board:
            board.check()
            os.kill(board._process.pid, signal.SIGSEGV)
            with pytest.raises(ToolFailed, match="ended with code -11"):
                board.wait()
            raise RuntimeError("what a client sees of it is not the cause")


def test_design_that_ends_the_simulation_is_a_failure(build) -> None:
    with pytest.raises(ToolFailed, match="ended with code 1") as caught:
        with VirtualBoard(build) as board, Client(board.path) as client:
            os.write(client.file, bytes([FINISH]))
            board.wait()
    assert "the design ended the simulation" in Path(str(caught.value).split("see ")[1]).read_text()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo last words >&2; exit 3", "ended with code 3"),
        ("echo last words >&2; kill -SEGV $$", "ended with code -11"),
        ("echo last words >&2; exec sleep 60", "did not start within 1 seconds"),
    ],
)
def test_program_that_does_not_start_names_its_log(tmp_path, monkeypatch, script, message) -> None:
    monkeypatch.setattr(board_module, "START_SECONDS", 1)
    program = tmp_path / "simulator"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(ToolFailed, match=message) as caught:
        VirtualBoard(VirtualBuild(tmp_path, program, 4)).__enter__()
    assert "last words" in Path(str(caught.value).split("see ")[1]).read_text()
