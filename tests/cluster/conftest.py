"""One Kubernetes API for all cluster tests; each takes a namespace of its own in it."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
from tests.cluster.kube_tools import ToolMissing
from tests.gateway import config
from tests.gateway.conftest import specs
from tests.gateway.running import simulated

from prism.providers import SimulatedProviders

from .kube import Kube, ServerNotOurs, cluster
from .release import Release

REQUIRED = "PRISM_REQUIRE_CLUSTER"
"""Set (to 1, by CI), a cluster that cannot be had is a failure and not a skip."""

_missing: set[str] = set()


@pytest.fixture(scope="session")
def kube(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kube]:
    """A real API server with the CRDs of Prism in it."""

    def say(line: str) -> None:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", end="", flush=True)  # noqa: T201 - a build is minutes of silence

    with cluster(tmp_path_factory.mktemp("kube"), say) as made:
        yield made


@pytest.fixture(scope="module")
def providers() -> Iterator[SimulatedProviders]:
    with simulated(specs()) as made:
        yield made


@pytest.fixture
def release(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The chart with certificates and provider keys, and nothing running yet."""
    made = Release(kube, tmp_path_factory.mktemp("r"))
    try:
        made.issue_certificates()
        keys = [f"--from-literal={name}={value}" for name, value in config.KEYS.items()]
        made.kubectl("create", "secret", "generic", "prism-credentials", *keys)
        yield made
    finally:
        made.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cluster tests are marked, and come last: they may have to build an API server first."""
    for item in items:
        if "kube" in getattr(item, "fixturenames", ()):
            item.add_marker("cluster")
    items.sort(key=lambda item: item.get_closest_marker("cluster") is not None)


def _skip_what_cannot_run() -> Generator[None, object, object]:
    try:
        return (yield)
    except ServerNotOurs as reason:
        pytest.skip(str(reason))
    except ToolMissing as reason:
        if os.environ.get(REQUIRED):
            raise
        _missing.add(str(reason))
        pytest.skip(str(reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _skip_what_cannot_run())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _skip_what_cannot_run())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, object, object]:
    """Say in the last lines what was not run, and how to run it."""
    result = yield
    if _missing:
        skipped = terminalreporter.stats.get("skipped", ())
        count = sum(any(why in str(report.longrepr) for why in _missing) for report in skipped)
        terminalreporter.section("NOT RUN", yellow=True)
        for reason in sorted(_missing):
            terminalreporter.write_line(reason)
        terminalreporter.write_line(
            f"So {count} tests of the chart or on a real Kubernetes API server were not run. With "
            "that in place, or with KUBEBUILDER_ASSETS or PRISM_TEST_KUBECONFIG set "
            "(docs/development.md): make test-cluster"
        )
    return result
