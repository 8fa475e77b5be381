"""The events of a trace of PyTorch's profiler, read in parts: a trace may be larger than memory.

Kineto writes them as ``"traceEvents": [...]``, an object each. Of those, operations, launches,
kernels and copies and the steps of a schedule are kept.
"""

from __future__ import annotations

import codecs
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from probes.importers.layer_row import malformed
from probes.importers.source import Source
from probes.importers.timeline.events import MOST_EVENTS, Call, Kernel, Launch, Timeline
from probes.importers.timeline.operations import Signature
from probes.records.given import shortened, storable
from probes.records.measurement import RidgelineError

BEGINNING = re.compile(r'"traceEvents"\s*:\s*\[|\A\s*\[')
"""Where the list of events begins: in an object, or the file is that list."""
SPACE = re.compile(r"[\s,]*")
LONGEST_EVENT = 1 << 26
"""Letters; no event is as long, so that such a one is no JSON."""
ENOUGH = 1 << 16
"""Letters that most events have less than: more are read before fewer are parsed."""
LONGEST = 1e16
"""µs, 300 years: Kineto counted them from 1970 before PyTorch 2.4."""
STEP = "ProfilerStep#"

OPERATIONS = frozenset(("cpu_op", "operator"))
LAUNCHES = frozenset(("cuda_runtime", "cuda_driver", "runtime", "driver", "xpu_runtime"))
ON_DEVICE = frozenset(("kernel", "gpu_memcpy", "gpu_memset", "memcpy", "memset"))
ANNOTATIONS = frozenset(("user_annotation",))
"""Categories in lower case; before PyTorch 1.13 they began with a capital and had no ``gpu_``."""


def read_trace(source: Source) -> Timeline:
    """The operations and kernels of a trace.

    Raises RidgelineError that names the event and what is wrong with it.
    """
    trace = Timeline()
    signatures: dict[str, Signature] = {}
    for index, event in enumerate(_events(source), 1):
        _take(source, index, event, trace, signatures)
        if len(trace.calls) + len(trace.kernels) + len(trace.launches) > MOST_EVENTS:
            raise RidgelineError(
                f"{source.path} holds more than {MOST_EVENTS:,} operations, which memory may not "
                "hold: profile fewer steps (torch.profiler.schedule)"
            )
    trace.steps = sorted(set(trace.steps))
    return trace


def _take(
    source: Source,
    index: int,
    event: Mapping[str, Any],
    trace: Timeline,
    signatures: dict[str, Signature],
) -> None:
    """Keep what this event says."""
    category = event.get("cat")
    if event.get("ph") != "X" or not isinstance(category, str):
        return
    category = category.lower()
    name = event.get("name")
    is_operation = category in OPERATIONS
    if not (is_operation or category in LAUNCHES | ON_DEVICE | ANNOTATIONS):
        return
    if not isinstance(name, str):
        raise malformed(source.path, f"event {index}", "its name is no text")
    start, duration = _time(source, index, event, "ts"), _time(source, index, event, "dur")
    args = event.get("args") or {}
    if not isinstance(args, dict):
        raise malformed(source.path, f"event {index} ({shortened(name)})", "args are no object")
    thread = (_id(event.get("pid")), _id(event.get("tid")))
    call_id = _id(args.get("External id", args.get("external id")))
    if name.startswith(STEP) and (is_operation or category in ANNOTATIONS):
        trace.steps.append((start, start + duration))
    elif is_operation:
        signature = _signature(name, args, signatures)
        trace.has_shapes = trace.has_shapes or bool(signature.shapes)
        trace.calls.append(Call(signature, thread, start, start + duration, call_id))
    elif category in LAUNCHES:
        correlation = _id(args.get("correlation"))
        if correlation is not None:
            trace.launches[correlation] = Launch(call_id, thread, start)
    elif category in ON_DEVICE:
        trace.kernels.append(_kernel(name, category, start, duration, args, call_id))


def _kernel(
    name: str, category: str, start: float, duration: float, args: Mapping[str, Any], call: Any
) -> Kernel:
    moved = args.get("bytes", args.get("Bytes"))
    is_count = isinstance(moved, int | float) and 0 <= moved < 1e24
    grid = " x ".join(str(args[key]) for key in ("grid", "block") if args.get(key))
    return Kernel(
        name=storable(name),
        category=category.removeprefix("gpu_"),
        start=start,
        microseconds=duration,
        call=call,
        correlation=_id(args.get("correlation")),
        grid=sys.intern(storable(shortened(grid, 200))),
        bytes=float(moved) if is_count else None,
    )


