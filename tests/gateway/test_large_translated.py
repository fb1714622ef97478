"""Whole answers that are translated, however large, on the real Envoy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest

from . import both_apis, config
from .running import NO_TLS, Gateway, error_of
from .serving import served

PIECE = 64 * 1024


class Claude(BaseHTTPRequestHandler):
    """Answers a message of so many letters as the last turn says; in chunks where it says so.
    By OpenAI's API too, to which that is no answer."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        (turn,) = asked["messages"]
        words = turn["content"] if isinstance(turn["content"], str) else turn["content"][0]["text"]
        size, how = words.split()
        body = answer(int(size))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header(*_LENGTHS[how](body))
        self.end_headers()
        with suppress(ConnectionError):  # the gateway stops at what it can't hold
            for at in range(0, len(body), PIECE):
                piece = body[at : at + PIECE]
                chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
                self.wfile.write(piece if how == "length" else chunk)
            if how != "length":
                self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


_LENGTHS = {
    "length": lambda body: ("content-length", str(len(body))),
    "chunked": lambda _: ("transfer-encoding", "chunked"),
}


def answer(size: int) -> bytes:
    said = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": config.upstream("opus"),
        "content": [{"type": "text", "text": "A" * size}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 9},
    }
    return json.dumps(said).encode()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Takes requests of a mebibyte at most."""
    scratch = tmp_path_factory.mktemp("large")
    folder = scratch / "config"
    with served(Claude) as url:
        table = both_apis.table(dict.fromkeys(both_apis.APIS, url))
        config.write(folder, table, config.policies()[:1])
        options = ("--max-body", "1", "--prism-timeout", "60")
        made = Gateway(folder, scratch, both_apis.KEYS, *options)
        yield made
        made.stop()


def ask(
    gateway: Gateway, size: int, how: str, path: str = "chat/completions", **more: Any
) -> httpx.Response:
    messages = [{"role": "user", "content": f"{size} {how}"}]
    return httpx.post(
        f"{gateway.base_url}/{path}",
        json={"model": "opus", "messages": messages, **more},
        headers={"authorization": f"Bearer {config.CLIENT_KEY}"},
        timeout=120,
        verify=NO_TLS,
    )


@pytest.mark.parametrize("how", _LENGTHS)
@pytest.mark.parametrize("size", [1000, 900_000, 5_000_000, 40_000_000])
def test_it_comes_whole(gateway: Gateway, size: int, how: str) -> None:
    got = ask(gateway, size, how)
    assert got.status_code == 200, error_of(got)
    assert got.json()["choices"][0]["message"]["content"] == "A" * size
    outcome = gateway.record(got.headers["x-prism-decision-id"])["outcome"]
    # As of any answer that says its length, usage is read up to what a request may have.
    assert outcome.get("outputTokens") == (9 if size < 1_000_000 else None)


@pytest.mark.parametrize("how", _LENGTHS)
def test_more_than_can_be_held_is_a_clear_error(gateway: Gateway, how: str) -> None:
    got = ask(gateway, 70_000_000, how)
    assert got.status_code == 500
    assert error_of(got)["code"] == "answer_too_large"


def test_a_client_of_anthropic_s_api_gets_it_in_its_own_words(gateway: Gateway) -> None:
    got = ask(gateway, 70_000_000, "chunked", path="messages", model="gpt", max_tokens=9)
    assert got.status_code == 500
    assert got.json()["type"] == "error"
    assert got.json()["error"]["code"] == "answer_too_large"
