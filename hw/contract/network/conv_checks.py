"""What a convolution of the accelerator may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw.contract.network.limits import MAX_KERNEL, MOST, check_activation
from hw.contract.spectrum import TILE
from hw.util.errors import UnsupportedNetwork

if TYPE_CHECKING:
    from hw.contract.network.conv import Conv


def check(layer: Conv) -> None:
    """Raises ``UnsupportedNetwork`` for what cannot be run, with what can."""
    if layer.pointwise and layer.kernel != 1:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: a pointwise convolution has a kernel of 1×1, not "
            f"{layer.kernel}×{layer.kernel}"
        )
    if not 1 <= layer.kernel <= MAX_KERNEL + layer.average:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: kernel {layer.kernel}×{layer.kernel} is not supported, an 8×8 "
            f"tile takes kernels of 1×1 to {MAX_KERNEL}×{MAX_KERNEL}: split it into smaller ones"
        )
    if layer.pool not in (1, 2) or layer.window not in (layer.pool, 3):
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: pooling {layer.window}×{layer.window} with stride {layer.pool} is not "
            "supported, only 2×2 with stride 2 and 3×3 with stride 1 or 2"
        )
    if not (0 <= layer.pool_padding < layer.window and 0 <= layer.pool_after < layer.window):
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: pooling of {layer.window}×{layer.window} reaches beyond the map by "
            f"at most {layer.window - 1}, not {max(layer.pool_padding, layer.pool_after)}"
        )
    if layer.stride not in (1, 2):
        raise UnsupportedNetwork(f"layer {layer.name!r}: stride must be 1 or 2, not {layer.stride}")
    if layer.stride > 1 and layer.window > 1:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: stride 2 and pooling in one layer are not supported: put a layer between"
        )
    if layer.tile_outputs < 1:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: pooling of {layer.window}×{layer.window} pixels does not fit beside a "
            f"{layer.kernel}×{layer.kernel} kernel into a tile of {TILE}×{TILE}: put a layer between"
        )
    for padding in (layer.padding, layer.after):
        if not 0 <= padding < layer.kernel:
            raise UnsupportedNetwork(
                f"layer {layer.name!r}: padding {padding} must be 0..{layer.kernel - 1} for a "
                f"{layer.kernel}×{layer.kernel} kernel"
            )
    if layer.in_channels < 1 or layer.out_channels < 1:
        raise UnsupportedNetwork(f"layer {layer.name!r}: channel counts must be at least 1")
    if max(layer.in_channels, layer.out_channels) > MOST:
        raise UnsupportedNetwork(f"layer {layer.name!r}: channel counts must be at most {MOST:,}")
    if layer.added and (layer.convolved < 1 or max(layer.step, layer.window) > 1 or not layer.sources):
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: a map is added to the outputs of stride 1 without pooling, and "
            "stands last in the layer's sources, after what is convolved"
        )
    check_activation(layer)
    if layer.groups < 1 or layer.convolved % layer.groups or layer.out_channels % layer.groups:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: {layer.convolved} input and {layer.out_channels} output channels are no "
            f"{layer.groups} groups of the same size"
        )
    if layer.average and (
        layer.kernel != TILE or layer.groups != layer.out_channels or layer.added or layer.relu
    ):
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: an average has a kernel of {TILE}×{TILE}, a group for every "
            "channel and no ReLU"
        )
