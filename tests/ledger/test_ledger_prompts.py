"""Prompts in a real ledger: redacted or encrypted, never without a key, gone with a decision."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from prism.ledger.prompts import KeptPrompt, find_prompt
from prism.ledger.retention import Bounds, throw_away
from prism.ledger.sealing import Keys, NoKey, Sealing, opened
from prism.ledger.store import Store
from prism.ledger.waiting import MOST_BYTES, Waiting
from prism.ledger.writer import Writer
from prism.prompt.kept import Prompt
from prism.routing.catalog import Prompts

from .entries import START_S, decided

WORDS = "mail zoe@example.org about the zebra"
BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": WORDS}]}).encode()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "prompt.key"
    file.write_bytes(Fernet.generate_key() + b"\n")
    return file


def keep(store: Store, how: Prompts, file: Path | None) -> tuple[str, Writer]:
    """Write one decision with its prompt."""
    record = decided()
    writer = Writer(store, Bounds(), clock=lambda: START_S, keys=Keys(file))
    writer.start()
    writer.decided(record)
    writer.prompted(Prompt(record.decision_id, how, BODY))
    writer.close()
    return record.decision_id, writer


def found(store: Store, name: str) -> KeptPrompt | None:
    with store.reading() as connection:
        return find_prompt(connection, name)


def test_redacted(store: Store) -> None:
    name, _ = keep(store, Prompts.REDACTED, None)
    assert found(store, name) == KeptPrompt(Prompts.REDACTED, "user: mail [email] about the zebra")


def test_encrypted_and_opened_with_the_key(store: Store, key: Path) -> None:
    name, writer = keep(store, Prompts.ENCRYPTED, key)
    kept = found(store, name)
    assert kept is not None
    assert "zebra" not in kept.kept
    assert opened(name, kept.how, kept.kept, Keys(key)) == f"user: {WORDS}"
    with pytest.raises(NoKey, match="another decision's"):
        opened("another", kept.how, kept.kept, Keys(key))
    assert writer.status()["prompts"] == {"lost": 0, "refused": 0, "trouble": None}


@pytest.mark.parametrize("case", ["no file", "gone", "empty", "no key"])
def test_without_a_key_none_is_kept_and_it_is_said_why(
    store: Store, tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "key"
    if case in ("empty", "no key"):
        file.write_text("" if case == "empty" else "c2hvcnQ=\n")
    name, writer = keep(store, Prompts.ENCRYPTED, None if case == "no file" else file)
    assert found(store, name) is None
    said = writer.status()["prompts"]
    assert said["refused"] == 1
    assert "prompts are to be encrypted, and none is kept" in said["trouble"]
    assert "prompts are to be encrypted" in caplog.text
    assert "zebra" not in caplog.text
    assert "c2hvcnQ" not in caplog.text + said["trouble"]


def test_a_key_that_changes(store: Store, key: Path, tmp_path: Path) -> None:
    keys = Keys(key)
    sealing, old = Sealing(keys), key.read_bytes()
    first = sealing.sealed(Prompt("a", Prompts.ENCRYPTED, BODY))
    key.write_bytes(Fernet.generate_key() + b"\n" + old)
    os.utime(key, ns=(1, 1))
    second = sealing.sealed(Prompt("b", Prompts.ENCRYPTED, BODY))
    assert first is not None
    assert second is not None
    assert opened("a", Prompts.ENCRYPTED, first, keys).endswith("zebra")
    only_old = tmp_path / "old"
    only_old.write_bytes(old)
    assert opened("a", Prompts.ENCRYPTED, first, Keys(only_old)).endswith("zebra")
    with pytest.raises(NoKey, match="no key in the file opens this prompt"):
        opened("b", Prompts.ENCRYPTED, second, Keys(only_old))


def test_a_prompt_goes_with_its_decision(store: Store) -> None:
    name, _ = keep(store, Prompts.REDACTED, None)
    with store.writing() as connection:
        throw_away(connection, round(START_S * 1000) + 1)
    assert found(store, name) is None


def test_prompts_wait_within_a_bound_of_their_own() -> None:
    waiting = Waiting()
    half = b"x" * (MOST_BYTES // 2)
    for number in range(3):
        waiting.prompted(Prompt(str(number), Prompts.REDACTED, half))
    assert (len(waiting), waiting.prompts_lost) == (2, 1)
    assert waiting.take(10).prompts.keys() == {"0", "1"}
    waiting.prompted(Prompt("3", Prompts.REDACTED, half))
    assert len(waiting) == 1
