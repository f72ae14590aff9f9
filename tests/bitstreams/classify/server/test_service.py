"""Boards as a service: a standard client talks to it, nothing is lost or wrong, and overload is an error."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("uvicorn")

import tritonclient.http as triton
import uvicorn
from starlette.testclient import TestClient
from tritonclient.utils import InferenceServerException

from bitstreams.classify.server.application import Limits, Service
from bitstreams.classify.server.batching import Batcher, Overloaded
from bitstreams.classify.server.messages import HEADER
from bitstreams.links.pool.pool import Pool
from hw.util.errors import LinkError
from tests.bitstreams.links.pool.test_pool import EXPECTED, PICTURES, SOON, Fake, until
from tests.bitstreams.serial_wire import INFO

NAME = "wire"
INFER = f"/v2/models/{NAME}/infer"


@contextmanager
def service(*boards, limits=None, **options):
    with Pool(INFO, [board.member for board in boards], pause=0.01, most_failures=0, **options) as pool:
        yield Service(INFO, pool, NAME, limits)


@contextmanager
def served(*boards, limits=None):
    """A real server at a port of its own; gives host:port."""
    with service(*boards, limits=limits) as made:
        config = uvicorn.Config(made.application, port=0, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        until(lambda: server.started)
        host, port = server.servers[0].sockets[0].getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(SOON)


def tensor(images):
    return {
        "name": "image",
        "shape": list(images.shape),
        "datatype": "UINT8",
        "data": images.ravel().tolist(),
    }


def infer(client, images, **more):
    return client.post(INFER, content=json.dumps({"inputs": [tensor(images)], **more}))


def asked(images, binary):
    given = triton.InferInput("image", list(images.shape), "UINT8")
    given.set_data_from_numpy(images, binary_data=binary)
    return [given]


# --- the protocol, through a client that others wrote -------------------------------------------------


@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_a_standard_client_talks_to_it(binary):
    with served(Fake("a")) as address, triton.InferenceServerClient(address) as client:
        until(client.is_server_ready)
        assert client.is_server_live() and client.is_model_ready(NAME)
        said = client.get_model_metadata(NAME)
        assert said["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, *INFO.network.input]}]
        assert [output["name"] for output in said["outputs"]] == ["scores", "label"]
        assert client.is_model_ready(NAME, said["versions"][0])
        wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("label", "scores")]
        found = client.infer(NAME, asked(PICTURES[:5], binary), outputs=wanted, request_id="7")
        np.testing.assert_array_equal(found.as_numpy("scores"), EXPECTED[:5])
        np.testing.assert_array_equal(found.as_numpy("label"), EXPECTED[:5].argmax(1))
        assert found.get_response()["id"] == "7"
        with pytest.raises(InferenceServerException, match=r"'image' is 'UINT8' of shape \[1, 3\]"):
            client.infer(NAME, asked(np.zeros((1, 3), np.uint8), binary))
        with pytest.raises(InferenceServerException, match="there is no model 'other'"):
            client.infer("other", asked(PICTURES[:1], binary))


def test_a_thousand_requests_of_eight_clients_while_boards_die():
    """Every answer is the integer model's; two of three boards fail again and again."""
    rng = np.random.default_rng(5)
    boards = [Fake("a", [3, "absent", 0, 5, "absent", 40] + [9] * 99), Fake("b", [7, 2] * 99), Fake("sound")]
    picks = [rng.integers(0, len(PICTURES), rng.integers(1, 4)) for _ in range(1000)]
    with served(*boards) as address:

        def ask(part):
            with triton.InferenceServerClient(address) as client:
                return [
                    client.infer(NAME, asked(PICTURES[pick], bool(len(pick) % 2))).as_numpy("scores")
                    for pick in picks[part::8]
                ]

        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(ask, range(8)))
    for part, found in enumerate(answers):
        for pick, scores in zip(picks[part::8], found, strict=True):
            np.testing.assert_array_equal(scores, EXPECTED[pick])
    assert boards[0].opened > 3 and boards[1].opened > 3


# --- limits -------------------------------------------------------------------------------------------


