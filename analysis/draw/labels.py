"""Where labels go so that none covers another: in a margin, along slopes, in free places.

Plain arithmetic on lengths in one unit (pixels, say); knows nothing of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from probes.records.given import shortened

GLYPH = 0.6
"""Mean width of a character of a sans-serif face in its size, on the generous side."""

LETTERS_BEFORE_DIFFERENCE = 4
"""How many letters are shown before the first one that tells two names apart."""

FINER_MULTIPLES = (
    (1.0, 2.0, 5.0),
    (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
    (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),
)
"""Multiples of powers of ten, for an axis that spans less than a decade or two."""


class Box(NamedTuple):
    """A rectangle that something covers."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of its middle."""
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    def is_inside(self, frame: Box) -> bool:
        """True if it lies in a larger box and touches none of its edges."""
        across = frame.left < self.left and self.right < frame.right
        down = frame.bottom < self.bottom and self.top < frame.top
        return across and down


def box_around(x: float, y: float, half_width: float, half_height: float) -> Box:
    """The box of this size whose middle is at (x, y)."""
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def thinned(boxes: Iterable[Box], grid: float = 2.0) -> list[Box]:
    """Boxes without those that hardly differ from another.

    Of thousands of points most lie on others. grid: edges are equal if they round to the same
    multiple of it.
    """
    by_edges: dict[tuple[int, ...], Box] = {}
    for box in boxes:
        edges = tuple(round(edge / grid) for edge in box)
        by_edges.setdefault(edges, box)
    return list(by_edges.values())


def first_free(choices: Iterable[Box], taken: Sequence[Box]) -> Box | None:
    """The first of these boxes that covers none of those taken; None if each does."""
    for box in choices:
        if not _collides(box, taken):
            return box
    return None


def _collides(box: Box, taken: Sequence[Box]) -> bool:
    left, bottom, right, top = box
    for other_left, other_bottom, other_right, other_top in taken:
        shares_columns = left < other_right and other_left < right
        if shares_columns and bottom < other_top and other_bottom < top:
            return True
    return False


def width(text: str, size: float) -> float:
    """Length of ``text`` in type of ``size``, in the unit of ``size``."""
    return GLYPH * size * len(text)


def clipped(text: str, longest: int = 40) -> str:
    """The beginning of a text, with an ellipsis where it has more than ``longest`` letters."""
    return shortened(text, longest)


def cut(names: Sequence[str], longest: int) -> list[str]:
    """Names in so many letters, such as ``net: /mod…/attn/MatMul``: the end tells more.

    Different names stay different: where their ends are the same, they are cut where they differ,
    or numbered.
    """
    shown = {name: _with_end(name, longest) for name in names}
    for alike in _shown_alike(shown):
        first, *others = alike
        difference = min(_common_letters(first, other) for other in others)
        for name in alike:
            shown[name] = _with_difference(name, longest, difference)
    places = {name: place for place, name in enumerate(shown, start=1)}
    for alike in _shown_alike(shown):
        for name in alike:
            shown[name] = _with_number(name, longest, places[name])
    return [shown[name] for name in names]


def _with_end(name: str, longest: int) -> str:
    """A quarter of the letters from the beginning of a name, and the others from its end."""
    if len(name) <= longest:
        return name
    head = longest // 4
    tail = longest - head - 1
    return f"{name[:head]}…{name[len(name) - tail :]}"


def _with_difference(name: str, longest: int, difference: int) -> str:
    """The beginning of a name, and the part in which it begins to differ from others."""
    head = longest // 4
    tail = longest - head - 1
    last_begin = len(name) - tail
    if len(name) <= longest or not head < difference < last_begin:
        return _with_end(name, longest)
    begin = max(head, difference - LETTERS_BEFORE_DIFFERENCE)
    return f"{name[:head]}…{name[begin : begin + tail - 1]}…"


def _with_number(name: str, longest: int, number: int) -> str:
    """Beginning and end of a name with a number between them."""
    head = longest // 4
    mark = f"…#{number}…"
    tail = longest - head - len(mark)
    return f"{name[:head]}{mark}{name[len(name) - tail :]}"


