"""Which columns of a table a terminal has room for, and how wide each is: no number ever loses its unit.

Plain arithmetic on characters; knows nothing of terminals.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

GAP = 2  # characters between two columns, and around the table
LEAST = {"bound": 11, "layer": 18, "ceiling": 18, "remark": 20, "remarks": 20}
"""Columns of words, in which a line can be broken, and the characters each needs; the first grows first."""
LINES = 3  # of a remark on a terminal
DISPENSABLE = (
    "samples", "rate or bandwidth", "clock", "theoretical", "remark", "remarks", "type", "spread", "bound", "share",
    "of roof",
)  # fmt: skip
"""Columns that a narrow terminal does without, the first one first: files hold them all."""


def fit(head: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> dict[str, int]:
    """Width in characters of every column that is shown in ``room`` characters, by its name."""
    natural = {name: max(len(row[i]) for row in [head, *rows]) for i, name in enumerate(head)}
    widths = {name: min(wide, LEAST.get(name, wide)) for name, wide in natural.items()}
    for name in DISPENSABLE:
        if _length(widths) > room:
            widths.pop(name, None)
    for name in LEAST:
        if name in widths:
            widths[name] += max(0, min(natural[name] - widths[name], room - _length(widths)))
    return widths


def _length(widths: dict[str, int]) -> int:
    return sum(widths.values()) + GAP * len(widths)


def shortened(text: str, width: int) -> str:
    """What fills LINES lines of ``width`` characters; the rest becomes an ellipsis."""
    lines = wrap(text, width)
    return text if len(lines) <= LINES else " ".join([*lines[: LINES - 1], f"{lines[LINES - 1][: width - 1]}…"])
