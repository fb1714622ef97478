"""Who gets into the console, and what every answer says to a browser."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from prism.cli import main
from prism.console.access import SESSION_S, Access, NoToken, Token, loopback

from .serving import Seen, serving

TOKEN = "correct-horse-battery"
HTML = {"Accept": "text/html"}


def test_beyond_this_machine_a_token_is_needed() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.7", "console.example"):  # noqa: S104
        with pytest.raises(NoToken, match="--console-token FILE or PRISM_CONSOLE_TOKEN"):
            Access.where(host, None)
        assert Access.where(host, Token(TOKEN)).token is not None
    for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"):
        assert loopback(host)
        assert Access.where(host, None).token is None


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoToken, match="at least 16"):
        Access.where("127.0.0.1", Token("short"))
    with pytest.raises(NoToken, match="can't be read"):
        Access.where("127.0.0.1", Token(file=tmp_path / "missing"))


@pytest.mark.parametrize("verb", ["run", "serve"])
def test_no_server_starts_with_an_open_console(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PRISM_CONSOLE_TOKEN", raising=False)
    config = Path(__file__).parents[2] / "examples" / "demo"
    sockets = ["--socket", str(tmp_path / "s"), "--envoy-admin", str(tmp_path / "a")]
    options = ["--config", str(config), *(sockets if verb == "serve" else [])]
    result = CliRunner().invoke(main, [verb, *options, "--console", "0.0.0.0:0"])
    assert result.exit_code == 2
    assert "needs a token" in result.output
    result = CliRunner().invoke(main, [verb, *options, "--console-token", str(tmp_path / "t")])
    assert "--console-token needs --console" in result.output


def test_with_a_token_nothing_is_shown_without_it(seen: Seen) -> None:
    with serving(seen, Access(Token(TOKEN))) as url:
        for path in ("/", "/decisions", "/decisions/x", "/spend", "/table", "/health"):
            assert httpx.get(f"{url}{path}").status_code == 401
            said = httpx.get(f"{url}{path}", headers=HTML)
            assert (said.status_code, said.headers["location"]) == (303, "/login")
        assert httpx.post(f"{url}/table", data={"text": "x"}).status_code == 401
        assert httpx.get(f"{url}/", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(f"{url}/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert httpx.get(f"{url}/static/console.css").status_code == 200


def test_a_browser_signs_in_once(seen: Seen) -> None:
    now = [1_790_000_000.0]
    with serving(seen, Access(Token(TOKEN), clock=lambda: now[0])) as url:
        wrong = httpx.post(f"{url}/login", data={"token": "wrong"})
        assert wrong.status_code == 403
        assert "That is not the token" in wrong.text
        right = httpx.post(f"{url}/login", data={"token": TOKEN})
        cookie = right.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict"))
        assert TOKEN not in cookie
        value = cookie.split(";")[0]
        assert httpx.get(f"{url}/", headers={"Cookie": value}).status_code == 200
        assert httpx.get(f"{url}/", headers={"Cookie": f"{value}0"}).status_code == 401
        later = value.replace("=17", "=27", 1)
        assert httpx.get(f"{url}/", headers={"Cookie": later}).status_code == 401
        now[0] += SESSION_S + 1
        assert httpx.get(f"{url}/", headers={"Cookie": value}).status_code == 401


def test_a_token_in_a_file_can_be_changed(seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with serving(seen, Access.where("0.0.0.0", Token(file=file))) as url:  # noqa: S104
        value = httpx.post(f"{url}/login", data={"token": TOKEN}).headers["set-cookie"]
        cookie = {"Cookie": value.split(";")[0]}
        assert httpx.get(f"{url}/", headers=cookie).status_code == 200
        file.write_text("another-long-enough-token")
        assert httpx.get(f"{url}/", headers=cookie).status_code == 401
        file.unlink()
        assert httpx.get(f"{url}/", headers=cookie).status_code == 401


def test_no_other_sites_page_gets_in(url: str) -> None:
    """By a name that leads here (DNS rebinding), or by a form that is sent from elsewhere."""
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", ""):
        assert httpx.get(f"{url}/", headers={"Host": host}).status_code in (400, 421)
    for host in ("localhost:9000", "127.0.0.1", "[::1]:1"):
        assert httpx.get(f"{url}/static/console.js", headers={"Host": host}).status_code == 200
    said = httpx.post(f"{url}/table", headers={"Sec-Fetch-Site": "cross-site"}, data={"text": ""})
    assert said.status_code == 403


def test_what_every_answer_says(url: str) -> None:
    for path in ("/", "/decisions/unknown", "/nothing", "/?task=nonsense", "/static/console.css"):
        headers = httpx.get(f"{url}{path}").headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert ("no-store" in headers["cache-control"]) == ("static" not in path)
