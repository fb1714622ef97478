"""``make bench-savings``: how long ``prism savings`` takes for a log, and how much memory.

Writes a log of made-up requests (the prompts of the tests in turn, each with a number of its own,
padded to the lengths of a chat), reads it with all cores, and writes
``build/bench/bench-savings.json``. Memory is the sum over its processes, looked at twice a second.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
PROMPTS = ROOT / "tests" / "data" / "classifier" / "prompts.jsonl"
MODELS = ("gpt-5.5", "gpt-4o-2024-08-06", "gpt-5-mini", "claude-sonnet-4-5-20250929")
LOOK_S = 0.5


def lines(number: int) -> Iterator[str]:
    """Pairs of request and answer, one a line; the same ones each time."""
    chance = random.Random(6)
    said = [json.loads(line)["text"] for line in PROMPTS.open(encoding="utf-8")]
    for count in range(number):
        model, text = chance.choice(MODELS), said[count % len(said)]
        text = " ".join([text, *[f"Context {count}:", text] * chance.randrange(6)])
        words, cached = chance.randrange(10, 120), chance.choice((0, 0, 512))
        message = {"role": "assistant", "content": "word " * words}
        request = {"model": model, "messages": [{"role": "user", "content": text}]}
        usage = {
            "prompt_tokens": len(text) // 4 + 600,
            "completion_tokens": words,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        answer = {"model": model, "choices": [{"message": message}], "usage": usage}
        yield json.dumps({"request": request, "response": answer})


def write(log: Path, number: int) -> None:
    """Write a log of so many lines."""
    with log.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines(number))


def resident(process: psutil.Process) -> int:
    """Bytes that a process and its children hold, shared ones counted once (PSS)."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def measured(log: Path) -> dict[str, float]:
    """Seconds on the clock and of processors, and the most MiB that were held."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "prism", "savings", str(log)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    most, looked = 0, psutil.Process(process.pid)
    while process.poll() is None:
        most = max(most, resident(looked))
        time.sleep(LOOK_S)
    if process.returncode:
        raise SystemExit(f"prism savings ended with {process.returncode}")
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": round(most / 1024**2),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench/bench-savings.json")
    parser.add_argument("--log", type=Path, help="only write the log, to this file")
    options = parser.parse_args()
    if options.log is not None:
        write(options.log, options.lines)
        return
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        write(log, options.lines)
        mib = round(log.stat().st_size / 1024**2)
        print(f"{options.lines:,} lines, {mib:,} MiB", flush=True)
        found = {"lines": options.lines, "mib": mib, "cores": psutil.cpu_count(), **measured(log)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
