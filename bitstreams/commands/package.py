"""``spec2 package``: in ``bitstreams``, after the integer model, whose results a testbench needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hw.commands.console import emit, progress
from hw.commands.models import DESIGN, MODEL, located
from hw.commands.options import Design, Json, Seed
from hw.util import quote
from hw.util.errors import ConfigError
from hw.util.tables import table

IP = "ip"
"""Of the folder beside a design, unless told otherwise."""


def package(
    design: Design,
    image: Annotated[
        Path | None,
        typer.Option(
            help="The image of the testbench: a picture, or the first one of an array (.npz, .npy), as "
            "spec2 classify takes them. [default: random pixels]"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"The IP's folder. [default: '{IP}' beside DESIGN]")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Make an IP of a design: a folder that designs of your own take the accelerator from.

    In it are the Verilog with a wrapper (active low reset, interfaces that Vivado knows), component.xml for
    Vivado's IP catalogue, a core of FuseSoC, a module for LiteX, the registers as a C header and in
    SystemRDL, a testbench of one image that any simulator runs, and a README. docs/integration.md says how
    to connect it.
    Give the design a name of its own first (generate --name): modules and files begin with it, so that
    several accelerators fit into one design.

    **Examples**

        spec2 package build/digits/design
        spec2 package build/digits/design --image seven.png --out ips/digits
    """
    import numpy as np

    from bitstreams.classify.images import read
    from bitstreams.flows import ip
    from hw.contract.artifact import load
    from sim import model
    from sim.report.design_figures import design_of

    folder = located(design, DESIGN)
    artifact = load(folder / MODEL)
    info = design_of(artifact.digest, folder)
    shape = info.network.input
    if image is None:
        pixels = np.random.default_rng(seed).integers(0, 256, (1, *shape), np.uint8)
    else:
        pixels = read([image], shape).images[:1]
    target = out or folder.parent / IP
    if target.resolve() == folder.resolve():
        raise ConfigError(f"{target} is the design itself: name another folder")
    with progress("packaging") as show:
        show(None, None, "the integer model")
        results = model.run(artifact, pixels)[0]
        show(None, None, "the files")
        made = ip.package(folder, target, pixels[0], results)
    data = {"ip": str(made.folder), "top": made.top, "wrapper": made.wrapper, "files": list(made.files)}
    emit(
        as_json,
        data,
        f"Wrote the IP to {quote.markdown(str(made.folder))}: instantiate {quote.code(made.wrapper)}. Its "
        "README says what each file is, and how to run the testbench.",
        table(["file", "bytes"], [(name, (made.folder / name).stat().st_size) for name in made.files]),
    )
