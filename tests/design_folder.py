"""Design folders without a generator: a description, and whatever files a test puts beside it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hw.contract.design import DesignInfo
from hw.contract.design_files import describe


def save_design(folder: Path, info: DesignInfo, files: Mapping[str, str | bytes]) -> DesignInfo:
    """Write ``files`` (contents by name, the Verilog first) into ``folder``, and ``info`` that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    whole = replace(info, files=describe(folder, files))
    whole.save(folder)
    return whole


def seal(folder: Path) -> None:
    """Describe the files in ``folder`` as they are now: for faults that only the results shall tell."""
    info = DesignInfo.load(folder)
    replace(info, files=describe(folder, info.files)).save(folder)
