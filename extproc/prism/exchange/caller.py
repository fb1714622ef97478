"""Who asks: the API key and the trusted project header of a request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from prism.routing.identify import Caller, Denied, identify
from prism.routing.plan import Plan


def caller_of(plan: Plan, headers: Mapping[str, str]) -> Caller | Denied:
    """Identify the caller. The key is hashed here and goes no further."""
    key = _key(headers)
    header = plan.default_table.project_header
    return identify(
        plan,
        hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest() if key else None,
        headers.get(header) if header else None,
    )


def _key(headers: Mapping[str, str]) -> str | None:
    """The key as OpenAI's clients send it (``Authorization: Bearer``) or Azure's (``api-key``)."""
    authorization = headers.get("authorization", "")
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("api-key") or headers.get("x-api-key") or None
