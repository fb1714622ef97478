"""What a schema cannot say about one ProjectPolicy by itself."""

from __future__ import annotations

from collections.abc import Iterator

from prism.resources.loose import Spec, entries, mapping, text, texts
from prism.resources.problem import Finding, Path, format_path, show, warning
from prism.resources.secrecy import key_hash

_EMPTY_HASH = key_hash("")


def lint_policy(spec: Spec) -> list[Finding]:
    """Findings about a defaulted spec; it may still have schema errors."""
    return [*_keys(spec), *_models(spec), *_forced(spec), *_budgets(spec)]


def _keys(spec: Spec) -> Iterator[Finding]:
    for index, key in entries(spec, "apiKeys"):
        if text(key, "sha256") == _EMPTY_HASH:
            message = 'is the hash of an empty key; "prism key new" makes a real one'
            yield Finding(("spec", "apiKeys", index, "sha256"), message)


def _models(spec: Spec) -> Iterator[Finding]:
    models = mapping(spec, "models")
    denied = {name for _, name in texts(models, "denied")}
    for index, name in texts(models, "allowed"):
        if name in denied:
            message = f"{show(name)} is denied as well, and denied wins; remove it from one list"
            yield warning(("spec", "models", "allowed", index), message)


def _forced(spec: Spec) -> Iterator[Finding]:
    models = mapping(spec, "models")
    denied = {name for _, name in texts(models, "denied")}
    allowed = {name for _, name in texts(models, "allowed")}
    first: dict[tuple[str, str], int] = {}
    for index, entry in entries(spec, "forced"):
        path: Path = ("spec", "forced", index)
        key = (text(entry, "task"), text(entry, "mode"))
        if key[0] and first.setdefault(key, index) != index:
            where = format_path(("spec", "forced", first[key]))
            what = f"task {key[0]}" + (f" in mode {key[1]}" if key[1] else "")
            yield Finding(path, f"{what} is already forced at {where}; keep one")
        model = text(entry, "model")
        if model in denied:
            message = f"{show(model)} is in spec.models.denied; force another or stop denying it"
            yield Finding((*path, "model"), message)
        elif model and allowed and model not in allowed:
            message = f"{show(model)} is not in spec.models.allowed; add it there or force another"
            yield Finding((*path, "model"), message)


def _budgets(spec: Spec) -> Iterator[Finding]:
    """A soft budget above the hard one of its period is never reached."""
    refused = {
        text(budget, "period"): budget.get("maxCost")
        for _, budget in entries(spec, "budgets")
        if text(budget, "action") == "Refuse"
    }
    for index, budget in entries(spec, "budgets"):
        most, soft = refused.get(text(budget, "period")), budget.get("maxCost")
        if not isinstance(most, int | float) or not isinstance(soft, int | float):
            continue
        if text(budget, "action") == "Eco" and soft >= most:
            message = f"has no effect: requests are refused from {most:g} on; give a smaller number"
            yield warning(("spec", "budgets", index, "maxCost"), message)
