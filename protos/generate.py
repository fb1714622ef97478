"""Generate the Python code of the protos, or check that what is there is current."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
TARGET = HERE.parent / "extproc"


def generate(out: Path) -> list[Path]:
    """Write ``*_pb2.py`` and ``*_pb2.pyi`` under ``out``; returns their paths below it."""
    protos = sorted(HERE.rglob("*.proto"))
    names = [str(proto.relative_to(HERE)) for proto in protos]
    arguments = ["protoc", f"-I{HERE}", f"--python_out={out}", f"--pyi_out={out}", *names]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")
    made = [Path(name).with_suffix("") for name in names]
    return [path.with_name(path.name + end) for path in made for end in ("_pb2.py", "_pb2.pyi")]


def main() -> None:
    """Generate in place, or with ``--check`` compare with a fresh generation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is current")
    if not parser.parse_args().check:
        for path in generate(TARGET):
            sys.stdout.write(f"{path}\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        stale = [
            path
            for path in generate(Path(folder))
            if not (TARGET / path).exists() or _code(TARGET / path) != _code(Path(folder) / path)
        ]
    if stale:
        sys.exit(f"out of date: {', '.join(map(str, stale))}; run make protos")


def _code(path: Path) -> list[str]:
    """The file's lines without those that name the generator's version."""
    lines = path.read_text("utf-8").splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("DESCRIPTOR")), 0)
    return lines[start:]


if __name__ == "__main__":
    main()
