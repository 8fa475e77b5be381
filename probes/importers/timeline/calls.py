"""Which operation does the work, and which the time?

Operations call others: ``aten::linear`` calls ``aten::addmm``. The outermost one whose work is
known owns what is done within it; what is around it, and has no work of its own, keeps the rest of
the time. Where an operation casts its inputs and calls itself, as autocast does, the inner one is
the owner.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from probes.importers.timeline.events import Call, Launch
from probes.importers.timeline.operations import PRODUCTS, CallWork, Signature, work_of_call

ROUNDED = 0.005
"""µs by which the beginning and the end of neighbours may overlap, since times are rounded."""


class Book:
    """The work of signatures, each looked up once."""

    def __init__(self) -> None:
        self._works: dict[int, tuple[Signature, CallWork | None]] = {}

    def work(self, signature: Signature) -> CallWork | None:
        """The work of a call; None if it is not known."""
        key = id(signature)  # equal signatures of a trace are one object
        if key not in self._works:
            self._works[key] = (signature, work_of_call(signature))
        return self._works[key][1]


def nest(calls: Sequence[Call]) -> list[Call]:
    """The calls in the order of their beginnings, each with its parent and the time within it."""
    in_order = sorted(calls, key=lambda call: (call.start, -call.end))
    open_calls: dict[Any, list[Call]] = {}
    for call in in_order:
        stack = open_calls.setdefault(call.thread, [])
        while stack and not _is_within(call, stack[-1]):
            stack.pop()
        if stack:
            call.parent = stack[-1]
            stack[-1].inner += min(call.end, stack[-1].end) - call.start
        stack.append(call)
    return in_order


def _is_within(call: Call, outer: Call) -> bool:
    """True if a call begins before the other ends; calls of one thread never overlap in part.

    Where times are whole µs, the inner one may seem to end up to two of them later.
    """
    return call.start < outer.end - ROUNDED


def owners(calls: Iterable[Call], book: Book) -> dict[int, Call]:
    """The owner of each call, by the call's id(); none where no work is known around it.

    calls: as ``nest`` orders them, parents first.
    """
    in_order = list(calls)
    casting = _casting(in_order, book)
    by_call: dict[int, Call] = {}
    for call in in_order:
        above = by_call.get(id(call.parent)) if call.parent else None
        if above is not None:
            by_call[id(call)] = above
        elif id(call) not in casting:
            work = book.work(call.signature)
            if work is not None and not work.is_nothing:
                by_call[id(call)] = call
    return by_call


def _casting(calls: Iterable[Call], book: Book) -> set[int]:
    """The id() of products in which a product of another type runs: they only cast."""
    casting = set()
    for call in calls:
        if not _is_product(call, book):
            continue
        outer = call.parent
        while outer is not None:
            if _is_product(outer, book) and outer.signature.dtype != call.signature.dtype:
                casting.add(id(outer))
            outer = outer.parent
    return casting


def _is_product(call: Call, book: Book) -> bool:
    work = book.work(call.signature)
    return work is not None and work.family in PRODUCTS


class Finder:
    """Finds the innermost call that launched a kernel."""

    def __init__(self, calls: Sequence[Call], launches: Mapping[Any, Launch]) -> None:
        self._by_id = {call.id: call for call in calls if call.id is not None}
        self._launches = launches
        self._by_thread: dict[Any, list[Call]] = {}
        for call in calls:
            self._by_thread.setdefault(call.thread, []).append(call)
        self._starts = {
            thread: [call.start for call in same] for thread, same in self._by_thread.items()
        }

    def find(self, call_id: Any, correlation: Any) -> Call | None:
        """By the id that the kernel or its launch names, else by when it was launched.

        A kernel that Kineto linked to no operation names its own correlation id instead, which
        may be the id of any operation: then the time of its launch alone tells.
        """
        launch = self._launches.get(correlation)
        if correlation is not None and correlation in (call_id, launch.call if launch else None):
            return self._around(launch) if launch else None
        for name in (call_id, launch.call if launch else None):
            if name in self._by_id:
                return self._by_id[name]
        return self._around(launch) if launch else None

    def _around(self, launch: Launch) -> Call | None:
        starts = self._starts.get(launch.thread, [])
        place = bisect_right(starts, launch.start) - 1
        call = self._by_thread[launch.thread][place] if place >= 0 else None
        while call is not None and call.end < launch.start:
            call = call.parent
        return call
