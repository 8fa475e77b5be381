"""Shares as a user writes them, for options. Each raises ArgumentTypeError for what is none."""

from __future__ import annotations

import argparse


def share(text: str) -> float:
    """``1%`` or ``0.01`` as a share from 0 to 1."""
    value, is_percentage = _number(text, "1% or 0.01")
    if value == 1 and not is_percentage:
        raise argparse.ArgumentTypeError(f"{text!r} may be 1 % or all: write 1%, or 100%")
    value = value / 100 if is_percentage else value
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 100 %")
    return value


def gate_share(text: str) -> float:
    """``3%`` or ``0.03`` as a share above 0 and below 1."""
    value, is_percentage = _number(text, "3% or 0.03")
    if value >= 1 and not is_percentage:
        raise argparse.ArgumentTypeError(f"{text!r} may be percent: write {text}%")
    value = value / 100 if is_percentage else value
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0 and below 100 %")
    return value


def _number(text: str, example: str) -> tuple[float, bool]:
    """The number that is written, and whether a percent sign is behind it."""
    written = text.strip()
    is_percentage = written.endswith("%")
    try:
        return float(written.removesuffix("%")), is_percentage
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like {example}") from None
