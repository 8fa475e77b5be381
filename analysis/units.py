"""Numbers as people read them: three significant digits and an SI prefix.

1 GB/s is 1e9 bytes per second; only sizes of caches are told in powers of two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from probes.records.tag import ARITHMETIC, parse_tag

SI_PREFIXES = (
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
)
"""(factor, prefix), the largest first."""

BINARY_UNITS = ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "B"))
"""(power of two, unit of so many bytes), the largest first."""

NO_BREAK = "\u00a0"
"""A space at which no line ends."""
BEFORE_UNIT = re.compile(r"(?<=\d) (?=[%A-Za-zµ])")
"""The space between a number and its unit."""

UNKNOWN = "–"
"""What stands for None."""


def si(value: float | None, unit: str) -> str:
    """``4.24 TB/s``; a dash for None."""
    if value is None:
        return UNKNOWN
    number, prefix = _scaled(value)
    digits_before_point = len(str(int(abs(number))))
    digits_after_point = max(0, 3 - digits_before_point)
    return f"{number:.{digits_after_point}f} {prefix}{unit}"


def si_span(values: Sequence[float], unit: str) -> str:
    """``1.60 GHz to 1.98 GHz`` from the least to the greatest; one number if they read alike."""
    lowest, highest = si(min(values), unit), si(max(values), unit)
    return lowest if lowest == highest else f"{lowest} to {highest}"


def watts(power: float | None) -> str:
    """``698 W``, ``7.31 W``: read without a prefix; a dash for None."""
    if power is None:
        return UNKNOWN
    return f"{short(power)} W"


def brief(value: float, unit: str) -> str:
    """The same with no zeros at the end, as on an axis: ``1.5 TB/s``, ``2 TB/s``, ``0``."""
    if not value:
        return "0"
    number, prefix = _scaled(value)
    return f"{short(number)} {prefix}{unit}"


def short(value: float) -> str:
    """Three significant digits, and no exponent where people expect none: ``1060``, ``0.5``."""
    rounded = float(f"{value:.3g}")
    return f"{rounded or 0.0:g}"  # there is no negative zero


def _scaled(value: float) -> tuple[float, str]:
    """(number, prefix) of a value: the number is at least 1, unless no prefix is small enough."""
    rounded = float(f"{value:.2e}")  # before a prefix is chosen: 999.7 is 1.00 k, not 1000
    if not rounded:
        return rounded, ""
    for factor, prefix in SI_PREFIXES:
        if abs(rounded) >= factor:
            return rounded / factor, prefix
    smallest, prefix = SI_PREFIXES[-1]
    return rounded / smallest, prefix


def binary(size: float) -> str:
    """Bytes as sizes of caches are told: ``32 KiB``, ``1.5 MiB``."""
    for power, unit in BINARY_UNITS:
        if size >= 2**power:
            return f"{short(size / 2**power)} {unit}"
    return f"{short(size)} B"


def fraction(x: float) -> str:
    """An intensity that is a power of two: ``16``, ``1/4``."""
    return f"{x:g}" if x >= 1 else f"1/{1 / x:g}"


def unit_of(tag: str, dtype: str = "") -> str:
    """Unit of what a tag says: s of times, B/s of bandwidths, else that of its operations.

    dtype: type of the operands, where the tag does not name it.
    """
    parts = parse_tag(tag)
    if parts.counts is None:
        return "s"
    if parts.counts == "bytes":
        return "B/s"
    if parts.quantity == ARITHMETIC:
        return "OP/s"
    return unit_of_operations(dtype or parts.operands)


def unit_of_operations(dtype: str) -> str:
    """Unit of a rate of arithmetic in this element type: OP/s of integers, else FLOP/s."""
    return "OP/s" if dtype.startswith("int") else "FLOP/s"


def plus_minus(spread: float | None) -> str:
    """``±1.5 %`` of the half-width of an interval over its median; a dash for None.

    An interval wider than its median says no more than that: ``> ±100 %``.
    """
    if spread is None:
        return UNKNOWN
    return "> ±100 %" if spread > 1 else f"±{100 * spread:.1f} %"


def unbroken(text: str) -> str:
    """A sentence in which no line ends between a number and its unit."""
    return BEFORE_UNIT.sub(NO_BREAK, text)


def whole_percent(value: float) -> str:
    """``98 %``, where a glance is enough."""
    return f"{100 * value:.0f} %"


def percent(value: float | None) -> str:
    """``98.1 %``; a dash for None."""
    return UNKNOWN if value is None else f"{100 * value:.1f} %"
