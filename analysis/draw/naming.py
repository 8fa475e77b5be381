"""What roofs are called in pictures, and the colours and markers that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.draw.labels import clipped
from analysis.draw.style import PRECISIONS, SLOPE
from analysis.model.roofline import Roof
from analysis.units import percent, si
from probes.records.tag import SPARSE, Tag

SAME_WITHIN = 0.015
"""Roofs whose rates differ by less, as a part of the highest, are one line to the eye."""


def tops(roofs: Sequence[Roof]) -> list[float]:
    """Of each roof the higher of its lines, measured or theoretical."""
    return [max(roof.rate, roof.peak or 0) for roof in roofs]


def full_name(roof: Roof) -> str:
    """``FP64  33.4 TFLOP/s · 99.9 %``: its share of theory stands at the end where it is known."""
    share = f" · {percent(roof.share)}" if roof.share else ""
    return f"{clipped(roof.label)}  {si(roof.rate, roof.unit)}{share}"


def short_name(roof: Roof) -> str:
    """``FP16 950 TFLOP/s``: without its path and its share of theory."""
    return f"{subject(roof)} {si(roof.rate, roof.unit)}"


def equal_roofs(roofs: Sequence[Roof]) -> list[tuple[Roof, ...]]:
    """The roofs (highest first), those together that one label can name.

    They lie within ``SAME_WITHIN`` of the highest of them, count the same unit, and are all dense
    or all sparse.
    """
    groups: list[list[Roof]] = []
    for roof in roofs:
        equals = next((group for group in groups if _is_equal(group[0], roof)), None)
        if equals:
            equals.append(roof)
        else:
            groups.append([roof])
    return [tuple(group) for group in groups]


def _is_equal(higher: Roof, lower: Roof) -> bool:
    """True if one label can name both."""
    counts_the_same = higher.unit == lower.unit and higher.is_sparse == lower.is_sparse
    return counts_the_same and lower.rate >= (1 - SAME_WITHIN) * higher.rate


def dense_roofs(roofs: Sequence[Roof]) -> list[Roof]:
    """The roofs that count the work that is done, in their order; all, if none does."""
    dense = [roof for roof in roofs if not roof.is_sparse]
    return dense or list(roofs)


def subject(roof: Roof) -> str:
    """``FP16``: the precision of a roof."""
    return clipped(Tag.parse(roof.tag).subject.upper())


def name_of_equals(roofs: Sequence[Roof]) -> str:
    """``FP16 = BF16 wgmma  892 TFLOP/s · 99.3 %``: of equal roofs (highest first) in one label.

    An instruction stands once, behind the last of those that use it. Rate and share are those of
    the highest.
    """
    highest = roofs[0]
    by_instruction: dict[str, list[str]] = {}
    for roof in sorted(roofs, key=lambda roof: not Tag.parse(roof.tag).path):
        by_instruction.setdefault(_instruction(roof), []).append(subject(roof))
    parts = []
    for instruction, subjects in by_instruction.items():
        parts.append(f"{' = '.join(subjects)} {instruction}".strip())
    share = f" · {percent(highest.share)}" if highest.share else ""
    return f"{clipped(' = '.join(parts))}  {si(highest.rate, highest.unit)}{share}"


def _instruction(roof: Roof) -> str:
    """``wgmma`` of compute/fp16/wgmma_sp-fp32: neither what it adds up in, nor that it is sparse.

    The variants of its tag stay.
    """
    tag = Tag.parse(roof.tag)
    path = tag.path.partition("-")[0].removesuffix(SPARSE)
    return " ".join(word for word in (path, *tag.variants) if word)


def style(roof: Roof) -> tuple[str, str]:
    """Colour and marker of a roof's precision."""
    return PRECISIONS.get(Tag.parse(roof.tag).subject, (SLOPE, "o"))


def roof_colour(roof: Roof) -> str:
    """The colour of a roof's precision."""
    colour, _ = style(roof)
    return colour
