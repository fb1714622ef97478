"""What a schema cannot say about one RoutingTable: names that must match, odd choices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from prism.resources.durations import seconds
from prism.resources.lint_predictor import lint_predictor
from prism.resources.loose import Spec, entries, mapping, names, number, text, texts
from prism.resources.problem import Finding, Path, did_you_mean, format_path, show, warning
from prism.resources.secrecy import looks_like_secret
from prism.routing.catalog import MODES, TASKS, Api, Capability
from prism.routing.identify import UNREAD_HEADERS, UNREAD_PREFIX

# Headers that Envoy or Prism set, or that carry something else than a project.
TAKEN_HEADERS = UNREAD_HEADERS | {
    "authorization",
    "host",
    "content-type",
    "content-length",
    "cookie",
}
_TAKEN_PREFIXES = (UNREAD_PREFIX, "x-prism-", "x-envoy-")
# The API server asks for the same form of a base URL; see the rules in the schema.
_NETLOC = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")


def lint_table(spec: Spec) -> list[Finding]:
    """Findings about a defaulted spec; it may still have schema errors."""
    return [
        *_providers(spec),
        *_models(spec),
        *_cells(spec),
        *_cell_prices(spec),
        *_settings(spec),
        *lint_predictor(spec),
    ]


def _providers(spec: Spec) -> Iterator[Finding]:
    used = {text(model, "provider") for _, model in entries(spec, "models")}
    # A misspelt provider is reported where it is used; the rest would only repeat it.
    sure = used <= names(spec, "providers").keys()
    for index, provider in entries(spec, "providers"):
        path: Path = ("spec", "providers", index)
        name = text(provider, "name")
        if sure and name and name not in used:
            yield warning(path, f"no model has the provider {show(name)}; add one or remove it")
        if message := _bad_url(text(provider, "baseURL")):
            yield Finding((*path, "baseURL"), message)
        for number_, credential in entries(provider, "credentials"):
            if looks_like_secret(text(credential, "key")):
                yield Finding(
                    (*path, "credentials", number_, "key"),
                    "looks like a key itself: put the NAME of the key here, such as "
                    "OPENAI_API_KEY, and the key into the credentials folder or Secret. "
                    "Replace the key: it has been written down",
                )


def _bad_url(url: str) -> str:
    """What is wrong with a base URL, or nothing. Never repeats the URL: it may hold a password."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        port = parts.port
        if parts.netloc.startswith("[") and IPv6Address(parts.hostname or "").ipv4_mapped:
            return "has an IPv4 address in IPv6 form; write the IPv4 address itself"
    except ValueError as error:
        return f"is not a URL: {str(error).partition(': ')[0].lower()}"
    if "@" in parts.netloc:
        return "has a user or password in it; name a key under credentials instead"
    if parts.scheme not in ("http", "https"):
        return "must begin with http:// or https://"
    if not _NETLOC.fullmatch(parts.netloc) or port == 0:
        return "must have a host name, in ASCII, and no port or one from 1 to 65535"
    if parts.path.rstrip("/").endswith(("/chat/completions", "/messages", "/embeddings")):
        return "is the URL of one endpoint; give the part before it, such as https://host/v1"
    return ""


def _models(spec: Spec) -> Iterator[Finding]:
    providers = names(spec, "providers")
    autos = {name for _, name in texts(spec, "autoNames")}
    for index, model in entries(spec, "models"):
        path: Path = ("spec", "models", index)
        provider = text(model, "provider")
        if provider and provider not in providers:
            hint = did_you_mean(provider, providers)
            message = f"no provider named {show(provider)} in spec.providers{hint}"
            yield Finding((*path, "provider"), message)
        if (name := text(model, "name")) in autos:
            message = f"{show(name)} is in spec.autoNames, so no request could ask for this model"
            yield Finding((*path, "name"), message)
        if text(providers.get(provider, {}), "api") == Api.ANTHROPIC:
            for place, capability in texts(model, "capabilities"):
                if capability == Capability.RESPONSES:
                    message = "its provider speaks Anthropic's API, which has no Responses"
                    yield warning((*path, "capabilities", place), message)
        yield from _price(mapping(model, "price"), (*path, "price"))