def test_overload_is_an_error_at_once_and_the_others_are_answered():
    gate = threading.Event()
    with served(Fake("a", gate=gate), limits=Limits(images=8, waiting=10)) as address:

        def ask(count):
            with triton.InferenceServerClient(address) as client:
                try:
                    return client.infer(NAME, asked(PICTURES[:count], True)).as_numpy("scores")
                except InferenceServerException as error:
                    return str(error)

        with ThreadPoolExecutor(2) as clients:
            first = clients.submit(ask, 8)
            with triton.InferenceServerClient(address) as client:
                until(lambda: "spec2_waiting_images 8.0" in client._get("metrics", {}, {}).read().decode())
            refused = clients.submit(ask, 3).result(SOON)
            assert "8 images wait already, and 10 may" in refused and not first.done()
            second = clients.submit(ask, 2)
            gate.set()
            np.testing.assert_array_equal(first.result(SOON), EXPECTED[:8])
            np.testing.assert_array_equal(second.result(SOON), EXPECTED[:2])


def test_a_request_that_no_board_answers_in_time_is_given_up_and_its_images_are_not_run():
    gate = threading.Event()
    board = Fake("a", gate=gate)
    with service(board, limits=Limits(seconds=0.3)) as made, TestClient(made.application) as client:
        for _ in range(2):
            response = infer(client, PICTURES[:2])
            assert response.status_code == 503 and response.headers["Retry-After"] == "1"
            assert response.json() == {"error": "no board has answered within 0.3 s: ask again"}
        assert "spec2_waiting_images 0.0" in client.get("/metrics").text
        gate.set()
        until(lambda: board.accelerator.runs == 1)
        assert infer(client, PICTURES[:1]).status_code == 200
        assert board.accelerator.runs == 2, "the second request's images were dropped"


def test_without_a_board_it_is_alive_and_not_ready():
    with service(Fake("a", ["absent"] * 10**6)) as made, TestClient(made.application) as client:
        until(lambda: made.pool.records["a"].failures > 1)
        assert client.get("/v2/health/live").status_code == 200
        response = client.get("/v2/health/ready")
        assert response.status_code == 503 and "no board answers" in response.json()["error"]
        metrics = client.get("/metrics").text
        assert 'spec2_board_open{board="a"} 0.0' in metrics


def test_metrics_count_what_was_answered():
    with service(Fake("a")) as made, TestClient(made.application) as client:
        assert infer(client, PICTURES[:3]).status_code == 200
        assert infer(client, PICTURES[:1, :1]).status_code == 400
        metrics = client.get("/metrics").text
    for line in (
        'spec2_requests_total{status="200"} 1.0',
        'spec2_requests_total{status="400"} 1.0',
        'spec2_board_images{board="a"} 3.0',
        "spec2_request_seconds_count 1.0",
    ):
        assert line in metrics


# --- batching -----------------------------------------------------------------------------------------


def test_images_gather_while_all_boards_are_busy():
    """The first run has the one image that there was; what came meanwhile is put together to full runs."""
    gate = threading.Event()
    board = Fake("a", gate=gate)

    async def work(pool):
        batcher = Batcher(pool, INFO.config.batch, 100)
        tasks = [asyncio.create_task(batcher.scores(PICTURES[i : i + 1])) for i in range(7)]
        await asyncio.sleep(0.05)
        gate.set()
        return await asyncio.gather(*tasks), batcher.images

    with Pool(INFO, [board.member]) as pool:
        found, left = asyncio.run(work(pool))
    np.testing.assert_array_equal(np.concatenate(found), EXPECTED[:7])
    assert board.accelerator.runs == 1 + 3 and left == 0


