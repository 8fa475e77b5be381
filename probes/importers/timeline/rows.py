"""The rows of a timeline: an operation at one set of shapes, or a kernel that none launched.

Where there are kernels, the time of an operation is that of the kernels it launched, else that of
its calls. Calls of one step are added up, and steps are the samples; a timeline without steps is
one sample.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from probes.importers.families import family_of
from probes.importers.layer_row import layer_row, precision_of
from probes.importers.ncu.read import short_name
from probes.importers.timeline.calls import Book, Finder, nest, owners
from probes.importers.timeline.events import Call, Kernel, Timeline
from probes.importers.timeline.operations import (
    AUTOGRAD,
    CallWork,
    Signature,
    calls_others,
    is_shape,
)
from probes.records.measurement import Measurement

TF32 = re.compile(r"tf32|s1688", re.IGNORECASE)
"""In the name of a kernel: FP32 numbers that the tensor cores multiply as TF32."""
OVER_THE_BUS = ("HtoD", "DtoH", "PtoP")
"""Directions of copies that do not stay in the memory of the device."""
MOST_KERNELS = 4  # names of kernels that a row lists
OWN_TIME = "its own time: the operations it calls are rows of their own"
NO_OPERATION = "what ran in it, beside the operations it calls, is none that PyTorch names"
OWN_KERNELS = "these are kernels of its own"


@dataclass(frozen=True)
class Wording:
    """What a tool's rows say where something is not known."""

    tool: str
    """The name of the tool in the rows."""
    no_shapes: str
    """Why no operation has shapes, and what helps."""
    no_operation: str
    """Why a kernel has no work, and what helps."""


@dataclass
class Group:
    """The calls, or launches, that are one row."""

    layer: str
    op: str
    work: CallWork | None = None
    """Of one call; None if it is not known."""
    dtype: str = ""
    reason: str = ""
    shape: tuple[int, ...] = ()
    """Of its first tensor; empty if unknown."""
    calls: dict[int, int] = field(default_factory=dict)
    """How many, by step."""
    launches: int = 0
    seconds: dict[int, float] = field(default_factory=dict)
    """In all, by step."""
    kernels: dict[str, int] = field(default_factory=dict)
    """Launches by the kernel's name."""

    def add(self, step: int, seconds: float) -> None:
        """Add time."""
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds

    def count(self, step: int) -> None:
        """Add a call."""
        self.calls[step] = self.calls.get(step, 0) + 1


def rows_of(timeline: Timeline, wording: Wording, **more: Any) -> list[Measurement]:
    """A row for every operation and its shapes; none if nothing ran within a step.

    more: device, started and network of the rows.
    """
    book = _Groups(timeline, wording)
    if timeline.kernels:
        book.add_kernels()
    else:
        book.add_calls()
    groups = _distinct_names(book.groups.values())
    precision = precision_of(_computed_types(groups))
    return [
        _row(group, book.steps.count, wording.tool, {**more, "precision": precision})
        for group in groups
    ]


class _Steps:
    """The steps of a schedule; a timeline without any is one step."""

    def __init__(self, timeline: Timeline) -> None:
        self._steps = timeline.steps
        self._starts = [start for start, _ in timeline.steps]
        self.count = max(1, len(timeline.steps))

    def of(self, start: float) -> int | None:
        """The step in which something began on the host; None between two of them."""
        if not self._steps:
            return 0
        place = bisect_right(self._starts, start) - 1
        return place if place >= 0 and start <= self._steps[place][1] else None


