"""``prism budget`` over what an admin endpoint may say."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner, Result

from prism.cli import main

SPENT = {
    "project": "acme",
    "period": "Day",
    "action": "Refuse",
    "maxUsd": 50.0,
    "spentUsd": 40.0213,
    "reservedUsd": 0.0034,
    "room": True,
    "known": True,
    "resetsAt": 1_795_824_000,
}


@contextmanager
def saying(answer: object) -> Iterator[str]:
    """An HTTP server with that answer to everything; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def budget(answer: object, *args: str) -> Result:
    with saying(answer) as address:
        return CliRunner().invoke(main, ["budget", "--admin", address, *args])


def test_budgets_are_a_table_or_json() -> None:
    result = budget([SPENT])
    assert result.exit_code == 0, result.output
    head, row = result.stdout.splitlines()
    assert head.startswith("project  period  action  budget")
    assert row.split("  ")[0] == "acme"
    assert "$50.0000  $40.0213  $0.0034    open   2026-11-28 00:00Z" in row
    assert json.loads(budget([SPENT], "--json").stdout) == [SPENT]
    assert "project 'x' has no budget" in budget([SPENT], "--project", "x").stdout
    assert "no project has a budget" in budget([]).stdout
    unknown = {**SPENT, "room": False, "known": False}
    assert "unknown" in budget([unknown]).stdout
    assert "spent  2026" in budget([{**unknown, "known": True}]).stdout


@pytest.mark.parametrize("answer", [{"error": "not found"}, ["a"], "text"])
def test_another_server_is_told_from_prism(answer: object) -> None:
    result = budget(answer)
    assert result.exit_code == 1
    assert "/budgets: no admin endpoint of Prism" in result.stderr
