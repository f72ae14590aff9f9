"""Requests and answers of the Open Inference Protocol (KServe's, version 2), with Triton's extension for
binary tensors.

A request is JSON. Tensors are in it, or follow it, in the order in which they are named, each of
``binary_data_size`` bytes; then the header :data:`HEADER` says how long the JSON is. Answers likewise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hw.contract.network import Shape
from hw.util import documents
from hw.util.errors import DataError

HEADER = "Inference-Header-Content-Length"

IMAGE, SCORES, LABEL = "image", "scores", "label"
"""Names of the tensors."""

DATATYPES = {IMAGE: "UINT8", SCORES: "INT32", LABEL: "INT64"}


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: Any = None
    parameters: dict[str, Any] = {}


class _Wanted(msgspec.Struct):
    name: str
    parameters: dict[str, Any] = {}


class _Request(msgspec.Struct):
    inputs: list[_Tensor]
    outputs: list[_Wanted] = []
    id: str = ""
    parameters: dict[str, Any] = {}


@dataclass(frozen=True)
class Request:
    """images: (n, c, h, w) uint8. outputs: names of the tensors that are wanted, and whether in binary."""

    images: NDArray[np.uint8]
    outputs: Mapping[str, bool]
    id: str = ""


def read(body: bytes, header: str | None, shape: Shape, most: int) -> Request:
    """A request for a network with input ``shape`` (c, h, w), of at most ``most`` images.

    header: the value of :data:`HEADER`, if it was there. Raises ``DataError`` for anything else.
    """
    size = len(body)
    if header is not None:
        if not header.isdecimal() or int(header) > len(body):
            raise DataError(f"{HEADER} is {documents.shown(header)}, and the body has {len(body)} bytes")
        size = int(header)
    asked: _Request = documents.decode(body[:size], _Request, "request", error=DataError)
    if [tensor.name for tensor in asked.inputs] != [IMAGE]:
        raise DataError(f"request: the inputs are one tensor, {IMAGE!r}: see the model's metadata")
    binary = bool(asked.parameters.get("binary_data_output", False))
    wanted = {each.name: bool(each.parameters.get("binary_data", binary)) for each in asked.outputs}
    if strange := [name for name in wanted if name not in (SCORES, LABEL)]:
        raise DataError(
            f"request: there is no output {documents.shown(strange[0])}: ask for {SCORES} or {LABEL}"
        )
    images = _images(asked.inputs[0], body[size:], shape, most)
    return Request(images, wanted or dict.fromkeys((SCORES, LABEL), binary), asked.id)


def _images(tensor: _Tensor, binary: bytes, shape: Shape, most: int) -> NDArray[np.uint8]:
    wanted = f"{DATATYPES[IMAGE]} of shape [n, {', '.join(map(str, shape))}]"
    if tensor.datatype != DATATYPES[IMAGE] or tensor.shape[1:] != list(shape) or len(tensor.shape) != 4:
        given = f"{documents.shown(tensor.datatype)} of shape {documents.shown(tensor.shape)}"
        raise DataError(f"request: {IMAGE!r} is {given}, not {wanted}")
    count = tensor.shape[0]
    if not 1 <= count <= most:
        raise DataError(f"request: there are {count} images, and a request has 1 to {most}: split it")
    size = count * int(np.prod(shape))
    if "binary_data_size" in tensor.parameters:
        given = tensor.parameters["binary_data_size"]
        if given != size or len(binary) != size:
            raise DataError(
                f"request: {wanted} with n = {count} takes {size} bytes behind the JSON, not {len(binary)} "
                f"(binary_data_size {documents.shown(given)})"
            )
        return np.frombuffer(binary, np.uint8).reshape(tensor.shape)
    if binary:
        raise DataError(f"request: {len(binary)} bytes follow the JSON, and no tensor has a binary_data_size")
    return _from_json(tensor.data, size).reshape(tensor.shape)


def _from_json(data: Any, size: int) -> NDArray[np.uint8]:
    """Numbers in one list, or in lists of lists, row-major."""
    try:
        numbers = np.array(data)
    except ValueError:
        numbers = np.array(None)
    if numbers.dtype.kind not in "iu" or numbers.size != size or numbers.min() < 0 or numbers.max() > 255:
        raise DataError(
            f"request: data of {IMAGE!r} are {size} whole numbers from 0 to 255, as its shape says"
        )
    return numbers.astype(np.uint8).ravel()


def answer(
    scores: NDArray[np.int32], request: Request, name: str, version: str
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the answer: ``scores`` (n, classes), as wanted."""
    tensors = {SCORES: scores.astype("<i4"), LABEL: scores.argmax(axis=1).astype("<i8")}
    outputs: list[dict[str, Any]] = []
    raw: list[bytes] = []
    for wanted, binary in request.outputs.items():
        tensor = tensors[wanted]
        output: dict[str, Any] = {"name": wanted, "datatype": DATATYPES[wanted], "shape": list(tensor.shape)}
        if binary:
            raw.append(tensor.tobytes())
            output["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            output["data"] = tensor.ravel().tolist()
        outputs.append(output)
    whole = {"model_name": name, "model_version": version, "outputs": outputs}
    head = msgspec.json.encode(whole | ({"id": request.id} if request.id else {}))
    if not raw:
        return head, {"Content-Type": "application/json"}
    headers = {"Content-Type": "application/octet-stream", HEADER: str(len(head))}
    return b"".join([head, *raw]), headers


def metadata(name: str, version: str, shape: Shape, classes: int) -> dict[str, Any]:
    """What the protocol says of a model."""

    def tensor(name: str, shape: Sequence[int]) -> dict[str, Any]:
        return {"name": name, "datatype": DATATYPES[name], "shape": [-1, *shape]}

    return {
        "name": name,
        "versions": [version],
        "platform": "spec2",
        "inputs": [tensor(IMAGE, shape)],
        "outputs": [tensor(SCORES, [classes]), tensor(LABEL, [])],
    }