def test_a_batcher_that_is_full_refuses_and_what_fails_fails_for_those_alone():
    async def work(pool):
        batcher = Batcher(pool, 2, 3)
        first = asyncio.create_task(batcher.scores(PICTURES[:2]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="2 images wait already, and 3 may: send 2 more later"):
            await batcher.scores(PICTURES[:2])
        with pytest.raises(LinkError, match="no board is left"):
            await first
        assert batcher.images == 0

    with Pool(INFO, [Fake("a", ["absent"] * 9).member], pause=0.001) as pool:
        asyncio.run(work(pool))


# --- requests that are none ---------------------------------------------------------------------------


def changed(**changes):
    return {"inputs": [tensor(PICTURES[:1]) | changes]}


BAD = {
    "no json": (b"{", "request"),
    "another name": (changed(name="x"), "the inputs are one tensor, 'image'"),
    "two tensors": ({"inputs": [tensor(PICTURES[:1])] * 2}, "the inputs are one tensor"),
    "floats": (changed(datatype="FP32"), "'image' is 'FP32' of shape"),
    "another shape": (changed(shape=[1, 2, 6, 3]), "not UINT8 of shape [n, 2, 3, 6]"),
    "no images": (changed(shape=[0, 2, 3, 6], data=[]), "there are 0 images"),
    "negative": (changed(shape=[-1, 2, 3, 6]), "there are -1 images"),
    "too many": ({"inputs": [tensor(PICTURES[:5])]}, "there are 5 images, and a request has 1 to 4"),
    "too few numbers": (changed(data=[1, 2]), "36 whole numbers from 0 to 255"),
    "too large": (changed(data=[256] * 36), "whole numbers from 0 to 255"),
    "below zero": (changed(data=[-1] * 36), "whole numbers from 0 to 255"),
    "halves": (changed(data=[0.5] * 36), "whole numbers from 0 to 255"),
    "ragged": (changed(data=[[1], [2, 3]]), "whole numbers from 0 to 255"),
    "words": (changed(data=["a"] * 36), "whole numbers from 0 to 255"),
    "no data": (changed(data=None), "whole numbers from 0 to 255"),
    "no such output": (changed() | {"outputs": [{"name": "x"}]}, "there is no output 'x'"),
}


@pytest.mark.parametrize(("content", "sentence"), BAD.values(), ids=BAD)
def test_a_request_that_is_none_is_an_error_of_the_protocol(content, sentence):
    with service(Fake("a"), limits=Limits(images=4)) as made, TestClient(made.application) as client:
        response = client.post(INFER, content=content if isinstance(content, bytes) else json.dumps(content))
        assert response.status_code == 400 and sentence in response.json()["error"]
        assert infer(client, PICTURES[:1]).status_code == 200


@pytest.mark.parametrize(
    ("header", "size", "more", "sentence"),
    [
        ("many", 36, b"", "Inference-Header-Content-Length is 'many'"),
        ("9999", 36, b"", "Inference-Header-Content-Length is '9999'"),
        (None, 36, b"", "takes 36 bytes behind the JSON, not 0"),
        (None, 35, bytes(35), "takes 36 bytes behind the JSON, not 35 (binary_data_size 35)"),
        (None, 36, bytes(37), "takes 36 bytes behind the JSON, not 37"),
        (None, None, bytes(36), "36 bytes follow the JSON, and no tensor has a binary_data_size"),
    ],
)
def test_binary_tensors_that_are_not_as_long_as_they_say(header, size, more, sentence):
    given = tensor(PICTURES[:1]) if size is None else tensor(PICTURES[:1]) | {"data": None}
    head = {"inputs": [given | ({"parameters": {"binary_data_size": size}} if size is not None else {})]}
    text = json.dumps(head).encode()
    with service(Fake("a")) as made, TestClient(made.application) as client:
        response = client.post(INFER, content=text + more, headers={HEADER: header or str(len(text))})
    assert response.status_code == 400 and sentence in response.json()["error"]


def test_a_body_that_is_too_long_is_refused_before_it_is_read():
    with service(Fake("a"), limits=Limits(images=1)) as made, TestClient(made.application) as client:
        response = client.post(INFER, content=bytes(10**6))
    assert response.status_code == 400 and "the request has more than" in response.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/v2/models/other", 404, "there is no model 'other', this server has 'wire'"),
        (f"/v2/models/{NAME}/versions/9", 404, "there is no version '9' of 'wire'"),
        ("/v3", 404, "Not Found"),
        (INFER, 405, "Method Not Allowed"),
    ],
)
def test_paths_that_lead_nowhere(path, status, sentence):
    with service(Fake("a")) as made, TestClient(made.application) as client:
        response = client.get(path)
        assert response.status_code == status and sentence in response.json()["error"]
        assert client.get("/v2").json()["name"] == "spec2"


def test_what_stands_in_json_and_behind_it_is_the_same():
    with service(Fake("a")) as made, TestClient(made.application) as client:
        nested = changed(data=PICTURES[0].tolist())
        plain = client.post(INFER, content=json.dumps(nested)).json()
        assert [output["name"] for output in plain["outputs"]] == ["scores", "label"]
        assert plain["outputs"][0]["data"] == EXPECTED[0].tolist() and "id" not in plain
        wanted = {"outputs": [{"name": "scores", "parameters": {"binary_data": True}}, {"name": "label"}]}
        mixed = infer(client, PICTURES[:2], **wanted)
        size = int(mixed.headers[HEADER])
        head = json.loads(mixed.content[:size])
        assert (
            head["outputs"][0]["parameters"] == {"binary_data_size": 2 * 5 * 4}
            and "data" not in head["outputs"][0]
        )
        assert head["outputs"][1]["data"] == EXPECTED[:2].argmax(1).tolist()
        np.testing.assert_array_equal(np.frombuffer(mixed.content[size:], "<i4").reshape(2, 5), EXPECTED[:2])
