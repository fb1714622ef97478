"""One Kubernetes API for all cluster tests; each takes a namespace of its own in it."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from .kube import Kube, ServerNotOurs, cluster
from .kube_tools import ToolMissing

REQUIRED = "PRISM_REQUIRE_CLUSTER"
"""Set (to 1, by CI), a cluster that cannot be had is a failure and not a skip."""

_not_run: dict[str, int] = {}


@pytest.fixture(scope="session")
def kube(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kube]:
    """A real API server with the CRDs of Prism in it."""

    def say(line: str) -> None:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", end="", flush=True)  # noqa: T201 - a build is minutes of silence

    try:
        with cluster(tmp_path_factory.mktemp("kube"), say) as made:
            yield made
    except ToolMissing as missing:
        _not_run.setdefault(str(missing), 0)
        if os.environ.get(REQUIRED):
            raise
        pytest.skip(str(missing))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    except ServerNotOurs as reason:
        pytest.skip(str(reason))
