"""What ``spec2 prune --untrained`` does."""

from __future__ import annotations

from pathlib import Path

from hw.commands.console import progress, requires
from hw.errors import ConfigError


def prune_untrained(
    network: str,
    out: Path,
    sparsity: str = "adaptive",
    block: int = 8,
    weight_bits: int = 8,
    layer_bits: dict[str, int] | None = None,
    seed: int = 0,
    optimiser: str | None = None,
) -> None:
    """An artifact with the masks of one projection: sparse like a trained network, good for nothing else."""
    from hw import networks

    if optimiser is not None:
        raise ConfigError("--untrained prunes by one projection: leave --optimiser out")
    found = networks.find(network)
    with requires("torch"), progress("projecting and quantising"):
        from pruning.kinds import fully_connected, parse
        from pruning.synthetic import synthetic

        made = synthetic(
            found,
            parse(sparsity, block),
            fully_connected=fully_connected(sparsity, block),
            seed=seed,
            weight_bits=weight_bits,
            layer_bits=layer_bits or {},
        )
        made.save(out / "model.npz")
