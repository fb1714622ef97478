"""Report pages in a real Chromium: with one model and with sixty, long names, prices of nothing.

``PRISM_PICTURES=DIR`` leaves a picture of every page there, to look at.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from playwright.sync_api import Browser
from tests.unit.calibrating import base, published

from prism.calibrate.build import Calibrated, calibrate
from prism.calibrate.document import table_yaml
from prism.calibrate.settings import Settings
from prism.cli import main
from prism.report.calibration import calibration_page
from prism.report.simulation import simulation_page
from prism.routing.catalog import Mode, Task
from prism.simulate.again import Again
from prism.simulate.difference import Difference

from .browser import pictures

LOOKS = [("light", 1200), ("dark", 380)]
PATIENCE_MS = 60_000
"""A busy machine is slow; nothing here waits this long where all is well."""


def named(count: int) -> list[str]:
    return [f"m{number}-with-a-very-long-name-instruct-2026-11-27" for number in range(count)]


def calibrated(count: int) -> Calibrated:
    models = named(count)
    # The first of them is free.
    measured = [
        published(model, 0.4 + 0.5 * place / count, price=float(place))
        for place, model in enumerate(models)
    ]
    return calibrate(base(*models), measured, {}, Settings())


def calibration(count: int) -> str:
    found = calibrated(count)
    return calibration_page(found, found.table)


def simulation(count: int) -> str:
    difference = Difference()
    for number, model in enumerate(named(count)):
        before, after = (model, None) if number % 3 == 2 else ("small", model)
        costs = (None, 0.0) if number % 5 == 4 else (0.001, 0.1 * number)
        one = Again(
            *(f"{number:028x}", f"project-{number}", Task.CODE, Mode.ECO, before, after),
            *(*costs, 0.5, 0.5, "cell (code, eco): " + ", ".join(named(5))),
        )
        difference.add(one, 3)
    return simulation_page(difference, ["a limit is broken"], ["a-change-with-a-long-name.yaml"])


def savings(count: int, folder: Path) -> str:
    log, page, table = folder / "log.jsonl", folder / "page.html", folder / "table.yaml"
    table.write_text(table_yaml(calibrated(count)), "utf-8")
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    lines = [
        {
            "request": {"messages": [{"role": "user", "content": f"Sort {number} numbers"}]},
            "response": {"model": model, "usage": usage},
        }
        for number, model in enumerate(named(count))
    ]
    log.write_text("\n".join(map(json.dumps, [*lines, {"no": "model"}])), "utf-8")
    result = CliRunner().invoke(
        main, ["savings", str(log), "--config", str(table), "--report", str(page)]
    )
    assert result.exit_code == 0, result.output
    return page.read_text("utf-8")


@pytest.mark.parametrize("kind", ["calibration", "savings", "simulation"])
@pytest.mark.parametrize("count", [1, 60])
def test_a_report_is_whole_wherever_it_is_read(
    browser: Browser,
    tmp_path: Path,
    kind: Literal["calibration", "savings", "simulation"],
    count: int,
) -> None:
    if kind == "savings":
        text = savings(count, tmp_path)
    else:
        text = calibration(count) if kind == "calibration" else simulation(count)
    file = tmp_path / f"{kind}.html"
    file.write_text(text, "utf-8")
    for scheme, width in LOOKS:
        context = browser.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 800},
        )
        context.set_default_timeout(PATIENCE_MS)
        page, wrong = context.new_page(), []
        page.on("console", lambda said, wrong=wrong: wrong.append(said.text))
        page.on("request", lambda asked, wrong=wrong: wrong.append(asked.url))
        page.goto(file.as_uri())
        if (folder := pictures()) is not None:
            page.screenshot(path=folder / f"{kind}-{count}-{scheme}-{width}.png", full_page=True)
        # Wide tables scroll by themselves, never the page.
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg").count() >= 2
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        context.close()
        assert [url for url in wrong if url != file.as_uri()] == []
