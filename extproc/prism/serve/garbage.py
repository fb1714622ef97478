"""How Python's garbage collector is set, so that it stops few requests."""

from __future__ import annotations

import gc


def tune_garbage_collection() -> None:
    """What is there now stays: look at it no more, and at the young ones less often.

    Decisions kept in memory make each full collection long; nearly all garbage of a request
    is freed by reference counts anyway.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
