"""The classifier: which models it refuses, what it answers to any string, how well it reads."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prism.classify import HEAD_CHARS, SHIPPED, TAIL_CHARS, Classifier, ModelRefused
from prism.classify.features import Reader
from prism.classify.model_file import open_model
from prism.resources import read_text
from prism.routing.catalog import ABSTAINS_ON, TASKS, Task

DATA = Path(__file__).parents[1] / "data"
PROMPTS = DATA / "classifier" / "prompts.jsonl"
SMALLEST = DATA / "resources" / "valid" / "table-smallest.yaml"
# What the own-written prompts must reach; the model card has the honest figures.
LEAST_RIGHT = 0.85
LEAST_RIGHT_BY_TASK = 0.7


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def shipped_with(tmp_path: Path, old: bytes, new: bytes) -> Path:
    """A copy of the shipped model with ``old`` replaced by ``new`` of the same length."""
    assert len(old) == len(new)
    content = SHIPPED.read_bytes()
    assert old in content
    path = tmp_path / "model.onnx"
    path.write_bytes(content.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"simple,code,reasoning,complex", b"simple,code,reasoning,Complex", "prism.classes"),
        (b"prism.format", b"prism.farmat", "prism.format is None"),
        (b"prism.words", b"prism.wards", "prism.words"),
        (b"prism.rows", b"prism.raws", "prism.rows"),
        (b"prism.pieces", b"prism.peaces", "prism.pieces"),
        (b"prism.sure_from", b"prism.sore_from", "prism.sure_from"),
        (b"prism.abstain_below", b"prism.obstain_below", "prism.abstain_below"),
        (b"l0.fi.packed", b"l0.fi.pocked", "it has no l0.fi.packed"),
        (b"\x05words", b"\x05wards", "inputs are"),
        (b"probabilities", b"prababilities", "outputs are"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, old: bytes, new: bytes, reason: str) -> None:
    path = shipped_with(tmp_path, old, new)
    with pytest.raises(ModelRefused, match=reason) as refused:
        Classifier(path)
    assert str(path) in str(refused.value)


def test_what_the_last_layer_reads_is_given_with_the_file_it_is_of(classifier: Classifier) -> None:
    found, other = classifier.classify("fix this loop").hidden, classifier.classify("hi").hidden
    assert found is not None
    assert other is not None
    assert found.classifier == classifier.digest == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert len(found.values) == 128
    assert found.values.tolist() != other.values.tolist()


def test_a_model_that_does_not_show_it_classifies_all_the_same(tmp_path: Path) -> None:
    found = Classifier(shipped_with(tmp_path, b"hidden", b"hudden")).classify("fix this loop")
    assert found.task is Task.CODE
    assert found.hidden is None


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(1_000)])
def test_files_that_are_no_models_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelRefused, match=r"not a readable ONNX model|metadata"):
        Classifier(path)


def test_a_cut_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(SHIPPED.read_bytes()[:-1_000])
    with pytest.raises(ModelRefused):
        Classifier(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.onnx"):
        Classifier(tmp_path / "none.onnx")


def test_probabilities_sum_to_one(classifier: Classifier) -> None:
    found = classifier.classify("How many legs has a spider?")
    assert tuple(found.probabilities) == TASKS
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert found.confidence == max(found.probabilities.values())
    assert found.probabilities[found.task] == found.confidence


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n" * 50, "\0", "\ud800", "a\udfff b", "\U0010ffff", "1", "?", "你", "ﷺ" * 3_000,
     "\u200b\u200d", "e\u0301" * 5_000, "İ" * 4_000, "x" * 1_000_000, " " * 1_000_000,
     "مرحبا", "नमस्ते", "สวัสดี", "👩‍👩‍👧‍👦" * 400],
)  # fmt: skip
def test_strange_texts_are_answered(classifier: Classifier, text: str) -> None:
    found = classifier.classify(text)
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)


@given(st.text(st.characters(codec=None), max_size=300))
@settings(deadline=None, max_examples=200)
def test_any_text_is_answered(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).task in TASKS


def test_a_batch_is_answered_in_order(classifier: Classifier) -> None:
    texts = [json.loads(line)["text"] for line in PROMPTS.read_text("utf-8").splitlines()][:20]
    # Texts of nothing, of too many words, and wrapped ones among others are read as they are alone.
    texts += [
        "",
        "one word " * 300,
        "user: hello\nassistant: hi\nuser: prove that 2 is prime",
        "\n",
    ]
    found = classifier.classify_batch(texts)
    for said, text in zip(found, texts, strict=True):
        alone = classifier.classify(text)
        assert said.task is alone.task
        assert dict(said.probabilities) == pytest.approx(alone.probabilities, abs=1e-6)
        assert said.hidden is not None
        assert alone.hidden is not None
        assert said.hidden.values.tolist() == pytest.approx(alone.hidden.values.tolist(), abs=1e-4)
    assert classifier.classify_batch([]) == []


def test_only_head_and_tail_are_read(classifier: Classifier) -> None:
    head, tail = "plan a trip " * HEAD_CHARS, " with three friends" * TAIL_CHARS
    short = classifier.classify(head[:HEAD_CHARS] + "a" * 10 + tail[-TAIL_CHARS:])
    other = classifier.classify(head[:HEAD_CHARS] + "def f(): pass;" * 9_000 + tail[-TAIL_CHARS:])
    assert short == other


def test_blanks_at_the_end_do_not_count(classifier: Classifier) -> None:
    text = "Which of these is a fruit: apple, chair or car?"
    assert classifier.classify(text + " \n\t" * 2_000) == classifier.classify(text)


def test_threads_get_their_own_answers(classifier: Classifier) -> None:
    texts = ["hi", "write a for loop in rust", "prove that 2 is prime", "plan my wedding"] * 5
    wanted = classifier.classify_batch(texts)
    found: dict[int, object] = {}

    def work(number: int) -> None:
        found[number] = classifier.classify_batch(texts)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(found.values()) == [wanted] * 4


def test_own_prompts_are_read_well(classifier: Classifier) -> None:
    rows = [json.loads(line) for line in PROMPTS.read_text("utf-8").splitlines()]
    found = classifier.classify_batch([row["text"] for row in rows])
    wrong = [
        f"{row['task']} read as {said.task}: {row['text']}"
        for row, said in zip(rows, found, strict=True)
        if said.task != row["task"]
    ]
    assert len(wrong) <= (1 - LEAST_RIGHT) * len(rows), "\n".join(wrong)
    total, missed = Counter(row["task"] for row in rows), Counter(w.split()[0] for w in wrong)
    assert set(total) == set(Task)
    for task, count in total.items():
        assert missed[task] <= (1 - LEAST_RIGHT_BY_TASK) * count, "\n".join(wrong)


def test_the_shipped_model_is_small_and_advises_a_threshold(classifier: Classifier) -> None:
    assert SHIPPED.stat().st_size <= 24 * 2**20
    assert 0.25 < classifier.abstain_below < 1


def test_tables_abstain_as_the_shipped_model_advises(classifier: Classifier) -> None:
    said = read_text(SMALLEST.read_bytes(), "table")[0][0].spec["classifier"]
    assert said["abstainBelow"] == classifier.abstain_below
    assert frozenset(said["abstainOn"]) == ABSTAINS_ON


def test_where_the_words_leave_doubt_the_encoder_decides(classifier: Classifier) -> None:
    texts = [json.loads(line)["text"] for line in PROMPTS.read_text("utf-8").splitlines()]
    firsts = classifier.first(texts)
    assert {sure for _, sure in firsts} == {True, False}
    model = open_model(SHIPPED, 1)
    limits = model.doubt.limits(Reader(model.vocabulary).features_of(texts).shape)
    assert len(set(limits)) == 2
    for text, (first, sure), limit in zip(texts, firsts, limits, strict=True):
        assert sure is (first.confidence >= limit)
        whole, second = classifier.classify(text), classifier.second(text)
        assert whole == (first if sure else second)
        # A predictor reads the same of a prompt, however often it was looked at.
        assert first.hidden is not None
        assert second.hidden is not None
        assert second.hidden.values.tolist() == pytest.approx(
            first.hidden.values.tolist(), abs=1e-4
        )


def test_onnxruntime_is_told_not_to_report_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    Classifier()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
