"""The gate of a comparison as a user writes it."""

from __future__ import annotations

import argparse


def gate_share(text: str) -> float:
    """``3%`` or ``0.03`` as a share above 0 and below 1. Raises ArgumentTypeError for others."""
    written = text.strip()
    is_percentage = written.endswith("%")
    try:
        value = float(written.removesuffix("%"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 3% or 0.03") from None
    if value >= 1 and not is_percentage:
        raise argparse.ArgumentTypeError(f"{text!r} may be percent: write {text}%")
    value = value / 100 if is_percentage else value
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0 and below 100 %")
    return value
