"""Prompts of public sets with our labels: ``python training/outside.py FILE... > labelled.jsonl``.

``outside.jsonl`` has the labels that two readers gave 2,123 prompts, and of each prompt nothing
but its SHA-256: the sets are not ours to hand on. This finds the prompts in the sets' own files
(JSON or JSON lines, also as .gz; README.md says which) and writes what ``prism classify --score``
reads. None of them is trained on.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

LABELS = Path(__file__).parent / "outside.jsonl"
_FIRST, _NEXT = "\n\nHuman: ", "\n\nAssistant:"


def main() -> None:
    """Write the labelled prompts, and on standard error which sets are not whole."""
    parser = argparse.ArgumentParser(
        description="Writes prompts of public sets with our labels, one JSON object a line, as "
        "prism classify --score reads them; on standard error, what is in none of the files."
    )
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="a file of a set")
    parser.add_argument(
        "--agreed", action="store_true", help="only prompts to which both readers gave one label"
    )
    asked = parser.parse_args()
    labels = {said["sha256"]: said for said in _lines(LABELS.read_text(encoding="utf-8"))}
    missing = dict(labels)
    for path in asked.files:
        for text in _texts(_values(path)):
            said = missing.pop(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), None)
            if said is not None and not (asked.agreed and "or" in said):
                line = {"text": text, "task": said["task"], "source": said["source"]}
                print(json.dumps(line))
    for source in dict.fromkeys(said["source"] for said in labels.values()):
        gone = sum(said["source"] == source for said in missing.values())
        if gone:
            whole = sum(said["source"] == source for said in labels.values())
            print(f"{source}: {gone} of {whole} prompts are in none of the files", file=sys.stderr)


def _values(path: Path) -> Iterable[object]:
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SystemExit(f"{path}: not UTF-8: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise SystemExit(f"{path}: {error}") from error
    try:
        return [json.loads(text)]
    except ValueError:
        return _lines(text, path)


def _lines(text: str, path: Path = LABELS) -> Iterator[dict[str, str]]:
    # Not splitlines(): prompts may hold other line ends, U+2028 for one.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise SystemExit(
                    f"{path}:{number}: neither JSON nor JSON lines: {error}"
                ) from error


def _texts(values: Iterable[object]) -> Iterator[str]:
    """All strings, also inside of lists and objects; of a transcript its first turn too."""
    for value in values:
        if isinstance(value, str):
            text = value.strip()
            yield text
            if value.startswith(_FIRST):
                yield value.removeprefix(_FIRST).split(_NEXT, 1)[0].strip()
        elif isinstance(value, list):
            yield from _texts(value)
        elif isinstance(value, dict):
            yield from _texts(value.values())


if __name__ == "__main__":
    main()
