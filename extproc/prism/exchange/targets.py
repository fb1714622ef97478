"""Where an attempt goes: one target per model, compiled from the catalog and the keys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from prism.exchange.endpoints import API_ROOT
from prism.routing.catalog import Api, Catalog, Model, Provider
from prism.routing.plan import Plan

KEY_STATUS = (401, 403, 429)
"""What a provider answers to a key rather than to a request."""
RETRIABLE_STATUS = (408, *KEY_STATUS)
"""Besides every 5xx (529, overloaded, among them): another provider, or another key, may do
better."""
KEY_HEADERS = {Api.OPENAI: "authorization", Api.ANTHROPIC: "x-api-key"}
"""The header that carries the key, by the API that the provider speaks."""
Resting = Mapping[tuple[str, str], float]
"""The keys that had better not be used just now: (cluster, name of the key) to when that ends,
on any clock that is the same for all."""
NONE_RESTS: Resting = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a provider: the name of its credential, and what proves it.

    ``number`` is its place among the provider's credentials, missing ones counted too, so
    that it means the same for as long as the cluster has its name. ``value`` is what the
    provider's header for keys carries.
    """

    name: str
    number: int
    weight: int
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """A model at its provider.

    ``cluster`` is the name of its Envoy cluster: it changes with anything that the cluster
    is made of, so a request decided under an older plan never meets a newer cluster.
    ``base_path`` is what goes before the paths of its API. ``model_json`` is the upstream
    name as encoded JSON. ``keys`` are those that are there; empty where the provider takes
    none. ``missing_key`` names a key that should be there where none is.
    """

    cluster: str
    model: str
    provider: str
    base_url: str
    base_path: str
    model_json: bytes
    api: Api
    keys: tuple[Key, ...]
    missing_key: str | None

    @property
    def upstream_name(self) -> str:
        """The model as its provider names it."""
        name: str = msgspec.json.decode(self.model_json)
        return name

    def key(self, decision_id: str, resting: Resting = NONE_RESTS, again: int = 0) -> Key | None:
        """The key for a request; ``None`` where the provider takes none.

        Keys that don't rest are spread by weight over decision ids, whose last digits are
        random, so that neither chance nor memory is needed here. Those that do come after
        them, in the order in which their rests end. ``again`` is how many attempts of the
        request have had keys of this target before: each gets another, while there are any.
        """
        keys = self.keys
        if len(keys) < 2:
            return keys[0] if keys else None
        if resting:
            awake = tuple([key for key in keys if (self.cluster, key.name) not in resting])
            asleep = [key for key in keys if key not in awake]
            if asleep and again >= len(awake):
                asleep.sort(key=lambda key: resting[self.cluster, key.name])
                return asleep[min(again - len(awake), len(asleep) - 1)]
            keys = awake
        place = int(decision_id[-8:], 16)
        key = _at(place, keys)
        for _ in range(min(again, len(keys) - 1)):
            keys = tuple([other for other in keys if other is not key])
            key = _at(place, keys)
        return key

    def key_numbered(self, number: int | None) -> Key | None:
        """The key of that number; the only one needs none."""
        if len(self.keys) == 1:
            return self.keys[0]
        return next((key for key in self.keys if key.number == number), None)


@dataclass(frozen=True, slots=True)
class Live:
    """All that a request is routed with: the plan, and a target for each of its models.

    ``targets`` is keyed by table and model name. ``clusters`` is keyed by cluster name and
    also holds targets of older plans, for as long as a request decided under one may still
    start an attempt. ``only_api`` is the one that all providers of a table's models speak;
    ``None`` where they differ.
    """

    plan: Plan
    targets: Mapping[tuple[str, str], Target]
    clusters: Mapping[str, Target]
    only_api: Mapping[str, Api | None]

    @property
    def version(self) -> str:
        """The version of the plan."""
        return self.plan.version

    def targets_by_cluster(self) -> dict[str, Target]:
        """The targets of this plan alone, by cluster name."""
        return {target.cluster: target for target in self.targets.values()}


def is_failure(status: int) -> bool:
    """Whether another provider might have done better."""
    return status >= 500 or status in RETRIABLE_STATUS


def _at(place: int, keys: Sequence[Key]) -> Key:
    """The key at a place on a line on which each is as long as its weight, again and again."""
    place %= sum([key.weight for key in keys])
    for key in keys:
        if place < key.weight:
            return key
        place -= key.weight
    raise AssertionError("the place is below the sum of the weights")


def compile_live(plan: Plan, catalog: Catalog, keys: Mapping[str, str]) -> Live:
    """Join the plan with the credentials that are there; ``keys`` maps name to secret."""
    targets: dict[tuple[str, str], Target] = {}
    clusters: dict[str, Target] = {}
    for table in catalog.tables.values():
        for model in table.models.values():
            target = _target(model, table.providers[model.provider], keys)
            # Tables that name the same model at the same provider share its cluster.
            targets[table.name, model.name] = clusters.setdefault(target.cluster, target)
    return Live(plan, targets, clusters, _only_apis(targets))


def _only_apis(targets: Mapping[tuple[str, str], Target]) -> dict[str, Api | None]:
    found: dict[str, Api | None] = {}
    for (table, _), target in targets.items():
        found[table] = target.api if found.get(table, target.api) is target.api else None
    return found


def _target(model: Model, provider: Provider, keys: Mapping[str, str]) -> Target:
    scheme = "Bearer " if provider.api is Api.OPENAI else ""
    there = tuple(
        Key(credential.key, number, credential.weight, scheme + keys[credential.key])
        for number, credential in enumerate(provider.credentials)
        if keys.get(credential.key)
    )
    return Target(
        cluster=cluster_name(model, provider),
        model=model.name,
        provider=provider.name,
        base_url=provider.base_url,
        base_path=_base_path(provider),
        model_json=msgspec.json.encode(model.upstream_name),
        api=provider.api,
        keys=there,
        missing_key=provider.credentials[0].key if provider.credentials and not there else None,
    )


def _base_path(provider: Provider) -> str:
    """The path of the base URL. Anthropic's SDKs take it without the version, OpenAI's with
    it; so for Anthropic's API either will do."""
    path = urlsplit(provider.base_url).path.rstrip("/")
    if provider.api is Api.ANTHROPIC and not path.endswith(API_ROOT):
        return path + API_ROOT
    return path


def cluster_name(model: Model, provider: Provider) -> str:
    """``prism/PROVIDER/MODEL/DIGEST``, the digest over everything a target is made of."""
    parts = (
        provider.name,
        provider.base_url,
        provider.api,
        *(credential.key for credential in provider.credentials),
        model.name,
        model.upstream_name,
    )
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    return f"prism/{provider.name}/{model.name}/{digest}"