class _Groups:
    """The groups of a timeline, as they are found."""

    def __init__(self, timeline: Timeline, wording: Wording) -> None:
        self.groups: dict[Any, Group] = {}
        self.steps = _Steps(timeline)
        self._timeline = timeline
        self._wording = wording
        self._book = Book()
        self._calls = nest(timeline.calls)
        self._owners = owners(self._calls, self._book)

    def add_calls(self) -> None:
        """Add operations of a CPU, each without the time of those that have a row of their own."""
        for call in self._calls:
            step = self.steps.of(call.start)
            owner = self._owners.get(id(call))
            if step is None or (owner is not None and owner is not call):
                continue
            duration = call.end - call.start
            own = duration if owner is call else max(0.0, duration - call.inner)
            group = self._of_call(call)
            group.count(step)
            group.add(step, own * 1e-6)

    def add_kernels(self) -> None:
        """Add kernels, each to the operation that launched it."""
        finder = Finder(self._calls, self._timeline.launches)
        counted: set[int] = set()
        for kernel in self._timeline.kernels:
            call = finder.find(kernel.call, kernel.correlation)
            owner = self._owners.get(id(call), call) if call else None
            launch = self._timeline.launches.get(kernel.correlation)
            origin = owner or launch or kernel
            step = self.steps.of(origin.start)
            if step is None:
                continue
            if owner is None or not _stays(kernel):
                group = self._of_kernel(kernel)
                group.count(step)
            else:
                group = self._of_call(owner)
                if id(owner) not in counted:
                    counted.add(id(owner))
                    group.count(step)
            group.add(step, kernel.microseconds * 1e-6)
            group.launches += 1
            group.kernels[kernel.name] = group.kernels.get(kernel.name, 0) + 1

    def _of_call(self, call: Call) -> Group:
        """The group of a call: that of its shapes, or of its name if it owns no work."""
        signature = call.signature
        known = self._book.work(signature)
        if known is None or id(call) not in self._owners:
            name = "autograd" if AUTOGRAD.match(signature.name) else signature.name
            if name not in self.groups:
                self.groups[name] = self._without_work(name, signature, known)
            return self.groups[name]
        key = (signature.name, signature.shapes, signature.types, known)
        if key not in self.groups:
            shape = next(_shapes(signature), ())
            layer = _layer(signature, known)
            self.groups[key] = Group(layer, signature.name, known, signature.dtype, shape=shape)
        return self.groups[key]

    def _without_work(self, name: str, signature: Signature, known: CallWork | None) -> Group:
        """The group of operations whose work is not known, or is that of others they call.

        known: the work of one that only casts for an inner one, or does nothing.
        """
        is_host_time = not self._timeline.kernels
        only_calls = known is not None or calls_others(signature.name)
        if is_host_time and known is not None and known.is_nothing:
            return Group(name, name, known, signature.dtype)
        if is_host_time and only_calls:
            work = CallWork(0.0, 0.0, family_of(name) or "other")
            return Group(name, name, work, signature.dtype, OWN_TIME)
        why = OWN_KERNELS if only_calls else "it is not in the table"
        if "::" not in signature.name:
            why = NO_OPERATION
        elif not self._timeline.has_shapes:
            why = self._wording.no_shapes
        return Group(name, name, None, signature.dtype, f"work of {name} unknown: {why}")

    def _of_kernel(self, kernel: Kernel) -> Group:
        """The group of a kernel that no operation launched, or of a copy to or from elsewhere."""
        key = (kernel.name, kernel.grid, kernel.category, kernel.bytes)
        if key not in self.groups:
            self.groups[key] = self._without_operation(kernel)
        return self.groups[key]

    def _without_operation(self, kernel: Kernel) -> Group:
        if kernel.category == "kernel":
            why = f"work unknown: {self._wording.no_operation}"
            return Group(kernel.name, short_name(kernel.name), reason=why)
        work = CallWork(0.0, None, "movement")
        if not _stays(kernel):
            why = "over the bus: no roof of the device's memory is above it"
            return Group(kernel.name, kernel.name, work, reason=why)
        if kernel.bytes is not None:
            times = 2 if kernel.category == "memcpy" else 1  # read and written, or filled
            work = replace(work, bytes=times * kernel.bytes)
        return Group(kernel.name, kernel.name, work)


def _stays(kernel: Kernel) -> bool:
    """True for all but a copy to or from another memory than that of the device."""
    is_copy = kernel.category != "kernel"
    return not (is_copy and any(direction in kernel.name for direction in OVER_THE_BUS))


def _layer(signature: Signature, work: CallWork) -> str:
    """The name of a row: the operation and the shapes it works on."""
    shapes = ["x".join(map(str, shape)) for shape in _shapes(signature)]
    return " ".join(filter(None, (signature.name, *shapes, work.detail)))


def _shapes(signature: Signature) -> Iterator[tuple[int, ...]]:
    """The shapes of all tensors, also of those in lists; none of numbers."""
    for argument in signature.shapes:
        if is_shape(argument):
            yield from [argument] if argument else []
        elif isinstance(argument, tuple):
            yield from (shape for shape in argument if is_shape(shape) and shape)


def _distinct_names(groups: Iterable[Group]) -> list[Group]:
    """The groups; of those with equal names the second is called ``NAME (2)``."""
    seen: dict[str, int] = {}
    named = []
    for group in groups:
        seen[group.layer] = seen.get(group.layer, 0) + 1
        number = seen[group.layer]
        named.append(replace(group, layer=f"{group.layer} ({number})") if number > 1 else group)
    return named


def _computed_types(groups: Iterable[Group]) -> list[str]:
    """The types of operations that compute; those of moved data only where nothing does."""
    all_types = []
    computed = []
    for group in groups:
        all_types.append(_dtype(group))
        if group.work and group.work.flops:
            computed.append(_dtype(group))
    return computed or all_types


def _dtype(group: Group) -> str:
    """The type that it computes in, TF32 where the names of its kernels say so."""
    if group.dtype == "fp32" and any(map(TF32.search, group.kernels)):
        return "tf32"
    return group.dtype


def _row(group: Group, steps: int, tool: str, more: Mapping[str, Any]) -> Measurement:
    """The row of a group: the time and the work of one step."""
    calls = sum(group.calls.values()) / steps
    is_steady = len(group.calls) == steps and len(set(group.calls.values())) == 1
    seconds = list(group.seconds.values()) if is_steady else [sum(group.seconds.values()) / steps]
    work = group.work or CallWork(None, None, "")
    extra: dict[str, Any] = {}
    if group.launches:
        extra["launches"] = group.launches / steps
        busiest = sorted(group.kernels, key=lambda name: -group.kernels[name])
        extra["kernels"] = busiest[:MOST_KERNELS]
    return layer_row(
        group.layer,
        group.op,
        _dtype(group),
        seconds,
        _times(calls, work.flops),
        _times(calls, work.bytes),
        tool=tool,
        slow={name: calls * count for name, count in work.slow.items()},
        family=work.family,
        reason=group.reason,
        untyped="type not recorded",
        working_set=work.bytes,
        calls=calls,
        shape=list(group.shape),
        **extra,
        **more,
    )


def _times(count: float, value: float | None) -> float | None:
    return None if value is None else count * value
