"""Counts blocks of a log in several processes, in order, with few of them in memory at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path

import click

import prism
from prism.calibrate.settings import Broken
from prism.classify import Classifier
from prism.resources import Problem, compile_resources, has_errors, read_file, read_folder
from prism.routing.catalog import Task
from prism.routing.identify import Caller
from prism.routing.plan import Plan, compile_plan
from prism.savings.prices import Listed, Prices, nothing_listed
from prism.savings.reading import Block
from prism.savings.routed import Router
from prism.savings.work import Counted, count

_ALONE = 3
"""Blocks that this process counts by itself: a pool takes a second to start."""
_MOST_JOBS = 8


@dataclass(frozen=True, slots=True)
class Setup:
    """What every process decides with."""

    config: Path | None
    project: str | None
    mix: Mapping[Task, float]
    day: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """How far a file has been read, in bytes."""

    file: str
    bytes: int


def cores() -> int:
    """Processes that are of use here."""
    return min(_MOST_JOBS, len(os.sched_getaffinity(0)))


def counted(blocks: Iterable[Block], setup: Setup, jobs: int) -> Iterator[tuple[Read, Counted]]:
    """Each block's sums, in the order of the blocks, whatever the number of ``jobs``."""
    waiting = iter(blocks)
    first = list(islice(waiting, _ALONE))
    if jobs == 1 or len(first) < _ALONE:
        router = _router_of(setup)
        for block in chain(first, waiting):
            yield Read(block.file, block.read), count(block, router)
        return
    # A fresh interpreter each: the model's runtime has threads, which a fork would lose.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start, (setup,)) as pool:
        try:
            yield from _in_order(chain(first, waiting), pool, jobs)
        except BrokenProcessPool:
            raise click.ClickException(
                "a process was ended from outside: try fewer --jobs"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(
    blocks: Iterable[Block], pool: ProcessPoolExecutor, jobs: int
) -> Iterator[tuple[Read, Counted]]:
    open_: deque[tuple[Read, Future[Counted]]] = deque()
    for block in blocks:
        open_.append((Read(block.file, block.read), pool.submit(_count, block)))
        if len(open_) > 2 * jobs:
            read, future = open_.popleft()
            yield read, future.result()
    for read, future in open_:
        yield read, future.result()


_router: Router | None = None
"""Of a process of the pool."""


def _start(setup: Setup) -> None:
    global _router
    # Ctrl-C reaches every process of a terminal; the first of them ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _router = _router_of(setup)


def _count(block: Block) -> Counted:
    if _router is None:
        raise AssertionError("a process of the pool begins with _start")
    return count(block, _router)


def _router_of(setup: Setup) -> Router:
    plan, caller = caller_of(setup)
    prices = Prices(caller.table, _listed(setup.day))
    return Router(plan, caller, Classifier(), prices, setup.mix)


def caller_of(setup: Setup) -> tuple[Plan, Caller]:
    """The plan, and of it the policy and the table that decide. Raises ``Broken``."""
    plan = _plan(setup.config or shipped_table())
    policy = None
    if setup.project is not None:
        policy = plan.by_project.get(setup.project)
        if policy is None:
            known = ", ".join(plan.by_project) or "none"
            raise Broken(f"no policy names the project {setup.project!r}; there are: {known}")
    table = plan.default_table if policy is None else plan.tables[policy.table]
    if not table.auto_names:
        raise Broken(f"table {table.name} has no autoNames: no request is routed by its task")
    return plan, Caller(policy, table)


def _plan(path: Path) -> Plan:
    resources, problems = read_folder(path) if path.is_dir() else read_file(path)
    found: list[Problem] = list(problems)
    if not has_errors(found):
        catalog, more = compile_resources(resources)
        if not has_errors(found := found + more):
            return compile_plan(catalog)
    raise Broken("\n".join(str(problem) for problem in found if problem.is_error))


def _listed(day: datetime) -> Listed:
    try:
        import genai_prices  # noqa: F401 (asked for here, once, and not at each price)
    except ImportError:
        return nothing_listed
    from prism.calibrate.genai import listed_price

    return partial(listed_price, day=day)


def shipped_table() -> Path:
    """The table of 23 models: beside the source, or inside an installed package."""
    package = Path(prism.__file__).parent
    places = package / "examples" / "models", package.parents[1] / "examples" / "models"
    return next(place / "table.yaml" for place in places if place.is_dir())
