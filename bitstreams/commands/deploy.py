"""``spec2 deploy``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hw.commands.console import emit, progress, scalars
from hw.commands.models import DESIGN, MODEL, located
from hw.commands.options import Baud, Json, LinkName
from hw.util.errors import ArtifactError, ConfigError
from hw.util.tables import table


class Programmer(StrEnum):
    """Programs that load a bitstream."""

    openfpgaloader = "openfpgaloader"
    vivado = "vivado"


def deploy(
    built: Annotated[Path, typer.Argument(help="The folder that 'spec2 build' wrote, or a bitstream.")],
    design: Annotated[Path | None, typer.Option(help="The design. [default: 'design' beside BUILT]")] = None,
    board: Annotated[str | None, typer.Option(help="The board. [default: the one it was built for]")] = None,
    link: LinkName = "uart:/dev/ttyUSB0",
    baud: Baud = None,
    programmer: Annotated[
        Programmer, typer.Option(help="Program that loads it.")
    ] = Programmer.openfpgaloader,
    cable: Annotated[
        str | None, typer.Option(help="Serial number of the JTAG adapter, or HOST:PORT.")
    ] = None,
    flash: Annotated[
        bool, typer.Option("--flash", help="Write it to flash, to start with the power.")
    ] = False,
    weights_only: Annotated[
        bool,
        typer.Option("--weights-only", help="The bitstream is in: load the weights of its design alone."),
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Another model for the same bitstream (model.npz, or zoo:NAME): a network of the same "
            "layers, where the design reads its weights from memory."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Load a bitstream into a board over JTAG, and check that the right accelerator answers.

    Beside a processor that runs PYNQ, --link pynq loads it: call this there.

    The digest of the weights is read back through the link; another one is refused. Weights that the design
    reads from the board's memories are written there, as far as they do not lie there yet, and proven by
    what the accelerator reads. With --model they are another model's: its design, with the same Verilog, is
    written beside the one of the bitstream, for 'spec2 classify --design'.

    **Examples**

        spec2 deploy build/lenet/vc709 --link uart:/dev/ttyUSB0
        spec2 deploy build/lenet/vcu118 --link xdma --programmer vivado
        spec2 deploy build/lenet/pynq_z2 --link pynq
        spec2 deploy build/vgg16/vcu118 --link xdma --weights-only
        spec2 deploy build/vgg16/vcu118 --link xdma --weights-only --model build/night/model.npz
    """
    import time
    from contextlib import ExitStack
    from dataclasses import asdict

    from bitstreams.boards import find
    from bitstreams.deploy import deployment, memories
    from bitstreams.deploy.programming import find_bitstream
    from bitstreams.links.opening import Address, kinds, open_link
    from bitstreams.links.running import run
    from hw.contract.design import DesignInfo
    from hw.host.driver import Driver
    from hw.host.weights import Loaded

    async def wait() -> None:
        time.sleep(1)

    bitstream = find_bitstream(built)  # before anything else of it is looked for
    folder = built.parent if built.is_file() else built
    made = _manifest(folder, needed=board is None)
    name = board or made["board"]
    rate = baud or made.get("baud") or find(name).baud
    described = located(design, DESIGN) if design else folder.parent / DESIGN
    address = Address.parse(link).real()
    if link_loads := kinds()[address.kind].loads:
        address = Address(address.kind, str(bitstream))
    if model:
        described = _of_another(located(model, MODEL), described)
    info = DesignInfo.load(described)
    at = memories.bases(made.get("memory", ()), info) if info.config.stream_weights else []
    if weights_only and not at:
        raise ConfigError("the design holds its weights, there are none to load: leave --weights-only out")

    async def load(driver: Driver, opened: Any) -> Loaded:
        source = described.parent if described.is_file() else described

        def shown(done: int, total: int, layer: str) -> None:
            show(done, total, f"weights of {layer}")

        return await memories.load_weights(driver, opened, source, at, progress=shown)

    with ExitStack() as stack, progress("deploying") as show:
        done = run(
            deployment.deploy(
                built,
                info,
                name,
                lambda: stack.enter_context(open_link(address, rate)),
                load=load if at else None,
                weights_only=weights_only,
                link_loads=link_loads,
                programmer=programmer.value,
                cable=cable,
                flash=flash,
                progress=lambda what: show(None, None, what),
                wait=wait,
            )
        )
    data = {**asdict(done), "bitstream": str(done.bitstream)}
    if model:
        data["design"] = str(described)
    if found := data.pop("weights"):
        data |= weights_shown(found, info.beat_bytes)
    emit(as_json, data, f"The {done.board} runs the design.", table(["what", "is"], scalars(data)))


def _of_another(model: Path, design: Path) -> Path:
    """The folder of a design of ``model`` on the accelerator of ``design``, written beside that one."""
    from hw.contract.artifact import load
    from hw.generate import generate_onto
    from hw.util.processes import processors

    folder = design.parent if design.is_file() else design
    artifact = load(model)
    out = folder.with_name(f"{folder.name}_{artifact.digest[:8]}")
    with progress("weights of another model") as show:
        generate_onto(
            artifact, folder, out, processes=processors(), progress=lambda what: show(None, None, what)
        )
    return out


def weights_shown(found: dict[str, Any], beat_bytes: int) -> dict[str, Any]:
    """What is told of :class:`hw.host.weights.Loaded`: bytes of a clock are those of memory's reads."""
    return {
        "weights_loaded": ", ".join(found["parts"]) or "all were there",
        "weights_bytes": found["bytes"],
        "weights_seconds": round(found["seconds"], 3),
        "memory_bytes_per_clock": round(found["beats"] * beat_bytes / found["clocks"], 2),
    }


def _manifest(folder: Path, *, needed: bool) -> dict[str, Any]:
    """The manifest of a build as plain data; empty when there is none and none is needed."""
    from bitstreams.plans.manifest import Manifest

    try:
        return Manifest.load(folder).to_json()
    except ArtifactError:
        if needed:
            raise
        return {}
