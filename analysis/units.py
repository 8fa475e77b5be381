"""Numbers as people read them: three significant digits and an SI prefix (1 GB/s is 1e9 bytes per
second).
"""

from __future__ import annotations

from probes.records.tag import parse_tag

PREFIXES = (
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

BINARY = {0: "B", 10: "KiB", 20: "MiB", 30: "GiB", 40: "TiB"}


def si(value: float | None, unit: str) -> str:
    """``4.24 TB/s``; a dash for None."""
    if value is None:
        return "–"
    number, prefix = _scaled(value)
    return f"{number:.{max(0, 3 - len(str(int(abs(number)))))}f} {prefix}{unit}"


def brief(value: float, unit: str) -> str:
    """The same with no zeros at the end, as on an axis: ``1.5 TB/s``, ``2 TB/s``, ``0``."""
    number, prefix = _scaled(value)
    return f"{short(number)} {prefix}{unit}" if value else "0"


def short(value: float) -> str:
    """Three significant digits, and no exponent where people expect none: ``1060``, ``0.5``."""
    return f"{float(f'{value:.3g}'):g}"


def _scaled(value: float) -> tuple[float, str]:
    value = float(f"{value:.2e}")  # rounded first: 999.7 is 1.00 k, not 1000
    size, prefix = next(
        (p for p in PREFIXES if abs(value) >= p[0]), PREFIXES[-1] if value else (1.0, "")
    )
    return value / size, prefix


def binary(size: float) -> str:
    """Bytes as sizes of caches are told: ``32 KiB``, ``1.5 MiB``."""
    power = next((p for p in (40, 30, 20, 10) if size >= 2**p), 0)
    return f"{short(size / 2**power)} {BINARY[power]}"


def fraction(x: float) -> str:
    """An intensity that is a power of two: ``16``, ``1/4``."""
    return f"{x:g}" if x >= 1 else f"1/{1 / x:g}"


def unit_of(tag: str, dtype: str = "") -> str:
    """Unit of what a tag says: s for times, B/s, and OP/s where the operands are integers, else
    FLOP/s.
    """
    parts = parse_tag(tag)
    if parts.counts is None:
        return "s"
    if parts.counts == "bytes":
        return "B/s"
    return unit_of_operations(dtype or parts.operands)


def unit_of_operations(dtype: str) -> str:
    """Unit of a rate of arithmetic in this element type: OP/s of integers, else FLOP/s."""
    return "OP/s" if dtype.startswith("int") else "FLOP/s"


def plus_minus(spread: float | None) -> str:
    """``±1.5 %`` of the half-width of an interval over its median; a dash for None.

    An interval wider than its median says no more than that: ``> ±100 %``.
    """
    if spread is None:
        return "–"
    return "> ±100 %" if spread > 1 else f"±{100 * spread:.1f} %"


def percent(value: float | None) -> str:
    """``98.1 %``; a dash for None."""
    return "–" if value is None else f"{100 * value:.1f} %"