def _price(price: Spec, path: Path) -> Iterator[Finding]:
    full = number(price, "inputPerMillion")
    cached = number(price, "cachedInputPerMillion")
    if full is not None and cached is not None and cached > full:
        message = f"is more than inputPerMillion ({full:g}); cached tokens cost less"
        yield warning((*path, "cachedInputPerMillion"), message)
    for name in ("inputPerMillion", "outputPerMillion"):
        value = number(price, name)
        if value is not None and 0 < value < 0.0005:
            message = f"{value:g} looks like a price per token; write it per million tokens"
            yield warning((*path, name), message)


def _cells(spec: Spec) -> Iterator[Finding]:
    models = names(spec, "models")
    for task in TASKS:
        for mode in MODES:
            path: Path = ("spec", "cells", task.value, mode.value)
            cell = list(texts(mapping(mapping(spec, "cells"), task.value), mode.value))
            first: dict[str, int] = {}
            for index, name in cell:
                if first.setdefault(name, index) != index:
                    place = format_path((*path, first[name]))
                    message = f"{show(name)} is already at {place}; name each model once"
                    yield Finding((*path, index), message)
                elif name not in models:
                    hint = did_you_mean(name, models)
                    message = f"no model named {show(name)} in spec.models{hint}"
                    yield Finding((*path, index), message)
            if cell and all(name in models for name in first):
                yield from _failover(path, [models[name] for name in first])


def _failover(path: Path, cell: list[Spec]) -> Iterator[Finding]:
    if len(cell) == 1:
        yield warning(path, "has one model only, so nothing answers when it fails; add a second")
        return
    providers = {text(model, "provider") for model in cell}
    if len(providers) == 1:
        provider = providers.pop()
        message = f"all models are of {show(provider)}, so nothing answers when it is down"
        yield warning(path, message)


def _cell_prices(spec: Spec) -> Iterator[Finding]:
    """Eco must not cost more than sport. Only prices that are higher throughout count, so
    that no guess about the length of prompts and answers is needed."""
    models = names(spec, "models")
    for task in TASKS:
        cells = mapping(mapping(spec, "cells"), task.value)
        eco, sport = (next((n for _, n in texts(cells, m)), "") for m in ("eco", "sport"))
        if eco not in models or sport not in models:
            continue
        low, high = (mapping(models[name], "price") for name in (eco, sport))
        pairs = [(number(low, f), number(high, f)) for f in ("inputPerMillion", "outputPerMillion")]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        if len(known) == 2 and all(a >= b for a, b in known) and any(a > b for a, b in known):
            path: Path = ("spec", "cells", task.value, "eco", 0)
            message = f"{show(eco)} costs more than {show(sport)}, the first model of sport"
            yield warning(path, f"{message}; eco is meant to be the cheaper")


def _settings(spec: Spec) -> Iterator[Finding]:
    header = text(mapping(spec, "identity"), "trustedProjectHeader").lower()
    if header in TAKEN_HEADERS or header.startswith(_TAKEN_PREFIXES):
        message = f"{header} has another meaning; use a header of your own, such as x-project"
        yield Finding(("spec", "identity", "trustedProjectHeader"), message)
    retry, racing = mapping(spec, "retry"), mapping(spec, "racing")
    yield from _timeouts(retry)
    attempt = seconds(text(retry, "attemptTimeout"))
    if not list(texts(racing, "modes")):
        return
    if number(retry, "maxAttempts") == 1:
        message = "racing needs a second attempt; raise spec.retry.maxAttempts to 2 or more"
        yield warning(("spec", "racing", "modes"), message)
    if attempt and (number(racing, "waitMs") or 0) >= attempt * 1000:
        message = "is not shorter than spec.retry.attemptTimeout, so nothing would be raced"
        yield warning(("spec", "racing", "waitMs"), message)


def _timeouts(retry: Spec) -> Iterator[Finding]:
    path: Path = ("spec", "retry")
    for name in ("attemptTimeout", "totalTimeout"):
        value = text(retry, name)
        if value and not 0.01 <= seconds(value) <= 3600:
            yield Finding((*path, name), "must be from 10ms to 1h")
    attempt, total = (seconds(text(retry, n)) for n in ("attemptTimeout", "totalTimeout"))
    if 0 < total < attempt:
        message = "is shorter than spec.retry.attemptTimeout, so no attempt ever gets that long"
        yield warning((*path, "totalTimeout"), message)
