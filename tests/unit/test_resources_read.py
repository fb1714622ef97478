"""Reading: defaults, places, folders, and documents that did not come from text."""

from __future__ import annotations

import os
from collections import UserDict
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from prism.resources import Resource, Severity, check, read_document, read_folder, read_text
from prism.resources.problem import Problem, format_path

DATA = Path(__file__).parents[1] / "data/resources/valid"
HEAD = "apiVersion: routing.prism.dev/v1alpha1\nkind: ProjectPolicy\nmetadata: {name: a}\n"


def valid(name: str) -> Resource:
    resources, problems = read_text((DATA / name).read_bytes(), name)
    assert problems == []
    return resources[0]


def test_defaults_of_a_table() -> None:
    spec = valid("table-smallest.yaml").spec
    assert spec["defaultMode"] == "balanced"
    assert spec["autoNames"] == ["auto"]
    provider = spec["providers"][0]
    assert (provider["api"], provider["region"], provider["credentials"]) == ("OpenAI", "us", [])
    assert spec["models"][0]["capabilities"] == []
    assert spec["expectedOutputTokens"] == {
        "simple": 200,
        "code": 800,
        "reasoning": 1200,
        "complex": 1500,
    }
    assert spec["classifier"] == {
        "abstainBelow": 0.87,
        "abstainOn": ["simple"],
        "deadlineMs": 100,
        "safeTask": "complex",
    }
    assert spec["identity"] == {"apiKeys": "Optional"}
    assert spec["failureMode"] == "Open"
    assert spec["retry"] == {
        "maxAttempts": 3,
        "attemptTimeout": "30s",
        "budget": {"percent": 20, "reserve": 20},
    }
    assert spec["racing"] == {"modes": [], "wait": "Fixed", "waitMs": 0, "maxShare": 0.1}


def test_defaults_of_a_policy() -> None:
    assert valid("policy-smallest.yaml").spec == {
        "project": "smallest",
        "anonymous": False,
        "apiKeys": [],
        "budgets": [],
        "models": {"denied": []},
        "forced": [],
        "regions": {},
        "pins": "Allowed",
        "racing": "Allowed",
        "prompts": "NotKept",
        "limits": {},
    }


def test_a_partly_given_object_is_completed() -> None:
    text = (DATA / "table-smallest.yaml").read_text("utf-8") + "  retry: {maxAttempts: 1}\n"
    resource = read_text(text, "t")[0][0]
    assert resource.spec["retry"] == {
        "maxAttempts": 1,
        "attemptTimeout": "30s",
        "budget": {"percent": 20, "reserve": 20},
    }


def test_the_defaults_are_not_shared() -> None:
    first, second = valid("table-smallest.yaml"), valid("table-smallest.yaml")
    first.spec["autoNames"].append("x")
    assert second.spec["autoNames"] == ["auto"]


def test_the_trailing_slash_of_a_base_url_makes_no_difference() -> None:
    providers = valid("table-everything.yaml").spec["providers"]
    assert providers[0]["baseURL"] == "http://[::1]:8081/v1"


def test_generation_is_of_the_content_only() -> None:
    def generation(spec: str) -> str:
        return read_text(f"{HEAD}spec: {spec}\n", "p")[0][0].generation

    same = generation("{project: a, limits: {minQuality: 1}}")
    assert generation("{limits: {minQuality: 1.0}, project: 'a', pins: Allowed}") == same
    assert generation("{project: a, limits: {minQuality: 0.9}}") != same


def test_a_resource_knows_its_file_and_line() -> None:
    resources, _ = read_text((DATA / "together.yaml").read_bytes(), "dir/x.yaml")
    assert [resource.label for resource in resources] == [
        "RoutingTable/default",
        "ProjectPolicy/search",
        "ProjectPolicy/anonymous",
    ]
    assert resources[0].place == "dir/x.yaml:3"
    assert resources[0].namespace == "default"


def test_a_problem_as_text() -> None:
    full = Problem(Severity.ERROR, "is bad", "spec.a[1]", "config/t.yaml", 12, 7, "X/y")
    assert str(full) == "config/t.yaml:12:7: error: spec.a[1]: is bad"
    assert str(Problem(Severity.WARNING, "is odd", resource="X/y")) == "X/y: warning: is odd"
    assert str(Problem(Severity.ERROR, "no table")) == "error: no table"


