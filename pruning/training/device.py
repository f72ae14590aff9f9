"""Where training computes: the processor, or an accelerator that torch knows."""

from __future__ import annotations

import torch

from hw.util.documents import said, shown
from hw.util.errors import ConfigError
from pruning.training.distributed import World

CPU = torch.device("cpu")


def device_of(name: str, world: World) -> torch.device:
    """The device that torch calls ``name``: ``cpu``, ``cuda``, ``cuda:1``.

    Raises ``ConfigError`` for one that is not there, and for any but the processor where several processes
    share the job: they talk by a way that knows no other.
    """
    try:
        found = torch.device(name)
        float(torch.zeros(1, device=found))  # is it there, and does it give numbers back?
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"torch cannot compute on the device {shown(name)} ({said(error)}): leave --device out to "
            "use the processor"
        ) from None
    if world.size > 1 and found.type != "cpu":
        raise ConfigError(f"several processes share a job on processors only, not on {name}: start one")
    return found
