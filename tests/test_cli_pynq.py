"""The commands on a Zynq, with PYNQ's API played: from the build's folder to scores, and mistakes in a
sentence."""

import json
import sys

import numpy as np
import pytest

from bitstreams.deploy.programming import SYNC
from bitstreams.plans import manifest
from bitstreams.plans.manifest import Manifest
from hw.host_interface.registers import DIGEST
from tests.bitstreams.pynq_board import Pynq, ZynqBoard
from tests.bitstreams.serial_wire import ARTIFACT, IMAGES, INFO, SCORES


@pytest.fixture
def zynq(tmp_path, monkeypatch):
    """What 'spec2 build' leaves beside the design, and the module ``pynq`` of the board it is for."""
    folder = tmp_path / "net" / "design"
    INFO.save(folder)
    ARTIFACT.save(folder / "model.npz")
    built = tmp_path / "net" / "pynq_z2"
    built.mkdir()
    (built / "spec2.bit").write_bytes(b"\xff" * 16 + SYNC)
    (built / "spec2.hwh").write_text("<EDKSYSTEM/>")
    made = Manifest("pynq_z2", "xc7z020clg400-1", "vivado", 100e6, 0, INFO.digest, "0" * 64, transport="zynq")
    (built / manifest.FILE_NAME).write_text(made.to_text())
    module = Pynq(ZynqBoard())
    module.design, module.built = folder, built
    monkeypatch.setitem(sys.modules, "pynq", module)
    return module


def test_deploy_loads_through_the_link_and_asks_the_accelerator(run, zynq, programs):
    arguments = programs("openFPGALoader")
    for options in ([], ["--board", "PYNQ-Z2"], ["--link", "pynq:elsewhere.bit"]):
        result = run("deploy", zynq.built, "--link", "pynq", *options, "--json")
        assert result.code == 0, result.err
        data = json.loads(result.out)
        assert (data["board"], data["digest"], data["program"]) == ("pynq_z2", INFO.digest, "")
    assert zynq.loaded == [str(zynq.built / "spec2.bit")] * 3, "what is deployed, whatever the link names"
    with pytest.raises(FileNotFoundError):
        arguments()  # no programmer ran


def test_classify_gives_the_models_scores(run, zynq, tmp_path):
    np.savez(tmp_path / "images.npz", image=IMAGES, label=SCORES.argmax(axis=1))
    result = run(
        *("classify", tmp_path / "images.npz", "--design", zynq.design, "--verify", "--logits", "--json"),
        *("--link", f"pynq:{zynq.built}"),
    )
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert [image["scores"] for image in data["images"]] == SCORES.tolist() and data["mismatch"] is None
    assert data["correct"] == len(IMAGES) and not zynq.board.touched and not zynq.board.stray


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (
            ["--link", "uart:/dev/ttyUSB1"],
            "the pynq_z2 is not loaded over JTAG, its processor does it: use --link pynq",
        ),
        (
            ["--link", "pynq", "--flash"],
            "has no flash of the logic's own, its processor loads it: leave --flash out",
        ),
        (["--link", "pynq", "--board", "kv260"], "is for the pynq_z2, not for the kv260"),
    ],
)
def test_deploy_refuses_before_it_loads(run, zynq, programs, options, names):
    programs("openFPGALoader")
    assert names in run("deploy", zynq.built, *options).sentence
    assert not zynq.loaded


def test_a_board_without_a_processor_is_not_loaded_by_pynq(run, zynq, programs):
    programs("openFPGALoader")
    made = Manifest("vc709", "xc7vx690tffg1761-2", "vivado", 200e6, 0, INFO.digest, "0" * 64)
    (zynq.built / manifest.FILE_NAME).write_text(made.to_text())
    refused = run("deploy", zynq.built, "--link", "pynq")
    assert "the vc709 has no processor that loads its bitstream: use --link uart or xdma" in refused.sentence
    assert not zynq.loaded


def test_another_accelerator_and_a_missing_pynq_are_sentences(run, zynq, monkeypatch):
    zynq.board.accelerator.words[DIGEST.address(0)] ^= 1
    assert "the accelerator was generated from" in run("deploy", zynq.built, "--link", "pynq").sentence
    monkeypatch.setitem(sys.modules, "pynq", None)
    assert "PYNQ is not there" in run("deploy", zynq.built, "--link", "pynq").sentence
