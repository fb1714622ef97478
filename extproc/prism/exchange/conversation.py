"""The id of a conversation: what its client calls it, or how it begins, as a hash."""

from __future__ import annotations

from hashlib import blake2b

from prism.routing.identify import Caller

_BYTES = 8
_MOST_BODY = 65_536
"""Bytes of a body that tell it from others, together with its length."""


def conversation_id(caller: Caller, named: str | None, opening: str) -> str | None:
    """16 hex digits, the same on every replica; ``None`` where nothing tells it from others.

    Callers of different projects or tables never share one.
    """
    if named is None and not opening:
        return None
    policy = caller.policy
    project = "" if policy is None else policy.project
    text = f"{caller.table.name}\0{project}\0" + (
        f"named\0{named}" if named is not None else f"begins\0{opening}"
    )
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).hexdigest()


def request_id(caller: Caller, body: bytes) -> str:
    """The same for a request that is of no conversation: only sent again is it the same one."""
    policy = caller.policy
    project = "" if policy is None else policy.project
    digest = blake2b(
        f"{caller.table.name}\0{project}\0request\0{len(body)}\0".encode(), digest_size=_BYTES
    )
    digest.update(body[:_MOST_BODY])
    return digest.hexdigest()
