"""The YAML and the commands of the pages about Kubernetes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "kubernetes.md", *sorted((ROOT / "docs" / "recipes").glob("*.md"))]
_BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in _BLOCK.findall(page.read_text("utf-8")) if found == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_yaml_parses_and_names_what_it_is(page: Path) -> None:
    for text in blocks(page, "yaml"):
        for document in yaml.safe_load_all(text):
            assert isinstance(document, dict), text
            if "kind" in document:
                assert document["metadata"]["name"]
                assert "/" in document["apiVersion"], document["apiVersion"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_paths_and_make_targets_in_commands_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for text in blocks(page, "console"):
        for path in re.findall(r"\b((?:charts|examples)/[\w./-]+)", text):
            assert (ROOT / path).exists(), path
        for target in re.findall(r"\$ make ([a-z-]+)", text):
            assert target in targets, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_images_in_examples_have_the_charts_version(page: Path) -> None:
    chart = yaml.safe_load((ROOT / "charts/prism/Chart.yaml").read_text("utf-8"))
    for version in re.findall(r"prism-(?:extproc|operator):([\w.]+)", page.read_text("utf-8")):
        assert version in (chart["appVersion"], "VERSION"), version
