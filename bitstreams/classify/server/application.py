"""The routes of the Open Inference Protocol; what goes wrong is its error, JSON with ``error``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bitstreams.classify.server import messages
from bitstreams.classify.server.batching import Batcher, Overloaded
from bitstreams.links.pool.member import Record
from bitstreams.links.pool.pool import Pool
from hw.contract.design import DesignInfo
from hw.util.errors import DataError, Spec2Error

JSON_BYTES = 5
"""Of a pixel in JSON, at most: three digits, a comma and a space."""

SLACK = 1 << 16
"""Bytes of a request beside its pixels."""

RETRY_AFTER = {"Retry-After": "1"}


@dataclass(frozen=True)
class Limits:
    """images: of a request. waiting: images of all requests that wait or run. seconds: until a request that
    no board has answered is given up."""

    images: int = 64
    waiting: int = 256
    seconds: float = 30.0


class Service:
    """A model, by ``name``, that ``pool`` serves; :attr:`application` is what a server runs."""

    def __init__(self, info: DesignInfo, pool: Pool, name: str, limits: Limits | None = None) -> None:
        self.info, self.pool, self.name, self.limits = info, pool, name, limits or Limits()
        self.version = info.digest[:12]
        self._batcher = Batcher(pool, info.config.batch, self.limits.waiting)
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "spec2_requests", "Requests to infer, by status", ["status"], registry=registry
        )
        self._seconds = Histogram(
            "spec2_request_seconds", "Of a request that was answered", registry=registry
        )
        waiting = Gauge("spec2_waiting_images", "Images that wait or run", registry=registry)
        waiting.set_function(lambda: self._batcher.images)
        for what, text in {
            "images": "Images answered",
            "failures": "Failures",
            "open": "Takes images",
        }.items():
            gauge = Gauge(f"spec2_board_{what}", f"{text}, by board", ["board"], registry=registry)
            for board, record in pool.records.items():
                gauge.labels(board).set_function(partial(_figure, record, what))
        self.application = Starlette(
            routes=[
                Route("/v2", self._server),
                Route("/v2/health/live", self._live),
                Route("/v2/health/ready", self._ready),
                Route("/metrics", self._metrics),
                *self._of_model("", self._model),
                *self._of_model("/ready", self._ready),
                *self._of_model("/infer", self._infer, "POST"),
            ],
            exception_handlers={HTTPException: _http_error, Exception: _bug},
        )

    def _of_model(
        self, path: str, endpoint: Callable[[Request], Awaitable[Response]], method: str = "GET"
    ) -> list[Route]:
        """With and without a version, for this model alone."""

        async def checked(request: Request) -> Response:
            asked, wanted = request.path_params["model"], request.path_params.get("version")
            if asked != self.name:
                return _error(404, f"there is no model {asked!r}, this server has {self.name!r}")
            if wanted not in (None, self.version):
                return _error(404, f"there is no version {wanted!r} of {asked!r}, this is {self.version!r}")
            return await endpoint(request)

        roots = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
        return [Route(root + path, checked, methods=[method]) for root in roots]

    async def _server(self, request: Request) -> Response:
        return JSONResponse(
            {"name": "spec2", "version": _own_version(), "extensions": ["binary_tensor_data"]}
        )

    async def _live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, request: Request) -> Response:
        """Whether a board would answer now."""
        if any(record.open for record in self.pool.records.values()):
            return JSONResponse({"ready": True})
        return _error(503, "no board answers at the moment", RETRY_AFTER)

    async def _model(self, request: Request) -> Response:
        network = self.info.network
        classes = network.classes or 0
        return JSONResponse(messages.metadata(self.name, self.version, network.input, classes))

    async def _metrics(self, request: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def _infer(self, request: Request) -> Response:
        start = time.monotonic()
        response = await self._answered(request)
        self._requests.labels(str(response.status_code)).inc()
        if response.status_code == 200:
            self._seconds.observe(time.monotonic() - start)
        return response

    async def _answered(self, request: Request) -> Response:
        shape, limits = self.info.network.input, self.limits
        try:
            body = await self._body(request)
            asked = messages.read(body, request.headers.get(messages.HEADER), shape, limits.images)
            scores = await asyncio.wait_for(self._batcher.scores(asked.images), limits.seconds)
        except DataError as error:
            return _error(400, str(error))
        except (Overloaded, TimeoutError, asyncio.CancelledError, ClientDisconnect) as error:
            if isinstance(error, asyncio.CancelledError) and not self.pool.closed:
                raise
            late = f"no board has answered within {limits.seconds:g} s: ask again"
            return _error(503, str(error) or late, RETRY_AFTER)
        except (Spec2Error, OSError) as error:
            return _error(500, str(error))
        content, headers = messages.answer(scores, asked, self.name, self.version)
        return Response(content, headers=headers)

    async def _body(self, request: Request) -> bytes:
        """Raises ``DataError`` for more bytes than images that are allowed could have."""
        c, h, w = self.info.network.input
        most = self.limits.images * c * h * w * JSON_BYTES + SLACK
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise DataError(
                    f"the request has more than {most} bytes: send at most {self.limits.images} images"
                )
            parts.append(part)
        return b"".join(parts)


def _figure(record: Record, what: str) -> float:
    return float(getattr(record, what))


def _own_version() -> str:
    try:
        return version("spec2")
    except PackageNotFoundError:  # a checkout that was never installed
        return "unknown"


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status, headers)


async def _http_error(request: Request, error: Any) -> Response:
    return _error(error.status_code, str(error.detail))


async def _bug(request: Request, error: Exception) -> Response:
    """The traceback is in the server's log."""
    return _error(500, "this is a fault of the server: its log has more")