def _shown_alike(shown: Mapping[str, str]) -> list[list[str]]:
    """Groups of different names that are shown as one."""
    groups: dict[str, list[str]] = {}
    for name, short in shown.items():
        groups.setdefault(short, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _common_letters(one: str, other: str) -> int:
    """How many letters two names begin with in common."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


@dataclass(frozen=True)
class _Block:
    """Neighbouring labels that touch: the mean of the places they wanted, and how many they are."""

    mean: float
    count: int


def spread_out(
    wanted: Sequence[float], distance: float, low: float = -math.inf, high: float = math.inf
) -> list[float]:
    """Positions close to ``wanted``, which descend, at least ``distance`` apart.

    They stay in [low, high] if they fit. Neighbours that would overlap form a block around the mean
    of what they wanted; blocks that meet become one.
    """
    blocks: list[_Block] = []
    for value in wanted:
        blocks.append(_Block(value, 1))
        while len(blocks) > 1 and _overlap(blocks[-2], blocks[-1], distance, low, high):
            lower, upper = blocks.pop(), blocks.pop()
            count = upper.count + lower.count
            mean = (upper.mean * upper.count + lower.mean * lower.count) / count
            blocks.append(_Block(mean, count))
    positions = []
    for block in blocks:
        top = _centre(block, distance, low, high) + (block.count - 1) / 2 * distance
        positions += [top - place * distance for place in range(block.count)]
    return positions


def _centre(block: _Block, distance: float, low: float, high: float) -> float:
    """Middle of a block, moved inside the bounds."""
    half = (block.count - 1) / 2 * distance
    return min(max(block.mean, low + half), high - half)


def _overlap(upper: _Block, lower: _Block, distance: float, low: float, high: float) -> bool:
    apart = _centre(upper, distance, low, high) - _centre(lower, distance, low, high)
    return apart < distance * (upper.count + lower.count) / 2


class _Label(NamedTuple):
    """A label on one of several parallel lines."""

    begin: float
    end: float
    across: float


def stagger(
    origins: Sequence[tuple[float, float]], lengths: Sequence[float], height: float
) -> list[float]:
    """Where along its line each label begins, so that none covers another.

    The lines are parallel; an origin is (along, across): where the line begins, and how far it lies
    across them. A label begins at its line's origin, or after those it would cover.
    """
    placed: list[_Label] = []
    for (begin, across), length in zip(origins, lengths, strict=True):
        neighbours = [label for label in placed if abs(label.across - across) < height]
        for label in sorted(neighbours):
            if begin < label.end + height and label.begin < begin + length + height:
                begin = label.end + height
        placed.append(_Label(begin, begin + length, across))
    return [label.begin for label in placed]


def that_fit(
    wanted: Sequence[float], lengths: Sequence[float], first: Sequence[int] = ()
) -> list[int]:
    """Which labels centred at ``wanted`` have room on one line: their indices, ascending.

    Those of ``first`` are chosen first, then the leftmost, then the others from the right.
    """
    by_place = sorted(range(len(wanted)), key=lambda i: wanted[i])
    leftmost_then_from_right = by_place[:1] + by_place[:0:-1]
    chosen: list[int] = []
    for i in [*first, *leftmost_then_from_right]:
        if i in chosen:
            continue
        if all(abs(wanted[i] - wanted[j]) >= (lengths[i] + lengths[j]) / 2 for j in chosen):
            chosen.append(i)
    return sorted(chosen)


def in_rows(
    wanted: Sequence[float], lengths: Sequence[float], first: Sequence[int], rows: int
) -> list[list[int]]:
    """The labels (their indices) that have room on each of so many lines, one above another.

    Those of ``first`` are on the first line. Each has a line down to its place, which no other
    label covers.
    """
    chosen: list[list[int]] = []
    placed: list[int] = []
    for _ in range(rows):
        clear = []
        for i in range(len(wanted)):
            halves = [(max(lengths[i], lengths[j]) / 2, wanted[j]) for j in placed]
            if i not in placed and all(abs(wanted[i] - x) >= half for half, x in halves):
                clear.append(i)
        preferred = [clear.index(i) for i in first if i in clear]
        fitting = that_fit([wanted[i] for i in clear], [lengths[i] for i in clear], preferred)
        row = [clear[place] for place in fitting]
        chosen.append(row)
        placed += row
    return chosen


def round_numbers(
    low: float, high: float, bases: Sequence[int], least: int, most: int
) -> list[float]:
    """Numbers between these limits for a logarithmic axis, ascending.

    Powers of the first base that has ``least`` of them there, else multiples of powers of ten. Of
    more than ``most``, one in two is left (or in three, and so on).
    """
    choices: list[tuple[int, tuple[float, ...]]] = [(base, (1.0,)) for base in bases]
    choices += [(10, multiples) for multiples in FINER_MULTIPLES]
    numbers: list[float] = []
    for base, multiples in choices:
        numbers = _multiples_of_powers(low, high, base, multiples)
        if len(numbers) >= least:
            break
    step = math.ceil(len(numbers) / most) or 1
    return numbers[::step]


def _multiples_of_powers(
    low: float, high: float, base: int, multiples: Sequence[float]
) -> list[float]:
    """Every multiple of a power of this base from ``low`` to ``high``, ascending."""
    first_power = math.floor(math.log(low, base))
    last_power = math.ceil(math.log(high, base))
    numbers = []
    for power in range(first_power, last_power + 1):
        numbers += [multiple * float(base) ** power for multiple in multiples]
    return [number for number in numbers if low <= number <= high]
