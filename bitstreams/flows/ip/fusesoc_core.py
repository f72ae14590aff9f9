"""The IP as a core of FuseSoC (CAPI2), with a target that runs its testbench."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bitstreams.flows.ip.component import LIBRARY, VENDOR, VERSION
from hw.contract.design import DesignInfo


def fusesoc_core(
    info: DesignInfo, verilog: Sequence[str], images: Sequence[str], testbench: str, data: Sequence[str]
) -> str:
    """The core file: ``verilog`` of the IP, ``images`` of its memories, the ``testbench`` with the ``data``
    that it reads. Data are copied to where a simulator runs, which looks for them there."""
    return "\n".join(
        [
            "CAPI=2:",
            f"name: {VENDOR}:{LIBRARY}:{info.top}:{VERSION}",
            f"description: spec2 accelerator of network {info.network.name}",
            "filesets:",
            "  rtl:",
            *_files(verilog),
            "    file_type: verilogSource",
            *(["  images:", *_data(images)] if images else []),
            "  testbench:",
            *_files([testbench]),
            "    file_type: verilogSource",
            "  testbench_data:",
            *_data(data),
            "targets:",
            "  default:",
            f"    filesets: [rtl{', images' if images else ''}]",
            f"    toplevel: {verilog[-1].removesuffix('.v')}",
            "  sim:",
            f"    filesets: [rtl{', images' if images else ''}, testbench, testbench_data]",
            "    flow: sim",
            "    flow_options:",
            "      tool: icarus",
            f"    toplevel: {testbench.removesuffix('.v')}",
            "",
        ]
    )


def _files(names: Iterable[str]) -> list[str]:
    return ["    files:", *(f"      - {name}" for name in names)]


def _data(names: Iterable[str]) -> list[str]:
    return ["    files:", *(f"      - {name}: {{copyto: {name}}}" for name in names), "    file_type: user"]
