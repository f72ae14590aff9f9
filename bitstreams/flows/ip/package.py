"""The folder of an IP, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitstreams.flows.ip import component, readme, wrapper
from bitstreams.flows.ip.c_header import c_header
from bitstreams.flows.ip.component import View
from bitstreams.flows.ip.fusesoc_core import fusesoc_core
from bitstreams.flows.ip.litex_module import SUFFIX as LITEX
from bitstreams.flows.ip.litex_module import litex_module
from bitstreams.flows.ip.system_rdl import system_rdl
from bitstreams.flows.ip.testbench import testbench
from hw.contract.design import FILE_NAME, DesignInfo
from hw.util.errors import ArtifactError, Spec2Error
from hw.util.files import together

README = "README.md"

_SETTINGS = """# What Vivado asks for when the IP is added to a design: its name there.
proc init_gui { IPINST } {
  ipgui::add_param $IPINST -name "Component_Name"
}
"""


@dataclass(frozen=True)
class Package:
    """A written IP. top: of its Verilog; wrapper: module that others instantiate; files: names in its
    folder."""

    folder: Path
    top: str
    wrapper: str
    files: tuple[str, ...]


def package(
    design: Path | str, out_dir: Path | str, image: NDArray[np.uint8], results: NDArray[np.integer]
) -> Package:
    """Write the IP of the design in folder ``design`` into ``out_dir``.

    image (c, h, w) and ``results``, what the integer model makes of it, (classes,) or (c, h, w), are for
    the testbench. Raises ``ArtifactError`` without a complete design, for a folder that holds something else
    than an IP, and one that cannot be written; ``ConfigError`` for a design with ports that no wrapper
    connects.
    """
    folder, out = Path(design), Path(out_dir)
    info = DesignInfo.load(folder)
    held = info.read(folder)
    files = contents(info, held, image, results)
    stale = _stale(out)
    with together(out, stale) as part:
        for name, content in files.items():
            (part / name).write_bytes(content)
        info.save(part)
    return Package(out, info.top, wrapper.name_of(info), (*files, FILE_NAME))


def contents(
    info: DesignInfo, held: Mapping[str, bytes], image: NDArray[np.uint8], results: NDArray[np.integer]
) -> dict[str, bytes]:
    """Every file of the IP by name, but ``design.json``; held: the design's own."""
    weights = {name: len(held[name]) for name in info.weight_files}
    images = tuple(name for name in held if name not in weights and name != info.verilog)
    module = wrapper.name_of(info)
    verilog = (info.verilog, f"{module}.v")
    settings = f"{info.top}_settings.tcl"
    tested = testbench(info, weights, image, results)
    code, *data = tested
    used = (*verilog, *images)
    views = [
        View("xilinx_anylanguagesynthesis", ":vivado.xilinx.com:synthesis", module, used),
        View("xilinx_anylanguagebehavioralsimulation", ":vivado.xilinx.com:simulation", module, used),
        View("xilinx_xpgui", ":vivado.xilinx.com:xgui.ui", "", (settings,)),
    ]
    texts = {
        f"{module}.v": wrapper.wrapper(info),
        component.FILE_NAME: component.component(info, views),
        settings: _SETTINGS,
        f"{info.top}.h": c_header(info, max(weights.values(), default=0)),
        f"{info.top}.rdl": system_rdl(info),
        f"{info.top}.core": fusesoc_core(info, verilog, images, code, [*data, *weights]),
        f"{info.top}{LITEX}": litex_module(info, verilog, images),
        README: readme.readme(info, images, weights),
    }
    return {**held, **tested, **{name: text.encode() for name, text in texts.items()}}


def _stale(out: Path) -> list[str]:
    """What an IP that lies in ``out`` consists of. Raises ``ArtifactError`` where something else lies."""
    if not out.is_dir() or not any(out.iterdir()):
        return []
    try:
        if not (out / component.FILE_NAME).exists():
            raise ArtifactError("a design is no IP")
        info = DesignInfo.load(out)
    except Spec2Error:
        raise ArtifactError(
            f"{out} holds files and is no IP of spec2, which could be written anew: name another folder"
        ) from None
    names = [
        "_ip.v",
        "_tb.v",
        "_tb_image.hex",
        "_tb_result.hex",
        "_settings.tcl",
        ".h",
        ".rdl",
        ".core",
        LITEX,
    ]
    return [*info.files, *(f"{info.top}{name}" for name in names)]
