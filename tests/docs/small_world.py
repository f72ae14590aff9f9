"""What the pages take for granted, in small: models, designs, images, boards, tools that take hours.

Command lines stay as they stand on a page, but for :data:`SMALLER`. Networks that a page trained or that
fill a large board are LeNet here; trainings take an epoch of each phase on some images of noise; a board at
any address is a virtual one, which runs the Verilog of the design; a bitstream is a file without a device.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import uvicorn
from PIL import Image

from bitstreams import build as builder
from bitstreams.commands.board_link import loading, virtual_boards
from bitstreams.deploy import memories
from bitstreams.deploy.programming import SYNC
from bitstreams.links import opening, serial_client, xdma
from bitstreams.links.running import run as drive
from bitstreams.plans.plan import Plan
from bitstreams.plans.request import BuildRequest, BuildResult
from hw.commands.models import DESIGN, located
from hw.contract import zoo
from hw.contract.artifact import load, random_artifact
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from hw.host.driver import Driver
from pruning import data
from pruning.data import cifar10
from pruning.training import recipe
from sim.virtual import board as virtual_board
from sim.virtual.memory import STRIDE

SMALLER = {
    "zoo:vgg16-cifar-half-2:8": "zoo:cifar-small-2:8",
    "--layer conv5_3": "--layer conv3",
    "zoo:cifar-small-2:8 few.npz": "zoo:lenet-2:8 few.npz",
    "prune vgg16 --untrained": "prune lenet --untrained --out build/vgg16",
    "prune resnet18 --untrained": "prune lenet --untrained --out build/resnet18",
    "--rows 64 --lanes 30": "--rows 8 --lanes 4",
    "--first 100": "--first 8",
    "--first 64": "--first 8",
    "--images 16": "--images 4",
    "--count 1000": "--count 20",
    "explore vgg16 --board": "explore vgg16 --lanes 8 --board",
    "spec2 robustness": "spec2 robustness --count 20 --steps 3",
}
"""Another one of its kind for what takes hours."""

MODELS = {
    "lenet-2:8": (
        "lenet",
        "results/adaptive",
        "vgg",
        "vgg16",
        "vgg16-cifar",
        "resnet18",
        "night",
        "mine",
        "sweep/a",
    ),
    "lenet-1:8": ("sweep/b",),
}
"""Folders of ``build`` that hold a model, by what it is here."""

HELD = ("--rows", "8", "--lanes", "4", "--batch", "4")
STREAMED = (*HELD, "--stream-weights", "--bus-bits", "64", "--memories", "2", "--stream-bits", "64")
DESIGNS = {
    "lenet": HELD,
    "results/adaptive": HELD,
    "vgg": STREAMED,
    "vgg16": STREAMED,
    "vgg16-cifar": (*STREAMED, "--memories", "1"),  # what a KC705 has
}
"""Folders of ``build`` that hold a design as well."""

SWEEP = 'recipe = "quick.toml"\nseeds = [0, 1]\n\n[grid]\nsparsity = ["adaptive-2:8", "block"]\n'
PATIENCE = 10.0
"""Seconds that boards may take beyond what real ones do: these are compiled in a hurry, and simulated on a
machine that does other things, too."""

TRAINING, TESTS = 120, 40
"""Images of a data set."""


def make(folder: Path, call: Callable[..., Any]) -> None:
    """Write the world into ``folder``; ``call`` runs a command line there."""
    for name, folders in MODELS.items():
        made = zoo.unpack(zoo.find(name), folder / "zoo")
        for built in folders:
            shutil.copytree(made, folder / "build" / built)
    random_artifact(tiny(), seed=1).save(folder / "build" / "tiny" / "model.npz")
    night = load(folder / "build" / "night" / "model.npz")
    last = replace(night.layers["fc2"], bias=night.layers["fc2"].bias + np.int32(1))
    night = replace(night, layers={**night.layers, "fc2": last})  # the same words, another digest
    night.save(folder / "build" / "night" / "model.npz")
    made_for: dict[tuple[str, ...], Path] = {}  # all have the same model
    for name, options in DESIGNS.items():
        if design := made_for.get(options):
            shutil.copytree(design, folder / "build" / name / DESIGN)
        else:
            assert call("generate", f"build/{name}/model.npz", *options).code == 0
            made_for[options] = folder / "build" / name / DESIGN
    (folder / "DIR").mkdir()
    noise = np.random.default_rng(1)
    for name, classes in (("mnist", 10), ("pneumonia", 2)):
        for part, count in (("train", TRAINING), ("test", TESTS)):
            labels = noise.permutation(np.arange(count) % classes).astype(np.uint8)
            pixels = noise.integers(0, 256, (count, 28, 28), np.uint8)
            np.savez(folder / "DIR" / f"{name}_{part}.npz", image=pixels, label=labels)
    (folder / "DIR" / cifar10.BINARY).mkdir()
    for name in (*cifar10.TRAIN_FILES, *cifar10.TEST_FILES):
        records = noise.integers(0, 256, (TESTS, cifar10.RECORD), np.uint8)
        records[:, 0] = noise.permutation(TESTS) % cifar10.CLASSES
        (folder / "DIR" / cifar10.BINARY / name).write_bytes(records.tobytes())
    digits = data.load("mnist")
    for name, images, labels in (
        ("few.npz", digits.train_images[::160], digits.train_labels[::160]),
        ("more.npz", digits.test_images[::50], digits.test_labels[::50]),
        ("mine.npz", digits.test_images[::50], digits.test_labels[::50]),
        ("digits.npz", digits.test_images[:4], digits.test_labels[:4]),
    ):
        np.savez(folder / name, image=images, label=labels)
    (folder / "photos").mkdir()
    for i, name in enumerate(("three.png", "seven.png", "photos/a.png", "photos/b.png")):
        Image.fromarray(digits.test_images[i, 0]).save(folder / name)
    (folder / "sweep.toml").write_text(SWEEP)
    (folder / "recipes").mkdir()
    for path in recipe.FOLDER.glob("*.toml"):
        (folder / "recipes" / path.name).write_text(_short(path.read_text()))
    shutil.copy(folder / "recipes" / "lenet.toml", folder / "quick.toml")
    (folder / "bin").mkdir()
    for name in ("openFPGALoader", "vivado"):
        program = folder / "bin" / name
        program.write_text("#!/bin/sh\necho v1.1.1\n")
        program.chmod(0o755)


def _short(text: str) -> str:
    """A recipe with an epoch of every phase."""
    text = re.sub(r"^\[epochs.*?(?=^\[(?!epochs)|\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
    return text + "\n[epochs]\ndense = 1\npruning = 1\nfinetune = 1\nmirror = 1\n"


class World:
    """Where a reader types. ``call`` runs a command line and returns its result; ``design`` is the folder of
    the design that the boards of the moment run; ``stocked``: whether their memories hold its weights."""

    def __init__(self, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.call, self.design, self.stocked = call, Path(), False
        monkeypatch.setenv("PATH", f"{Path('bin').resolve()}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("SPEC2_DATA_DIR", str(Path("DIR").resolve()))
        monkeypatch.setattr(recipe, "FOLDER", Path("recipes").resolve())
        monkeypatch.setattr(builder, "_RUN", dict.fromkeys(builder.TOOLCHAINS, built))
        monkeypatch.setattr(opening, "open_link", self.board)
        monkeypatch.setattr(memories, "bases", lambda rows, info: [STRIDE * i for i in range(len(rows))])
        monkeypatch.setattr(virtual_board, "run_board", shortly(virtual_board.run_board))
        monkeypatch.setattr(uvicorn.Server, "run", answer)
        for module in (serial_client, xdma):
            monkeypatch.setattr(module, "SLACK", PATIENCE)
        monkeypatch.setattr(xdma, "SYNC_SECONDS", PATIENCE)
        torch.set_num_threads(1)  # several, of small networks, wait for each other where others use the cores

    def type(self, line: str) -> Any:
        """Run a line of a page."""
        for large, small in SMALLER.items():
            line = line.replace(large, small)
        words = [found for word in shlex.split(line)[1:] for found in sorted(glob.glob(word)) or [word]]
        self.design, self.stocked = located(Path(self.of(words)), DESIGN), words[0] == "serve"
        if words[0] == "deploy" and not Path(words[1]).is_dir():  # a plan that somebody unpacked and built
            shutil.copytree(Path(words[1]).parent / "vc709", words[1])
        return self.call(*words)

    @staticmethod
    def of(words: Sequence[str]) -> str:
        """The design of a command."""
        if words[0] == "deploy":
            return str(Path(words[1]).parent)
        if words[0] in ("serve", "features"):
            return words[1]
        return words[words.index("--design") + 1] if "--design" in words else "build/lenet"

    @contextmanager
    def board(self, address: opening.Address, baud: int) -> Iterator[Any]:
        """The stand-in of a board: a virtual one, with the weights that somebody has loaded into a board that
        is served."""
        with virtual_boards(self.design, 1) as (opened,), opened() as link:
            if self.stocked:
                drive(stock(link, self.design))
            yield link


async def stock(link: Any, design: Path) -> None:
    """Load the weights of ``design`` into a board's memories, if that is where they are read."""
    info = DesignInfo.load(design)
    if prepare := loading(opening.VIRTUAL, design, info, link):
        driver = Driver(link, info)
        await driver.connect()
        await prepare(driver)


def built(plan: Plan, request: BuildRequest) -> BuildResult:
    """In place of Vivado, or of the open tools."""
    for name in plan.products:
        (request.folder / name).write_bytes(b"\xff" * 16 + SYNC)
    return BuildResult(True, 0.1, None, {}, {}, 0)


def shortly(run_board: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with Ctrl-C as soon as the board is there."""

    def run(*given: Any, ready: Callable[[Any], None], **named: Any) -> Any:
        def running(board: Any) -> None:
            ready(board)
            raise KeyboardInterrupt

        return run_board(*given, ready=running, **named)

    return run


def answer(server: uvicorn.Server, sockets: list[Any]) -> None:
    """In place of :meth:`uvicorn.Server.run`: until it has answered that it is ready."""

    said: list[int] = []

    def ask() -> None:
        url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/v2/health/ready"
        until = time.monotonic() + 600  # boards open their links meanwhile, which builds a simulator here
        while not said and time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(url, timeout=60) as answer:
                said.append(answer.status)
            time.sleep(0.2)
        server.should_exit = True

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    run_server(server, sockets)
    asking.join()
    assert said == [200]


run_server = uvicorn.Server.run
