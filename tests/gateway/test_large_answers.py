"""Plain answers that do not say how large they are, on the real Envoy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from . import config
from .running import Gateway
from .serving import served

USAGE = {"prompt_tokens": 7, "total_tokens": 7}
PIECE = 64 * 1024


class Chunked(BaseHTTPRequestHandler):
    """Answers with so many bytes of embeddings as the request's input says, in chunks."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        body = answer(int(asked["input"]))
        for at in range(0, len(body), PIECE):
            piece = body[at : at + PIECE]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def answer(size: int) -> bytes:
    return json.dumps({"data": [{"embedding": "A" * size}], "usage": USAGE}).encode()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Takes requests of a mebibyte at most."""
    scratch = tmp_path_factory.mktemp("large")
    folder = scratch / "config"
    with served(Chunked) as url:
        table = config.table(dict.fromkeys(config.PROVIDERS, f"{url}/v1"))
        config.write(folder, table, config.policies())
        made = Gateway(folder, scratch, config.KEYS, "--max-body", "1")
        yield made
        made.stop()


@pytest.mark.parametrize("size", [1000, 900_000, 5_000_000, 40_000_000])
def test_it_passes_and_its_usage_is_read(gateway: Gateway, size: int) -> None:
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
    body = {"model": "mini", "input": str(size)}
    url = f"{gateway.base_url}/embeddings"
    got = httpx.post(url, json=body, headers=headers, timeout=60)
    assert (got.status_code, got.content == answer(size)) == (200, True)
    record = gateway.record(got.headers["x-prism-decision-id"])
    assert record["outcome"]["inputTokens"] == 7


def test_the_limit_of_requests_stays(gateway: Gateway) -> None:
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
    body = {"model": "mini", "input": "1" * 1_200_000}
    got = httpx.post(f"{gateway.base_url}/embeddings", json=body, headers=headers, timeout=60)
    assert got.status_code == 413
