"""``docs/telemetry.md`` names every metric and attribute that the code has, and no other."""

from __future__ import annotations

import re
import time
from pathlib import Path

from prism.envoy.tracing import Tracing, gateway_tracing
from prism.serve.ads import Ads
from prism.serve.learning import Learning
from prism.serve.state import State
from prism.telemetry import attributes
from prism.telemetry.metric import About
from prism.telemetry.metrics import Metrics
from prism.telemetry.settings import SAMPLERS

from .test_serve_outcomes import Setting

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text("utf-8")


def metrics() -> list[About]:
    """Every metric of a server."""
    return [family.about for family in [*Metrics().read(), *state().read()]]


def state() -> State:
    """What a server just now is, before anything is live."""
    setting = Setting()
    learning = Learning.beginning(time.monotonic)
    return State(setting.processor, Ads(), setting.recent, learning, _Rollout(), None)  # type: ignore[arg-type]


class _Rollout:
    since = None
    origin = ""


def rows() -> list[str]:
    return [
        f"| `{about.name}` | `{about.prometheus}` | "
        f"{', '.join(f'`{label}`' for label in about.labels)} | {about.help} |".replace(
            "|  |", "| |"
        )
        for about in metrics()
    ]


def test_the_table_of_metrics_is_current() -> None:
    table = PAGE.partition("<!-- metrics: begin -->\n")[2].partition("<!-- metrics: end -->")[0]
    head = "| OpenTelemetry | Prometheus | labels | meaning |\n|---|---|---|---|\n"
    wanted = head + "\n".join(rows())
    assert table.strip() == wanted, f"the table should be:\n{wanted}"


def test_names_are_one_of_a_kind() -> None:
    found = metrics()
    assert len({about.name for about in found}) == len(found)
    assert len({about.prometheus for about in found}) == len(found)
    assert all(about.name.startswith("prism.") for about in found)


def test_every_attribute_is_explained_and_exists() -> None:
    section = PAGE.partition("### Attributes")[2].partition("## Metrics")[0]
    explained = set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))
    tracing = Tracing("h", 1, False, (), "s", 1.0, True)
    set_by_envoy = {tag["tag"] for tag in gateway_tracing(tracing)["custom_tags"]}
    ours = {value for name, value in vars(attributes).items() if name.isupper()}
    assert explained == ours | set_by_envoy


def test_samplers_are_named() -> None:
    for name in SAMPLERS:
        assert f"`{name.removeprefix('parentbased_')}`" in PAGE
