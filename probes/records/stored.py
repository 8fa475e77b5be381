"""What a run on disk may say: of its device in ``run.json``, and in the rows of its tables.

Whatever was edited, cut off or made up elsewhere is refused, or left out and named, before anything
is computed with it: behind this door every fact has its type, and every number is one that some
machine could have given. Standard library only.
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
WATTS = (1e-6, 1e7)
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
    "power_w": WATTS,
    "joules": (1e-18, 1e15),
}
"""Of the cells of a measurement: the least above zero, and the largest."""
MOMENT_LIMITS: Mapping[str, tuple[float, float]] = {
    "schema_version": (1, 1e6),
    "seconds": SECONDS,
    "rate": (1e-9, 1e30),
    "clock_hz": (1.0, 1e12),
    "power_w": WATTS,
    "temperature_c": (1e-3, 1e4),
}
TEXT_FACTS = (
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
NUMBERS_BY_NAME = {"beside": 1e30, "together": 1e30, "ran": 1e12}
"""Rates beside a row by tag, or of those that work together, and how often each operation ran in a
network; the largest of each."""
COUNT_FACTS = ("launches", "working_set", "textbook_bytes")
FLAG_FACTS = ("warm", "emulated", "captured")
LONGEST_NAME, LONGEST_TEXT = 1 << 16, 1000
"""Letters: names of fused layers and of C++ templates have some thousands."""
NAMES = ("layer", "op", "kernel")
TEXT_CELLS = ("device", "started", "probe", "kernel", "backend", "dtype", "ceiling")
NULL = "null"
"""JSON's word for what is not known, as an empty cell is."""
CPU_LIST = re.compile(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*", re.ASCII)
COMPUTE_CAPABILITY = re.compile(r"\d{1,3}\.\d{1,2}", re.ASCII)


def schema_problem(version: int) -> str:
    """Why a run or a row of this schema cannot be read, in words; empty if it can."""
    if version > SCHEMA_VERSION:
        return (
            f"schema {version} is of a newer Ridgeline than this one, which reads "
            f"{SCHEMA_VERSION}: update this one"
        )
    return f"schema {version} is older than any that Ridgeline wrote" if version < 1 else ""


def row_problem(row: Measurement) -> str:
    """Why no run can have this row, though each of its cells is right; empty if it can."""
    if why := schema_problem(row.schema_version):
        return why
    if row.status not in (OK, SKIPPED, FAILED):
        return f"status is {shortened(repr(row.status))}, not {OK}, {SKIPPED} or {FAILED}"
    for name in TEXT_CELLS:
        if why := _too_long(name, getattr(row, name)):
            return why
    try:
        tag = parse_tag(row.ceiling)
    except ValueError:
        return f"ceiling is {shortened(repr(row.ceiling))}, which is no tag"
    if row.status == OK and not row.seconds_median:
        cell = "empty" if row.seconds_median is None else "0"
        return f"seconds_median is {cell}, though its status is {OK}"
    low, high = row.seconds_low, row.seconds_high
    if low is not None and high is not None and low > high:
        return f"seconds_low is {low:g}, above seconds_high"
    return _params_problem(row.params, tag.quantity)


def cells_problem(row: Measurement) -> str:
    """Which cell of this row has a number that no machine has; empty if none has."""
    for name, (low, high) in LIMITS.items():
        value = getattr(row, name)
        if value and not low <= value <= high:
            return f"{name} is {value!r}, not a number from {low:g} to {high:g}"
    return ""


def _params_problem(params: str, quantity: str) -> str:
    """What is wrong with those facts in ``params`` that are computed with; empty if nothing."""
    if params in ("", NULL):
        return ""
    try:
        facts = json.loads(params, parse_constant=_refuse)
    except RecursionError:
        return "params is nested too deep"
    except ValueError:
        return f"params is {shortened(repr(params))}, which is no JSON"
    if not isinstance(facts, dict):
        return f"params is {shortened(repr(params))}, not a JSON object"
    for name in TEXT_FACTS:
        if not isinstance(facts.get(name), str | None):
            return _odd(name, facts[name], "text")
        if why := _too_long(name, facts.get(name) or ""):
            return f"params: {why}"
    for name in COUNT_FACTS:
        if not _is_count(facts.get(name), 1e24):
            return _odd(name, facts[name], "a number of zero or more")
    for name in FLAG_FACTS:
        if not isinstance(facts.get(name), bool | int | None):
            return _odd(name, facts[name], "true or false")
    return _x_problem(facts.get("x"), quantity) or _counts_problem(facts)


def _too_long(name: str, text: str) -> str:
    most = LONGEST_NAME if name in NAMES else LONGEST_TEXT
    return f"{name} has {len(text)} letters, more than {most}" if len(text) > most else ""


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _odd(name: str, value: Any, wanted: str) -> str:
    return f"params: {name} is {shortened(repr(value))}, not {wanted}"


def _x_problem(x: Any, quantity: str) -> str:
    """What is wrong with the place of a point; empty if nothing.

    A sweep goes over something above zero; the layers of a list are numbered from zero.
    """
    if x is None:
        return ""
    least = 0.0 if quantity == LAYER else 1e-12
    good = _is_number(x) and (x == 0 or least <= x <= LARGEST_X)
    return "" if good else _odd("x", x, f"a number up to {LARGEST_X:g}")


def _counts_problem(facts: Mapping[str, Any]) -> str:
    """What is wrong with the facts that are numbers by name; empty if nothing."""
    for name, most in NUMBERS_BY_NAME.items():
        numbers = facts.get(name)
        if numbers is None:
            continue
        if not isinstance(numbers, dict) or None in numbers.values():
            return _odd(name, numbers, "numbers by name")
        if not all(_is_count(number, most) for number in numbers.values()):
            return _odd(name, numbers, "numbers by name")
    return ""


def _is_number(value: Any) -> bool:
    """True if a value of JSON is a number that a float can hold."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < 1e300  # comparing, unlike converting, takes any number


def _is_count(value: Any, most: float) -> bool:
    """True if it is a number from zero to ``most``, or unknown."""
    return value is None or (_is_number(value) and 0 <= value <= most)


def moment_problem(row: Moment) -> str:
    """Why no run can have this row of ``sustained.csv``; empty if it can."""
    if why := schema_problem(row.schema_version):
        return why
    return "" if "/" in row.tag else f"tag is {row.tag!r}, which is no tag"


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
        lambda value: isinstance(value, str) and len(value) <= LONGEST_TEXT,
        f"text of at most {LONGEST_TEXT} letters",
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
    "memory_range": (lambda value: _is_range(value), "two bandwidths, or none"),
    "memory_limit": (_number_within(1.0, 1e18), "a bandwidth"),
    "system_cache_bytes": BYTES,
    "last_cache_bytes": BYTES,
    "memory_bytes": BYTES,
    "memory_free_bytes": BYTES,
    "features": (_texts, "a list of texts"),
    "facts": (lambda value: isinstance(value, dict), "an object"),
    "warnings": (_texts, "a list of texts"),
}
"""What may be unknown: left out, and named, where it is wrong."""


def _is_range(value: Any) -> bool:
    """True if it is empty, or two bandwidths in B/s."""
    if not isinstance(value, list | tuple) or len(value) not in (0, 2):
        return False
    return all(_number_within(1.0, 1e18)(rate) for rate in value)


def _is_cache(value: Any) -> bool:
    """True if it is a cache as the operating system describes one."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return False
    has_size = _whole_within(1, 1 << 50)(value.get("size_bytes"))
    has_level = _whole_within(1, 9)(value.get("level"))
    shared_by = value.get("shared_by", "")
    if not (has_size and has_level and isinstance(shared_by, str)):
        return False
    return not shared_by or CPU_LIST.fullmatch(shared_by) is not None


def _every(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


FACTS: Mapping[str, tuple[Check, str]] = {
    "caches": (_every(_is_cache), "a list of caches"),
    "cpus": (_every(_whole_within(0, 10**6)), "a list of processors"),
    "shared_bytes_per_multiprocessor": (_whole_within(1, 1 << 40), "a number of bytes"),
    "memory_source": (
        lambda value: isinstance(value, str) and len(value) <= LONGEST_TEXT,
        f"text of at most {LONGEST_TEXT} letters",
    ),
}
"""Of a device's facts: those that anything is computed from."""


def device_of(data: Mapping[str, Any]) -> tuple[Device, list[str]]:
    """The device of a run's facts, and sentences on those left out since they were wrong.

    Raises ValueError if one that it needs is wrong.
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
    names = {field.name for field in fields(Device)}
    of_device = {name: value for name, value in data.items() if name in names}
    right, left_out = _good(of_device, OPTIONAL, "device")
    facts, facts_left_out = _good(right.get("facts", {}), FACTS, "device.facts")
    return Device.from_json({**right, "facts": facts}), [*left_out, *facts_left_out]


def _good(
    data: Mapping[str, Any], checks: Mapping[str, tuple[Check, str]], where: str
) -> tuple[dict[str, Any], list[str]]:
    """What of this passes its check or has none, and a sentence on each value that is left out."""
    right, left_out = dict(data), []
    for name, (check, wanted) in checks.items():
        value = data.get(name)
        if value is None:
            right.pop(name, None)
        elif not check(value):
            right.pop(name)
            left_out.append(f"{where}: {name} is {shortened(repr(value))}, not {wanted}: left out")
    return right, left_out
