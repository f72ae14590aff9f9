"""``spec2 prune``: in ``sim``, because it measures what was trained with the integer model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from hw.commands.options import Calibrate, DataDir, Json
from hw.contract.sparsity import sentence
from hw.util.errors import ConfigError
from pruning.commands import options
from pruning.commands.as_given import quantise_as_given
from pruning.commands.train import train
from pruning.commands.untrained import prune_untrained
from sim.commands.integer_model import measure
from sim.commands.post_training import markdown, post_train_and_measure
from sim.commands.printed_report import print_report


def prune(
    recipe: options.RecipeName = "lenet",
    sparsity: options.Scheme = None,
    optimiser: options.Optimiser = None,
    data: options.Images = None,
    data_dir: DataDir = None,
    calibrate: Calibrate = None,
    mean: options.Mean = None,
    std: options.Std = None,
    out: options.Out = None,
    weight_bits: options.WeightBits = None,
    layer_bits: options.LayerBits = None,
    mean_bits: options.MeanBits = None,
    spectrum_bits: options.SpectrumBits = None,
    block: options.Block = None,
    target_cycles: options.TargetCycles = None,
    lanes: options.TargetLanes = None,
    seed: options.RecipeSeed = None,
    threads: options.Threads = None,
    device: options.Device = "cpu",
    tensorboard: options.TensorBoard = False,
    fresh: options.Fresh = False,
    untrained: options.Untrained = False,
    as_given: options.AsGiven = False,
    as_json: Json = False,
    *,
    context: typer.Context,
) -> None:
    """Train and prune a network to a quarter of its spectral words, and quantise it.

    Writes OUT/model.npz, the integers the hardware sees, and measures its accuracy with the integer model.
    A run that was interrupted goes on where it was, to the batch; the dense network is trained once for all.
    Which words stay, where it is a quarter: PATTERNS. Channels that go disappear from the network.
    Weights of single layers may have fewer bits than the array takes: given, or found with --mean-bits after
    fine-tuning, when each layer is narrowed alone and the loss measured (OUT/bits.json says what was).
    Spectra of 11 bits instead of 16 (--spectrum-bits) take a third less memory.
    A trained network in an ONNX file needs no training: with --calibrate it is pruned at once, what stays is
    refitted to what its layers gave, and quantised on some images. There --sparsity is dense by default.

    **Examples**

        spec2 prune
        spec2 prune lenet --sparsity kernel --data-dir ~/mnist --out build/kernel
        spec2 prune vgg16-cifar --sparsity adaptive-1:8 --data-dir ~/cifar
        spec2 prune vgg16-cifar-long --data-dir ~/cifar --device cuda
        spec2 prune vgg16-cifar --target-cycles 150000 --data-dir ~/cifar
        spec2 prune lenet --mean-bits 5.5
        spec2 prune lenet --layer-bits conv2=6 --layer-bits fc1=4
        spec2 prune lenet --spectrum-bits 11
        spec2 prune lenet --tensorboard
        spec2 prune vgg16 --untrained --block 64
        spec2 prune net.onnx --data cifar10 --sparsity adaptive
        spec2 prune net.onnx --calibrate images.npz --sparsity adaptive-2:8
        spec2 prune quantised.onnx --as-given --weight-bits 10
        spec2 prune net.onnx --data cifar10 --mean 0.491,0.482,0.447 --std 0.247,0.243,0.262
    """
    folder = out or Path("build") / Path(recipe).stem
    changes = {
        "sparsity": sparsity,
        "optimiser": optimiser,
        "weight_bits": weight_bits,
        "spectrum_bits": spectrum_bits,
        "layer_bits": options.parse_widths(layer_bits) if layer_bits else None,
        "block": block,
        "seed": seed,
        "mean": options.parse_numbers("--mean", mean),
        "std": options.parse_numbers("--std", std),
    }
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    if tensorboard and (untrained or as_given):
        raise ConfigError("--tensorboard shows a training, and there is none: leave it out")
    _check_together(untrained, target_cycles, lanes, mean_bits)
    result: dict[str, Any] = {"model": str(folder / "model.npz")}
    more: list[str] = []
    if calibrate is not None:
        trains = {
            "as-given": as_given or None,
            "untrained": untrained or None,
            "fresh": fresh or None,
            "tensorboard": tensorboard or None,
            "data": data,
            "optimiser": optimiser,
        }
        trains |= {"target-cycles": target_cycles, "mean-bits": mean_bits, "seed": seed}
        if wrong := [name for name, value in trains.items() if value is not None]:
            raise ConfigError(f"--calibrate takes a trained network as it is: leave --{wrong[0]} out")
        result = post_train_and_measure(
            recipe, calibrate, folder, threads=threads, command=context.obj, **given
        )
        more = markdown(result, sparsity)
    elif as_given:
        asked = {"data": data, "target_cycles": target_cycles, "mean_bits": mean_bits, "untrained": untrained}
        quantise_as_given(recipe, folder, **given, **{name: value for name, value in asked.items() if value})
    elif untrained:
        prune_untrained(recipe, folder, **given)
    else:
        result["accuracy"] = prune_and_measure(
            recipe,
            folder,
            target_cycles=target_cycles,
            lanes=lanes,
            mean_bits=mean_bits,
            images=data,
            data_dir=data_dir,
            threads=threads,
            device=device,
            tensorboard=tensorboard,
            resume=not fresh,
            command=context.obj,
            **given,
        )
    print_report(folder, None, as_json, result, more, new_model=True)


prune.__doc__ = (prune.__doc__ or "").replace("PATTERNS", sentence())


def prune_and_measure(
    recipe: str, out: Path, *, data_dir: Path | None, command: str | None = None, **options: Any
) -> dict[str, float]:
    """Train as :func:`pruning.commands.train.train` does, then measure; returns accuracies in percent."""
    result, data = train(recipe, out, data_dir=data_dir, **options)
    return measure(
        out,
        data.test_images,
        data.test_labels,
        accuracy=result.accuracy,
        seconds=result.seconds,
        command=command,
    )


def _check_together(
    untrained: bool, target_cycles: int | None, lanes: int | None, mean_bits: float | None
) -> None:
    """Raise ``ConfigError`` for options that exclude one another."""
    if lanes is not None and target_cycles is None:
        raise ConfigError("--lanes says for which array --target-cycles is: give both")
    if untrained and target_cycles is not None:
        raise ConfigError("--target-cycles needs a trained network: leave --untrained out")
    if untrained and mean_bits is not None:
        raise ConfigError("--mean-bits needs a trained network: leave --untrained out, or give --layer-bits")
