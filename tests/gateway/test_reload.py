"""Changes go live without losing a request; broken ones are refused with every problem."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from prism.providers import SimulatedProviders

from . import config
from .running import Gateway, chat, until

QUESTION = chat("What is the capital of France?")


def urls(providers: SimulatedProviders) -> dict[str, str]:
    return {name: providers.url(name) for name in config.PROVIDERS}


def ask(gateway: Gateway, **more: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
    url, body = f"{gateway.base_url}/chat/completions", {**QUESTION, **more}
    return httpx.post(url, json=body, headers=headers, timeout=60)


def cells(model: str) -> dict[str, dict[str, list[str]]]:
    return {task: {mode: [model, "euro"] for mode in modes} for task, modes in config.CELLS.items()}


@contextmanager
def load(gateway: Gateway, clients: int = 4) -> Iterator[list[httpx.Response | Exception]]:
    """Requests without a pause while the block runs; yields what came of them."""
    results: list[httpx.Response | Exception] = []
    over = threading.Event()

    def work() -> None:
        headers = {"authorization": f"Bearer {config.CLIENT_KEY}"}
        with httpx.Client(base_url=gateway.base_url, headers=headers, timeout=60) as client:
            while not over.is_set():
                try:
                    results.append(client.post("/chat/completions", json=QUESTION))
                except httpx.HTTPError as error:
                    results.append(error)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(results) >= 20, "requests to flow")
        yield results
    finally:
        over.set()
        for thread in threads:
            thread.join()


def failed(results: list[httpx.Response | Exception]) -> list[object]:
    return [r for r in results if isinstance(r, Exception) or r.status_code != 200]


def test_a_change_loses_no_request(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway()
    with load(gateway) as results:
        for number in range(12):
            # New upstream names make new clusters; each round also moves every cell.
            model = ("mini", "giant", "coder", "thinker")[number % 4]
            table = config.table(urls(providers), cells=cells(model))
            if number % 2:
                for provider in table["spec"]["providers"]:
                    # The same place by another URL: every cluster is a new one.
                    provider["baseURL"] = provider["baseURL"].replace("127.0.0.1", "localhost")
            config.write(gateway.config, table, config.policies())
            until(
                lambda model=model: ask(gateway).headers["x-prism-model"] == model,
                f"{model} to answer",
            )
    assert failed(results) == []
    assert len(results) > 50


def test_a_broken_file_is_refused_and_the_last_good_stays(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders
) -> None:
    gateway = own_gateway()
    version = gateway.status()["planVersion"]
    table = config.table(urls(providers), cells={**cells("mini"), "code": {"eco": ["minni"]}})
    table["spec"]["providers"][0]["regoin"] = "us"
    config.write(gateway.config, table, config.policies())
    # The good one has warnings of its own.
    until(lambda: "regoin" in str(gateway.status()["problems"]), "the problems to be reported")
    status = gateway.status()
    assert status["planVersion"] == version
    assert ask(gateway).status_code == 200
    problems = {(p["path"], p["line"] > 0) for p in status["problems"]}
    assert ("spec.providers[0].regoin", True) in problems
    assert any("did you mean" in p["message"] for p in status["problems"])
    assert "table.yaml:" in gateway.log.read_text()
    # prism validate says the same, with exit status 1.
    checked = subprocess.run(
        [sys.executable, "-m", "prism", "validate", str(gateway.config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1
    for problem in status["problems"]:
        assert problem["message"] in checked.stdout
    # Mended, it goes live.
    config.write(gateway.config, config.table(urls(providers), cells=cells("giant")), [])
    until(lambda: gateway.status()["planVersion"] != version, "the mended file to be live")
    assert gateway.status()["problems"] == []


def test_a_restart_over_a_broken_folder_takes_the_last_good(
    own_gateway: Callable[..., Gateway],
) -> None:
    gateway = own_gateway()
    version = gateway.status()["planVersion"]
    config.replace(gateway.config / "table.yaml", "kind: [")
    until(lambda: gateway.status()["problems"], "the problem to be reported")
    gateway.kill("prism")
    until(lambda: gateway.ready() and gateway.status()["problems"], "prism to be back")
    assert gateway.status()["planVersion"] == version
    assert ask(gateway).status_code == 200


def test_a_new_key_file_is_used_without_a_restart(
    own_gateway: Callable[..., Gateway], providers: SimulatedProviders, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "ALPHA_KEY").write_text("wrong")
    gateway = own_gateway("--credentials", str(keys))
    assert ask(gateway, model="mini").status_code == 502, "whose provider does not"
    assert ask(gateway).headers["x-prism-model"] == "euro", "whose provider takes its key"
    config.replace(keys / "ALPHA_KEY", config.KEYS["ALPHA_KEY"] + "\n")
    until(lambda: ask(gateway, model="mini").status_code == 200, "the new key to be used")
