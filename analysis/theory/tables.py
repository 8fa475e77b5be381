"""The tables of this package: what each architecture does in a clock, and where that is written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from kernels.device import Device

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@cache
def tables(name: str = "peaks.toml") -> dict[str, Any]:
    """The content of one of this package's tables."""
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def row_of(device: Device) -> Mapping[str, Any]:
    """The table's row for the architecture of this device; empty if it has none."""
    return row_of_arch(device.kind, device.arch)


def row_of_arch(kind: str, arch: str) -> Mapping[str, Any]:
    """The table's row for this architecture; empty if it has none."""
    return tables().get(kind, {}).get(arch, {})


def source_of(row: Mapping[str, Any]) -> str:
    """Where a row's numbers come from, in full."""
    return "; ".join(tables()["sources"].get(name, name) for name in row.get("source", ()))
