"""Where an attempt goes: one target per model, compiled from the catalog and the keys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from urllib.parse import urlsplit

import msgspec

from prism.routing.catalog import Api, Catalog, Model, Provider
from prism.routing.plan import Plan


@dataclass(frozen=True, slots=True)
class Target:
    """A model at its provider.

    ``cluster`` is the name of its Envoy cluster: it changes with anything that the cluster
    is made of, so a request decided under an older plan never meets a newer cluster.
    ``base_path`` is the path of the provider's base URL. ``model_json`` is the upstream
    name as encoded JSON. ``keys`` are the values of the authorization header, each
    with the sum of the weights up to it; empty where the provider takes no key.
    ``missing_key`` names a key that should be there where none is.
    """

    cluster: str
    model: str
    provider: str
    base_url: str
    base_path: str
    model_json: bytes
    api: Api
    keys: tuple[tuple[int, str], ...] = field(repr=False)
    missing_key: str | None

    def authorization(self, decision_id: str) -> str | None:
        """The header's value for a request; ``None`` for none.

        Keys are spread by weight over decision ids, whose last digits are random, so that
        neither chance nor memory is needed here.
        """
        keys = self.keys
        if len(keys) < 2:
            return keys[0][1] if keys else None
        place = int(decision_id[-8:], 16) % keys[-1][0]
        return next(value for upto, value in keys if place < upto)


@dataclass(frozen=True, slots=True)
class Live:
    """All that a request is routed with: the plan, and a target for each of its models.

    ``targets`` is keyed by table and model name. ``clusters`` is keyed by cluster name and
    also holds targets of older plans, for as long as a request decided under one may still
    start an attempt.
    """

    plan: Plan
    targets: Mapping[tuple[str, str], Target]
    clusters: Mapping[str, Target]

    @property
    def version(self) -> str:
        """The version of the plan."""
        return self.plan.version

    def targets_by_cluster(self) -> dict[str, Target]:
        """The targets of this plan alone, by cluster name."""
        return {target.cluster: target for target in self.targets.values()}


def compile_live(plan: Plan, catalog: Catalog, keys: Mapping[str, str]) -> Live:
    """Join the plan with the credentials that are there; ``keys`` maps name to secret."""
    targets: dict[tuple[str, str], Target] = {}
    clusters: dict[str, Target] = {}
    for table in catalog.tables.values():
        for model in table.models.values():
            target = _target(model, table.providers[model.provider], keys)
            # Tables that name the same model at the same provider share its cluster.
            targets[table.name, model.name] = clusters.setdefault(target.cluster, target)
    return Live(plan, targets, clusters)


def _target(model: Model, provider: Provider, keys: Mapping[str, str]) -> Target:
    there = [credential for credential in provider.credentials if keys.get(credential.key)]
    sums = accumulate(credential.weight for credential in there)
    return Target(
        cluster=cluster_name(model, provider),
        model=model.name,
        provider=provider.name,
        base_url=provider.base_url,
        base_path=urlsplit(provider.base_url).path.rstrip("/"),
        model_json=msgspec.json.encode(model.upstream_name),
        api=provider.api,
        keys=tuple((upto, f"Bearer {keys[c.key]}") for upto, c in zip(sums, there, strict=True)),
        missing_key=provider.credentials[0].key if provider.credentials and not there else None,
    )


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
