"""The console of a real gateway: a request that went through it is there, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

from . import config
from .running import Gateway, chat, free_port, until

MARK = "zebra-9921"


def test_a_request_is_on_the_console_of_its_gateway(
    own_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-that-is-long\n")
    port = free_port()
    options = ("--console", f"0.0.0.0:{port}", "--console-token", str(token))
    gateway = own_gateway(*options)
    console = httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": "Bearer a-token-that-is-long"},
        timeout=60,
    )
    answer = httpx.post(
        f"{gateway.base_url}/chat/completions",
        json=chat(f"What is the capital of {MARK}?"),
        headers={"authorization": f"Bearer {config.CLIENT_KEY}"},
        timeout=60,
    )
    name = answer.headers["x-prism-decision-id"]
    until(lambda: name in console.get("/decisions").text, "the decision to be listed")
    until(lambda: "200 from mini" in console.get(f"/decisions/{name}").text, "its outcome")
    for path in ("/", "/decisions", f"/decisions/{name}", "/spend", "/table", "/health"):
        page = console.get(path)
        assert page.status_code == 200
        assert MARK not in page.text
        assert not any(secret in page.text for secret in config.KEYS.values())
        assert httpx.get(f"http://127.0.0.1:{port}{path}").status_code == 401
    assert "ALPHA_KEY" in console.get("/health").text
    before = gateway.status()["planVersion"]
    table = gateway.config / "table.yaml"
    table.write_text(table.read_text().replace("maxAttempts: 3", "maxAttempts: 2"))
    until(lambda: gateway.status()["planVersion"] != before, "the change to be live")
    assert before in console.get("/table").text  # what the last change changed, against it
    console.close()
