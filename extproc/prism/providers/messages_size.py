"""How large a request of Anthropic's Messages is, and how much of it comes from the cache.

A provider's cache has a memory; a simulated one answers by the request alone. So what is marked
(``cache_control``) counts as read where an earlier request of the conversation had it too, which
is all before the last turn, and as written where it is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from prism.providers.ask import IMAGE_TOKENS

_CHARS = 4  # of a token


class Sized(Protocol):
    """The members of a request that have a size."""

    @property
    def messages(self) -> list[Any]: ...
    @property
    def system(self) -> str | list[dict[str, Any]] | None: ...
    @property
    def cache_control(self) -> dict[str, Any] | None: ...


@dataclass(frozen=True, slots=True)
class Size:
    """Characters of text and pictures; tokens read from the cache and written to it."""

    chars: int
    images: int
    read: int
    written: int

    @property
    def tokens(self) -> int:
        """All tokens of the input, those of the cache too."""
        return max(1, _tokens(self.chars, self.images))


class _Place(NamedTuple):
    """The end of a block: what is before it, and whether the cache is to reach to it."""

    chars: int
    images: int
    marked: bool


def size_of(request: Sized) -> Size:
    """The size of a request."""
    earlier = list(_places(request.system, 0, 0))
    for turn in request.messages[:-1]:
        earlier += _places(turn.content, *_end(earlier))
    last = list(_places(request.messages[-1].content, *_end(earlier)))
    chars, images = _end([*earlier, *last])
    # With one turn nothing was asked before; the system prompt is as new as the turn.
    read = _marked(earlier) if len(request.messages) > 1 else 0
    until = _tokens(chars, images) if request.cache_control else _marked([*earlier, *last])
    return Size(chars, images, read, max(0, until - read))


def _places(
    content: str | list[dict[str, Any]] | None, chars: int, images: int
) -> Iterator[_Place]:
    if isinstance(content, str):
        yield _Place(chars + len(content), images, False)
        return
    for block in content or ():
        inner = list(_places(block.get("content"), chars, images))
        chars, images = _end(inner) if inner else (chars, images)
        chars += len(block.get("text") or "")
        images += block.get("type") == "image"
        yield _Place(chars, images, block.get("cache_control") is not None)


def _end(places: list[_Place]) -> tuple[int, int]:
    return (places[-1].chars, places[-1].images) if places else (0, 0)


def _marked(places: list[_Place]) -> int:
    ends = (_tokens(place.chars, place.images) for place in reversed(places) if place.marked)
    return next(ends, 0)


def _tokens(chars: int, images: int) -> int:
    return -(-chars // _CHARS) + IMAGE_TOKENS * images
