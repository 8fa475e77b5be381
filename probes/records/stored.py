"""What a run on disk may say: of its device in ``run.json``, and in the rows of its tables.
Standard library only.

Whatever was edited, cut off or made up elsewhere is refused, or left out and named, before anything
is computed with it: behind this door every fact has its type, and every number is one that some
machine could have given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from kernels.device import Device
from probes.records.given import shortened
from probes.records.measurement import FAILED, OK, SCHEMA_VERSION, SKIPPED, Measurement, Moment
from probes.records.tag import LAYER, parse_tag

LARGEST_X = 1e18
SECONDS, WORK = (1e-15, 1e9), (1e-9, 1e24)
"""Of one repetition: from what light needs for a third of a micrometre to 30 years; operations or
bytes.
"""
LIMITS: Mapping[str, tuple[float, float]] = {
    "schema_version": (1, 1e6),
    "flops": WORK,
    "bytes": WORK,
    "seconds_median": SECONDS,
    "seconds_best": SECONDS,
    "seconds_low": SECONDS,
    "seconds_high": SECONDS,
    "samples": (1, 1e12),
    "dropped": (1, 1e12),
    "clock_hz": (1.0, 1e12),
    "x": (1e-12, LARGEST_X),
}
"""Of the cells of a measurement: the least above zero, and the largest."""
MOMENT_LIMITS: Mapping[str, tuple[float, float]] = {
    "schema_version": (1, 1e6),
    "seconds": SECONDS,
    "rate": (1e-9, 1e30),
    "clock_hz": (1.0, 1e12),
    "power_w": (1e-6, 1e7),
    "temperature_c": (1e-3, 1e4),
}
TEXTS = (
    "layer",
    "network",
    "op",
    "family",
    "provider",
    "precision",
    "sweep",
    "over",
    "series",
    "run",
)
COUNTS = ("launches", "working_set", "textbook_bytes")
FLAGS = ("warm", "emulated", "captured")
LONG, SHORT = 1 << 16, 1000
"""Letters: of a layer's name (templates of C++ and fused layers have some thousands), and of any
other text.
"""
NAMES = ("layer", "op", "kernel")
CELLS = ("device", "started", "probe", "kernel", "backend", "dtype", "ceiling")
NULL = "null"
"""JSON's word for what is not known, as an empty cell is."""
CPUS = re.compile(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*", re.ASCII)
COMPUTE_CAPABILITY = re.compile(r"\d{1,3}\.\d{1,2}", re.ASCII)


def schema_problem(version: int) -> str:
    """Why a run or a row of this schema cannot be read, in words; nothing if it can."""
    if version > SCHEMA_VERSION:
        return (
            f"schema {version} is of a newer Ridgeline than this one, which reads "
            f"{SCHEMA_VERSION}: update this one"
        )
    return f"schema {version} is older than any that Ridgeline wrote" if version < 1 else ""


def row_problem(row: Measurement) -> str:
    """Why no run can have this row, though each of its cells is right; nothing if it can."""
    if why := schema_problem(row.schema_version):
        return why
    if row.status not in (OK, SKIPPED, FAILED):
        return f"status is {shortened(repr(row.status))}, not {OK}, {SKIPPED} or {FAILED}"
    for name in CELLS:
        if why := _too_long(name, getattr(row, name)):
            return why
    try:
        tag = parse_tag(row.ceiling)
    except ValueError:
        return f"ceiling is {shortened(repr(row.ceiling))}, which is no tag"
    if row.status == OK and not row.seconds_median:
        return (
            f"seconds_median is {'empty' if row.seconds_median is None else 0}, though its "
            f"status is {OK}"
        )
    if None not in (row.seconds_low, row.seconds_high) and (row.seconds_low or 0) > (
        row.seconds_high or 0
    ):
        return f"seconds_low is {row.seconds_low:g}, above seconds_high"
    return _params_problem(row.params, tag.quantity)


def cells_problem(row: Measurement) -> str:
    """Which cell of this row could not be read back, since no machine has such a number; nothing if
    all could.
    """
    for name, (low, high) in LIMITS.items():
        value = getattr(row, name)
        if value and not low <= value <= high:
            return f"{name} is {value!r}, not a number from {low:g} to {high:g}"
    return ""


def _params_problem(params: str, quantity: str) -> str:
    """What is wrong with the facts of a row that anything is computed from."""
    if params in ("", NULL):
        return ""
    try:
        known = json.loads(params, parse_constant=_refuse)
    except RecursionError:
        return "params is nested too deep"
    except ValueError:
        return f"params is {shortened(repr(params))}, which is no JSON"
    if not isinstance(known, dict):
        return f"params is {shortened(repr(params))}, not a JSON object"
    for name in TEXTS:
        if not isinstance(known.get(name), str | None):
            return _odd(name, known[name], "text")
        if why := _too_long(name, known.get(name) or ""):
            return f"params: {why}"
    for name in COUNTS:
        if not _is_count(known.get(name), 1e24):
            return _odd(name, known[name], "a number of zero or more")
    for name in FLAGS:
        if not isinstance(known.get(name), bool | int | None):
            return _odd(name, known[name], "true or false")
    return _x_problem(known.get("x"), quantity) or _counts_problem(known)


def _too_long(name: str, text: str) -> str:
    most = LONG if name in NAMES else SHORT
    return f"{name} has {len(text)} letters, more than {most}" if len(text) > most else ""


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _odd(name: str, value: Any, wanted: str) -> str:
    return f"params: {name} is {shortened(repr(value))}, not {wanted}"


def _x_problem(x: Any, quantity: str) -> str:
    """A sweep goes over something that is above zero; the entries of a list of layers are numbered
    from zero.
    """
    if x is None:
        return ""
    least = 0.0 if quantity == LAYER else 1e-12
    good = _is_number(x) and (x == 0 or least <= abs(x) <= LARGEST_X) and x >= 0
    return "" if good else _odd("x", x, f"a number up to {LARGEST_X:g}")


def _counts_problem(known: Mapping[str, Any]) -> str:
    """Rates beside a row by tag, and how often each operation ran in a network."""
    for name, most in (("beside", 1e30), ("ran", 1e12)):
        found = known.get(name)
        if found is None:
            continue
        if not isinstance(found, dict) or not all(
            _is_count(each, most) and each is not None for each in found.values()
        ):
            return _odd(name, found, "numbers by name")
    return ""


def _is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that a float can hold (comparing, unlike converting,
    takes any).
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _is_count(value: Any, most: float) -> bool:
    """Whether it is a number from zero to ``most``, or unknown."""
    return value is None or (_is_number(value) and 0 <= value <= most)


def moment_problem(row: Moment) -> str:
    """The same of a row of ``sustained.csv``."""
    return schema_problem(row.schema_version) or (
        "" if "/" in row.tag else f"tag is {row.tag!r}, which is no tag"
    )


Check = Callable[[Any], bool]


def _number_within(low: float, high: float) -> Check:
    return lambda value: _is_number(value) and low <= value <= high


def _whole_within(low: int, high: int) -> Check:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


NEEDED: Mapping[str, tuple[Check, str]] = {
    "kind": (lambda value: value in ("cuda", "cpu"), "cuda or cpu"),
    "index": (_whole_within(0, 10**6), "a number"),
    "name": (
        lambda value: isinstance(value, str) and len(value) <= SHORT,
        f"text of at most {SHORT} letters",
    ),
    "arch": (lambda value: isinstance(value, str), "text"),
    "units": (_whole_within(1, 10**7), "a number above zero"),
}
"""Of a device: what must be there, and right."""
BYTES = (_whole_within(0, 1 << 60), "a number of bytes")
CLOCK = (_number_within(1.0, 1e12), "a clock in Hz")
OPTIONAL: Mapping[str, tuple[Check, str]] = {
    "clock_hz": CLOCK,
    "memory_clock_hz": CLOCK,
    "memory_bus_bits": (_whole_within(1, 10**7), "a number of bits"),
    "memory_transfers": (_whole_within(1, 1000), "a number"),
    "last_cache_bytes": BYTES,
    "memory_bytes": BYTES,
    "memory_free_bytes": BYTES,
    "features": (_texts, "a list of texts"),
    "facts": (lambda value: isinstance(value, dict), "an object"),
    "warnings": (_texts, "a list of texts"),
}
"""What may be unknown: left out, and named, where it is wrong."""


def _is_cache(value: Any) -> bool:
    """Whether it is a cache as the operating system describes one."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return False
    level, shared = value.get("level"), value.get("shared_by", "")
    sized = _whole_within(1, 1 << 50)(value.get("size_bytes"))
    return (
        sized
        and _whole_within(1, 9)(level)
        and isinstance(shared, str)
        and bool(not shared or CPUS.fullmatch(shared))
    )


def _every(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


FACTS: Mapping[str, tuple[Check, str]] = {
    "caches": (_every(_is_cache), "a list of caches"),
    "cpus": (_every(_whole_within(0, 10**6)), "a list of processors"),
    "shared_bytes_per_multiprocessor": (_whole_within(1, 1 << 40), "a number of bytes"),
}
"""Of a device's facts: those that anything is computed from."""


def device_of(data: Mapping[str, Any]) -> tuple[Device, list[str]]:
    """The device of a run's facts, and what was wrong with those left out. Raises ValueError for
    one it needs.
    """
    for name, (check, wanted) in NEEDED.items():
        if name not in data:
            raise ValueError(f"its device lacks {name}")
        if not check(data[name]):
            raise ValueError(f"device: {name} is {shortened(repr(data[name]))}, not {wanted}")
    if data["kind"] == "cuda" and data["arch"] and not COMPUTE_CAPABILITY.fullmatch(data["arch"]):
        raise ValueError(
            f"device: arch is {shortened(repr(data['arch']))}, not a compute capability such as 9.0"
        )
    known = {f.name for f in fields(Device)}
    kept, lost = _good(
        {name: value for name, value in data.items() if name in known}, OPTIONAL, "device"
    )
    facts, more = _good(kept.get("facts", {}), FACTS, "device.facts")
    return Device.from_json({**kept, "facts": facts}), [*lost, *more]


def _good(
    data: Mapping[str, Any], checks: Mapping[str, tuple[Check, str]], where: str
) -> tuple[dict[str, Any], list[str]]:
    """What of this is right or unknown, and sentences of what is not."""
    kept, lost = dict(data), []
    for name, (check, wanted) in checks.items():
        value = data.get(name)
        if value is None:
            kept.pop(name, None)
        elif not check(value):
            kept.pop(name)
            lost.append(f"{where}: {name} is {shortened(repr(value))}, not {wanted}: left out")
    return kept, lost
