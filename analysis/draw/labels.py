"""Where labels go so that none covers another: names stacked in a margin, names along parallel
slopes.

Plain arithmetic on lengths in one unit (pixels, say); knows nothing of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

GLYPH = 0.6  # mean width of a character of a sans-serif face in its size, on the generous side

BEFORE = 4  # letters before the first that tells two names apart

FINER = (
    (1.0, 2.0, 5.0),
    (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
    (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),
)
"""Multiples of powers of ten, for an axis that spans less than a decade or two."""


def cut(names: Sequence[str], longest: int) -> list[str]:
    """Names in so many letters, their end kept, which tells more than their beginning: ``net:
    /mod…/attn/MatMul``.

    Different names stay different: where their ends are the same, they are cut where they differ,
    or numbered.
    """
    shown = dict(zip(names, (_cut(name, longest, 0) for name in names), strict=True))
    for alike in _alike(shown):
        first = min(_common(alike[0], other) for other in alike[1:])
        shown.update({name: _cut(name, longest, first) for name in alike})
    places = {name: place for place, name in enumerate(shown, start=1)}
    for alike in _alike(shown):
        shown.update({name: _numbered(name, longest, places[name]) for name in alike})
    return [shown[name] for name in names]


def _cut(name: str, longest: int, differs: int) -> str:
    """A quarter of the letters from the beginning, the others from the end, or from where it
    differs from others.
    """
    if len(name) <= longest:
        return name
    head = longest // 4
    tail = longest - head - 1
    begin = len(name) - tail
    if head < differs < begin:
        begin = max(head, differs - BEFORE)
        return f"{name[:head]}…{name[begin : begin + tail - 1]}…"
    return f"{name[:head]}…{name[begin:]}"


def _numbered(name: str, longest: int, number: int) -> str:
    """Beginning and end with a number between them."""
    head, mark = longest // 4, f"…#{number}…"
    return f"{name[:head]}{mark}{name[len(name) - longest + head + len(mark) :]}"


def _alike(shown: Mapping[str, str]) -> list[list[str]]:
    """Different names that are shown as one."""
    groups: dict[str, list[str]] = {}
    for name, short in shown.items():
        groups.setdefault(short, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _common(one: str, other: str) -> int:
    """How many letters two names begin with in common."""
    differ = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


def clipped(text: str, most: int = 40) -> str:
    """A name as a picture has room for it: the beginning of a longer one."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def width(text: str, size: float) -> float:
    """Length of ``text`` in type of ``size``, in the unit of ``size``."""
    return GLYPH * size * len(text)


def spread_out(
    wanted: Sequence[float], distance: float, low: float = -math.inf, high: float = math.inf
) -> list[float]:
    """Positions close to ``wanted`` (in descending order) that keep ``distance`` and stay in [low,
    high] if they fit.

    Neighbours that would overlap form a block around the mean of what they wanted; blocks that meet
    become one.
    """
    blocks: list[tuple[float, int]] = []  # (mean wanted, count)
    for value in wanted:
        blocks.append((value, 1))
        while len(blocks) > 1 and _overlap(blocks[-2], blocks[-1], distance, low, high):
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    tops = [
        (_centre(block, distance, low, high) + (block[1] - 1) / 2 * distance, block[1])
        for block in blocks
    ]
    return [top - k * distance for top, n in tops for k in range(n)]


def _centre(block: tuple[float, int], distance: float, low: float, high: float) -> float:
    """Middle of a block, moved inside the bounds."""
    mean, count = block
    half = (count - 1) / 2 * distance
    return min(max(mean, low + half), high - half)


def _overlap(
    upper: tuple[float, int], lower: tuple[float, int], distance: float, low: float, high: float
) -> bool:
    apart = _centre(upper, distance, low, high) - _centre(lower, distance, low, high)
    return apart < distance * (upper[1] + lower[1]) / 2


def stagger(
    origins: Sequence[tuple[float, float]], lengths: Sequence[float], height: float
) -> list[float]:
    """Where along its line each label begins, so that none covers another.

    The lines are parallel; an origin is (along, across): where the line begins, and how far it lies
    across them. A label begins at its line's origin, or after those it would cover.
    """
    placed: list[tuple[float, float, float]] = []  # (begin, end, across)
    for (begin, across), length in zip(origins, lengths, strict=True):
        beside = sorted(p for p in placed if abs(p[2] - across) < height)
        for start, end, _ in beside:
            if begin < end + height and start < begin + length + height:
                begin = end + height
        placed.append((begin, begin + length, across))
    return [begin for begin, _, _ in placed]


def that_fit(wanted: Sequence[float], lengths: Sequence[float]) -> list[int]:
    """Which labels centred at ``wanted`` can be shown on one line, the outermost first: indices in
    ascending order.
    """
    by_place = sorted(range(len(wanted)), key=lambda i: wanted[i])
    chosen: list[int] = []
    for i in by_place[:1] + by_place[:0:-1]:
        if all(abs(wanted[i] - wanted[j]) >= (lengths[i] + lengths[j]) / 2 for j in chosen):
            chosen.append(i)
    return sorted(chosen)


def round_numbers(
    low: float, high: float, bases: Sequence[int], least: int, most: int
) -> list[float]:
    """Numbers for a logarithmic axis: powers of the first base with ``least`` in these limits, else
    multiples of tens.

    Of more than ``most``, one in two (or in three, and so on).
    """
    found: list[float] = []
    for base, factors in [
        *((base, (1.0,)) for base in bases),
        *((10, factors) for factors in FINER),
    ]:
        powers = range(math.floor(math.log(low, base)), math.ceil(math.log(high, base)) + 1)
        found = [factor * float(base) ** power for power in powers for factor in factors]
        found = [number for number in found if low <= number <= high]
        if len(found) >= least:
            break
    return found[:: math.ceil(len(found) / most) or 1]


Box = tuple[float, float, float, float]  # left, bottom, right, top


def thinned(boxes: Iterable[Box], grid: float = 2.0) -> list[Box]:
    """Boxes (pixels) without those that hardly differ from another: of thousands of points most lie
    on others.
    """
    kept: dict[tuple[int, ...], Box] = {}
    for box in boxes:
        kept.setdefault(tuple(round(edge / grid) for edge in box), box)
    return list(kept.values())


def first_free(choices: Sequence[Box], taken: Sequence[Box]) -> Box | None:
    """The first of these boxes that covers none of those taken; None if each does."""
    for box in choices:
        if not any(
            box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken
        ):
            return box
    return None
