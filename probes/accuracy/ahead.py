"""Look ahead: what is asked for runs while earlier answers are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from kernels.processors import processors

Item = TypeVar("Item")
Made = TypeVar("Made")

PROCESSORS_TO_MAKE_AHEAD = 4
"""So many are needed before one makes what comes next: fewer are busy with what there is, and a
machine of so few may have no memory for two."""


def ahead(items: Iterable[Item], count: int) -> Iterator[Item]:
    """The same items in their order; so many beyond the one that is given are taken already."""
    waiting: deque[Item] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def made_ahead(
    make: Callable[[Item], Made], items: Iterable[Item]
) -> Iterator[tuple[Item, Callable[[], Made]]]:
    """Each item, and what gives the thing that is made of it, or raises what making it raised.

    It has to be asked before the next item. That is made meanwhile, where there are processors
    enough.
    """
    if processors() < PROCESSORS_TO_MAKE_AHEAD:
        for item in items:
            yield item, partial(make, item)
        return
    pool = ThreadPoolExecutor(1)
    try:
        started = ((item, pool.submit(make, item)) for item in items)
        for item, future in ahead(started, 1):
            yield item, future.result
    finally:
        pool.shutdown(cancel_futures=True)
