"""The configuration that a subcommand's options describe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw.contract.config import AcceleratorConfig


def configure(
    path: Path | None = None,
    rows: int | None = None,
    lanes: int | None = None,
    batch: int | None = None,
    stream: bool | None = None,
    memory_lines: int | None = None,
    bus_bits: int | None = None,
    memories: int | None = None,
    products: str | None = None,
    stream_bits: int | None = None,
    *,
    usual: AcceleratorConfig | None = None,
) -> AcceleratorConfig:
    """What the file says, but for the options that were given; without a file what is ``usual``."""
    from dataclasses import asdict

    from hw.contract.config import AcceleratorConfig, load_config

    options = {
        "rows": rows,
        "lanes": lanes,
        "batch": batch,
        "stream_weights": stream,
        "memory_lines": memory_lines,
        "bus_bits": bus_bits,
        "memories": memories,
        "products": products,
        "stream_bits": stream_bits,
    }
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    base = load_config(path) if path else asdict(usual or AcceleratorConfig())
    return AcceleratorConfig(**{**base, **given})