def _id(value: Any) -> Any:
    """A number or text that names something; None of anything else."""
    return value if isinstance(value, int | str) else None


def _time(source: Source, index: int, event: Mapping[str, Any], key: str) -> float:
    value: Any = event.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or abs(value) > LONGEST:
        why = f"{key} is {shortened(repr(value))}, not a time in µs"
        raise malformed(source.path, f"event {index} ({shortened(str(event.get('name')))})", why)
    if key == "dur" and value < 0:
        raise malformed(source.path, f"event {index}", f"dur is {value}, a time below zero")
    return float(value)


def _signature(name: str, args: Mapping[str, Any], known: dict[str, Signature]) -> Signature:
    """The signature of a call; equal ones are one object, since a trace repeats a few."""
    parts = [
        args.get(f"Input {word}", args.get(f"Input {word.lower()}"))
        for word in ("Dims", "type", "Strides")
    ]
    parts.append(args.get("Concrete Inputs"))
    key = f"{name} {parts}"
    if key not in known:
        shapes, types, strides, values = (part if isinstance(part, list) else [] for part in parts)
        known[key] = Signature(
            name=storable(name),
            shapes=_frozen(shapes),
            types=tuple(map(str, types)),
            strides=_frozen(strides),
            values=tuple(map(str, values)),
        )
    return known[key]


def _frozen(value: list[Any]) -> tuple[Any, ...]:
    """The list as a tuple, and so are the lists in it; None for what no list of shapes holds."""
    return tuple(map(_frozen_part, value))


def _frozen_part(part: Any) -> Any:
    if isinstance(part, list):
        return _frozen(part)
    return part if isinstance(part, int | float | str) else None


def _events(source: Source) -> Iterator[Mapping[str, Any]]:
    """All events, parsed one by one."""
    text = _Text(source)
    if not text.begin():
        raise RidgelineError(f"{source.path} is no trace of PyTorch's profiler: no traceEvents")
    decoder = json.JSONDecoder()
    for index in range(1, 1 << 60):
        place = text.next_place()
        if place is None:
            raise malformed(
                source.path, f"event {index}", "the file is cut off here: export the trace again"
            )
        if text.letters[place] == "]":
            return
        event = text.parsed(decoder, place, index)
        if isinstance(event, dict):
            yield event


class _Text:
    """The text of a file, of which a part is held."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.letters = ""
        self.place = 0
        """Where in ``letters`` the next event begins."""
        self._blocks = source.blocks()
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._is_whole = False

    def begin(self) -> bool:
        """Go to the first event; False if there is no list of events."""
        while True:
            match = BEGINNING.search(self.letters)
            if match:
                self.place = match.end()
                return True
            if len(self.letters) > LONGEST_EVENT or not self._read():
                return False

    def next_place(self) -> int | None:
        """Where the next event, or the end of the list, stands; None if the text ends before."""
        if len(self.letters) - self.place < ENOUGH:
            self._read()
        while True:
            match = SPACE.match(self.letters, self.place)
            self.place = match.end() if match else self.place
            if self.place < len(self.letters):
                return self.place
            if not self._read():
                return None

    def parsed(self, decoder: json.JSONDecoder, place: int, index: int) -> Any:
        """The event that begins there. Raises RidgelineError if it is no JSON, or is cut off."""
        while True:
            try:
                value, self.place = decoder.raw_decode(self.letters, self.place)
                return value
            except json.JSONDecodeError as error:
                is_too_long = len(self.letters) - self.place > LONGEST_EVENT
                if not is_too_long and self._read():
                    continue
                near_end = error.pos > len(self.letters) - 2 or "Unterminated" in error.msg
                why = f"no JSON: {error.msg}"
                if near_end and not is_too_long:
                    why = "the file is cut off here: export the trace again"
                raise malformed(self.source.path, f"event {index}", why) from None
            except (RecursionError, ValueError):
                raise malformed(self.source.path, f"event {index}", "no JSON of a trace") from None

    def _read(self) -> bool:
        """Read on, and forget what was parsed; False at the end of the file."""
        block = next(self._blocks, None)
        if block is None:
            if self._is_whole:
                return False
            self._is_whole = True
            rest = self._decoder.decode(b"", final=True)
            self.letters = self.letters[self.place :] + rest
        else:
            self.letters = self.letters[self.place :] + self._decoder.decode(block)
        self.place = 0
        return True
