"""The unix sockets between Envoy and Prism.

gRPC for Python takes the calls of a server one by one, a few turns of the event loop each, so of
those that wait it sees one. A server for each of several sockets sees as many: they can be taken
up together, which costs a third less. See
``docs/decisions/0030-requests-that-queue-are-taken-up-together.md``.
"""

from __future__ import annotations

from typing import Final

SOCKETS: Final = 8


def sockets(path: str) -> list[str]:
    """The paths of all: ``path`` itself, then ``path.2`` and so on. Any of them serves all."""
    return [path, *(f"{path}.{number}" for number in range(2, SOCKETS + 1))]
