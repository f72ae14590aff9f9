"""``spec2 serve``: boards as a service."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitstreams.commands.board_link import members
from hw.commands.console import emit, requires, say
from hw.commands.logs import FILE_ONLY
from hw.commands.models import DESIGN, located
from hw.commands.options import Baud, Json, LinkNames
from hw.util import quote
from hw.util.errors import ConfigError, DataError

if TYPE_CHECKING:
    from bitstreams.links.pool.member import Record

LOG = logging.getLogger(__name__)


def serve(
    design: Annotated[Path, typer.Argument(help="The design that the boards run, also for zoo:NAME.")] = Path(
        "build/lenet/design"
    ),
    link: LinkNames = ["virtual"],  # noqa: B006 (typer reads it, nobody changes it)
    baud: Baud = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for everyone's.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 for any that is free.")] = 8000,
    name: Annotated[
        str | None, typer.Option(help="Of the model, in addresses. [default: the network's name]")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Most images of a request.")] = 64,
    waiting: Annotated[
        int, typer.Option(min=1, help="Most images that wait or run; more are refused.")
    ] = 256,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds until a request is given up.")] = 30.0,
    as_json: Json = False,
) -> None:
    """Serve boards over HTTP: the Open Inference Protocol (KServe v2), which Triton's clients speak, too.

    Images of any requests are put together to runs, and go to whichever board is free; what a board that
    fails was at is run by the others, and the board is opened again; stderr says which, and why. Where more
    images wait than may, where no board answers in time or none is left, the client gets the protocol's
    error. /metrics is for Prometheus. --json prints the address when it listens. There is no encryption and
    no password: leave that to a proxy in front of it.

    **Examples**

        spec2 serve zoo:lenet-2:8 --link virtual --link virtual
        spec2 serve build/vgg/design --link xdma:/dev/xdma0 --link xdma:/dev/xdma1 --host 0.0.0.0
        curl localhost:8000/v2/models/lenet
    """
    with requires("starlette", "uvicorn", "prometheus_client"):
        import uvicorn

        from bitstreams.classify.server.application import Limits, Service
    from bitstreams.links.pool.pool import Pool
    from hw.contract.design import DesignInfo
    from hw.util.names import check

    design = located(design, DESIGN)
    info = DesignInfo.load(design)
    if info.network.classes is None:
        raise DataError(f"network {info.network.name!r} ends in a feature map: it gives no labels to serve")
    called = name or info.network.name
    check("model", called, ConfigError)
    with members(link, baud, design, info) as boards, Pool(info, boards, most_failures=0, lost=_lost) as pool:
        service = Service(info, pool, called, Limits(images, waiting, timeout))
        config = uvicorn.Config(service.application, log_level="warning", lifespan="off")
        with _listening(host, port) as listener:
            where = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
            address = f"{where}/v2/models/{called}"
            print(quote.line(f"serving {called} at {address} (Ctrl-C to end)"), file=sys.stderr, flush=True)
            if as_json:
                emit(True, {"model": called, "version": service.version, "url": address})
                sys.stdout.flush()
            uvicorn.Server(config).run([listener])


def _lost(name: str, record: Record) -> None:
    """Say which board answers no more, and what becomes of it: clients only see that none answers."""
    then = "it is out until the service is started again" if record.out else "it is opened again and again"
    sentence = quote.line(f"board {name}: {record.why} ({then})")
    LOG.warning("%s", sentence, extra=FILE_ONLY)
    say(f"spec2: {sentence}")


def _listening(host: str, port: int) -> socket.socket:
    """Raises ``ConfigError`` where nobody can listen."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(
            f"cannot listen at {host}, port {port}: {why}; choose another --port or --host"
        ) from None
