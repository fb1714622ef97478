"""An explanation as a tree of text, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prism.routing.attempt import Attempt, duration, in_words
from prism.routing.cost import usd

_WIDTH = 12
Branch = tuple[str, str, Sequence[str]]
"""What it is about, what is said of it, and the lines below it."""


def tree(explained: Mapping[str, Any]) -> str:
    """The lines of an ``explanation``, each ended."""
    lines = [title(explained)]
    found = [*branches(explained)]
    for number, (name, text, below) in enumerate(found, 1):
        last = number == len(found)
        lines.append(f"{'└─' if last else '├─'} {name:<{_WIDTH}}{text}".rstrip())
        stem = "   " if last else "│  "
        for place, line in enumerate(below, 1):
            lines.append(f"{stem}{'└─' if place == len(below) else '├─'} {line}")
    return "".join(f"{line}\n" for line in lines)


def title(said: Mapping[str, Any]) -> str:
    """Which decision it is, of when, and by which plan."""
    title = f"decision {said['id']}"
    if (time := said.get("time")) is not None:
        when = datetime.fromtimestamp(time, UTC).isoformat(" ", "seconds")
        title += f" of {when.removesuffix('+00:00')} UTC"
    return f"{title}, plan {said['planVersion']}"


def branches(said: Mapping[str, Any]) -> Iterator[Branch]:
    """What the tree says below its title, in order."""
    if signals := said.get("signals"):
        yield "request", _request(signals), ()
    yield "task", _task(said), ()
    yield "mode", said["mode"], ()
    yield "policy", said["policy"] or "none", [f"table {said['table']}"]
    general = [reason for reason in said["reasons"] if "model" not in reason]
    yield "steps", "", [f"{reason['step']:<10}{reason['text']}" for reason in general]
    yield "candidates", "", [*_candidates(said["candidates"])]
    if (estimate := said["estimate"]) is not None:
        yield "estimate", _estimate(estimate), ()
    if (tried := said.get("candidateTable")) is not None:
        yield "compared", _compared(tried), [*_other(tried)]
    if (refusal := said["refusal"]) is not None:
        first, *others = refusal["message"].split("\n")
        yield "refused", f"{refusal['status']} {refusal['code']}: {first}", others
    if "outcome" in said:
        yield from _after(said)


def _request(signals: Mapping[str, Any]) -> str:
    pin = f", pin {signals['pin']!r}" if signals["pin"] is not None else ""
    needs = f", needs {', '.join(signals['needs'])}" if signals["needs"] else ""
    stream = ", streamed" if signals["stream"] else ""
    limits = "".join(f", {name} {value:g}" for name, value in signals["limits"].items())
    tokens = f"about {signals['inputTokens']:,} tokens"
    return f"model {signals['model']!r}{pin}, {tokens}{needs}{stream}{limits}"


def _task(said: Mapping[str, Any]) -> str:
    known = said["classification"]
    if known is None:
        return f"{said['task']} (not classified)"
    shares = known["probabilities"]
    ordered = sorted(shares, key=lambda task: -(shares[task] or 0))
    each = " · ".join(f"{task} {shares[task] or 0:.2f}" for task in ordered)
    return f"{said['task']} (classifier: {each})"


def _candidates(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Those to be tried in their order, then the others."""
    ordered = sorted(found, key=lambda one: (one["attempt"] is None, one["attempt"] or 0))
    for one in ordered:
        place = one["attempt"]
        mark = "✗ " if place is None else f"{place}."
        said = "; ".join(one["why"])
        if not said:
            said = "tried first" if place == 1 else "tried where those before it fail"
        yield f"{mark} {one['model']}: {said}"


def _estimate(estimate: Mapping[str, Any]) -> str:
    tokens = f"{estimate['inputTokens']:,} tokens in, {estimate['outputTokens']:,} out"
    return f"{tokens}, {usd(estimate['costUsd'])}, {duration(estimate['latencyMs'])}"


def _compared(tried: Mapping[str, Any]) -> str:
    """Which of the two tables decided."""
    decided, share = "decided" if tried["applied"] else "did not decide", tried["percent"]
    text = f"table {tried['name']}, the candidate of {tried['of']}, {decided} ({share}%)"
    agrees = tried["agrees"]
    return text if agrees is None else f"{text}; the two {'agree' if agrees else 'differ'}"


def _other(tried: Mapping[str, Any]) -> Iterator[str]:
    """What the other one would have done, and the last reason that it gives."""
    if (other := tried["other"]) is None:
        return
    if other["refusal"] is not None:
        yield f"table {other['table']} would refuse: {other['refusal']['message'].splitlines()[0]}"
        return
    text = f"table {other['table']} would try {', '.join(other['models'])}"
    yield f"{text}: {_estimate(other['estimate'])}"
    if tried["otherQuality"] is not None and tried["quality"] is not None:
        yield f"quality {tried['otherQuality']:.2f}, here {tried['quality']:.2f}"
    said = [reason["text"] for reason in other["reasons"] if "model" not in reason]
    yield f"its last reason: {said[-1]}"


def _after(said: Mapping[str, Any]) -> Iterator[Branch]:
    outcome = said["outcome"]
    if outcome is None:
        yield "outcome", "none" if said["refusal"] else "not known (yet)", ()
    else:
        if (tried := outcome.get("attempts")) is not None:
            yield "attempts", f"{tried}, in the order {', '.join(said['models'])}", _tried(outcome)
        yield "outcome", _outcome(outcome), [*_spent(outcome, said["costUsd"])]
    if "prompt" in said:
        words = said["prompt"]
        yield "prompt", "none is kept" if words is None else "", (words or "").splitlines()
    if said["feedback"]:
        yield "feedback", "", [_feedback(one) for one in said["feedback"]]


def _outcome(outcome: Mapping[str, Any]) -> str:
    status = outcome.get("status") or "no status"
    model, provider = outcome.get("model"), outcome.get("provider")
    return f"{status} from {model} ({provider})" if model else f"{status}, no model answered"


def _tried(outcome: Mapping[str, Any]) -> list[str]:
    return [in_words(Attempt.from_json_dict(one)) for one in outcome.get("tried", ())]


def _spent(outcome: Mapping[str, Any], cost_usd: float | None) -> Iterator[str]:
    read, written = outcome.get("inputTokens"), outcome.get("outputTokens")
    if read is not None and written is not None:
        cached = outcome.get("cachedInputTokens")
        of_them = f" ({cached:,} cached)" if cached else ""
        yield f"{read:,} tokens in{of_them}, {written:,} out"
    if cost_usd is not None:
        yield usd(cost_usd)
    if (total := outcome.get("totalMs")) is not None:
        first = outcome.get("firstByteMs")
        begun = "" if first is None else f"first byte after {duration(first)}, "
        yield f"{begun}over after {duration(total)}"
    if (trace := outcome.get("traceId")) is not None:
        yield f"trace {trace}"


def _feedback(one: Mapping[str, Any]) -> str:
    comment = f": {' '.join(one['comment'].split())}" if one["comment"] else ""
    labels = "".join(f" {name}={value}" for name, value in one["labels"].items())
    return f"{one['id']} {one['score']:g}{labels}{comment}"