def test_odd_keys_in_a_path() -> None:
    assert format_path(("spec", "a.b", 2, "", "x\n")) == 'spec["a.b"][2][""]["x\\n"]'


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("spec:\n  project: a\n  pins: no\n", 6, 9),
        ("spec:\n  project: a\n  limits:\n    minQuality: 2\n", 7, 17),
        ("spec:\n  project: a\n  forced:\n  - task: code\n", 7, 5),
        ("spec:\n  project: a\n  foo: 1\n", 6, 3),
        ('spec: {project: a, "foo": 1}\n', 4, 20),
    ],
)
def test_lines_and_columns(text: str, line: int, column: int) -> None:
    (problem,) = read_text(HEAD + text, "f.yaml")[1]
    assert (problem.line, problem.column) == (line, column)
    assert problem.resource == "ProjectPolicy/a"


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    text = (HEAD + "spec:\n  project: a\n  foo: 1\n").replace("\n", "\r\n")
    (problem,) = read_text(b"\xef\xbb\xbf" + text.encode(), "f")[1]
    assert (problem.line, problem.column) == (6, 3)


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "---\n---\n# x\n...\n"])
def test_empty_files_hold_nothing(text: str) -> None:
    assert read_text(text, "empty.yaml") == ([], [])


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", "\ud800", b"\x00", b"a: b\x00", HEAD.encode("utf-16")]
)
def test_what_is_no_text_is_one_problem(content: str | bytes) -> None:
    resources, problems = read_text(content, "x.yaml")
    assert resources == []
    assert len(problems) == 1


def test_a_file_that_is_too_large_is_not_read() -> None:
    _, (problem,) = read_text(b"#" * (16 * 1024 * 1024 + 1), "x.yaml")
    assert "split it" in problem.message


def test_a_folder_is_read_in_order_and_not_deeply(tmp_path: Path) -> None:
    for name, project in [("b.yml", "b"), ("a.yaml", "a"), (".hidden.yaml", "h"), ("c.txt", "c")]:
        (tmp_path / name).write_text(f"{HEAD}spec: {{project: {project}}}\n")
    (tmp_path / "deep.yaml").mkdir()
    (tmp_path / "deep.yaml/d.yaml").write_text("bad")
    resources, problems = read_folder(tmp_path)
    assert [resource.spec["project"] for resource in resources] == ["a", "b"]
    assert problems == []


def test_a_mounted_config_map_reads_like_plain_files(tmp_path: Path) -> None:
    data = tmp_path / "..2026_01_01"
    data.mkdir()
    (data / "p.yaml").write_text(f"{HEAD}spec: {{project: a}}\n")
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "p.yaml").symlink_to("..data/p.yaml")
    resources, problems = read_folder(tmp_path)
    assert [resource.file for resource in resources] == [str(tmp_path / "p.yaml")]
    assert problems == []


def test_what_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.yaml")
    _, problems = read_folder(tmp_path)
    assert [Path(problem.file).name for problem in problems] == ["gone.yaml", "pipe.yaml"]
    _, (problem,) = read_folder(tmp_path / "missing")
    assert problem.is_error


def test_a_loaded_document_of_any_mapping_type() -> None:
    loaded = yaml.safe_load(f"{HEAD}spec: {{project: a, forced: [{{task: code, model: m}}]}}\n")
    loaded["spec"] = MappingProxyType(loaded["spec"])
    resource, problems = read_document(UserDict(loaded))
    assert problems == []
    assert resource is not None
    assert resource.place == "ProjectPolicy/a"
    assert check({**loaded, "spec": {"project": ("a",), 3: 1}})


def test_a_document_that_contains_itself_is_refused() -> None:
    spec: dict[str, object] = {"project": "a"}
    spec["limits"] = spec
    assert check({**yaml.safe_load(HEAD), "spec": spec})


def test_what_kubernetes_adds_is_no_problem() -> None:
    metadata = {
        "name": "a",
        "namespace": "team",
        "uid": "1",
        "generation": 3,
        "managedFields": [],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }
    document = {**yaml.safe_load(HEAD), "metadata": metadata, "spec": {"project": "a"}}
    resource, problems = read_document({**document, "status": {"anything": 1}})
    assert problems == []
    assert resource is not None
    assert resource.namespace == "team"
