"""What is raised where something can't be said in the other API."""

from __future__ import annotations


class Untranslatable(Exception):
    """Something has no counterpart in the other API, or a shape that neither API knows.

    ``path`` is where it is, such as ``messages[2].content[0]``; empty for the whole body.
    ``reason`` is a sentence for the caller.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason
