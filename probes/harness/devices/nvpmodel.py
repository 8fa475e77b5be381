"""A Jetson's power modes: which one is set, and which one is the fastest of its board.

Mode numbers differ between boards and releases (0 is MAXN on an AGX Orin and 15 W on an Orin Nano),
so both come from the board's own table, /etc/nvpmodel.conf.
"""

from __future__ import annotations

import re
from pathlib import Path

from probes.harness.devices.limits import read

ROW = re.compile(r"^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=([^\s>]+)\s*>", re.MULTILINE)


def modes(root: Path) -> dict[int, str]:
    """Name of every mode by number; empty if there is no table."""
    return {int(number): name for number, name in ROW.findall(read(root / "etc/nvpmodel.conf"))}


def current(root: Path) -> str:
    """Name of the mode that is set, its number if it has no name; empty if not known."""
    status = re.search(r"pmode:(\d+)", read(root / "var/lib/nvpmodel/status"))
    return modes(root).get(int(status[1]), str(int(status[1]))) if status else ""


def _speed(name: str) -> tuple[bool, bool, int]:
    """Order of modes: MAXN_SUPER, MAXN, then by the watts in the name."""
    watts = re.search(r"(\d+)W", name)
    return name.startswith("MAXN_SUPER"), name.startswith("MAXN"), int(watts[1]) if watts else 0


def warnings(root: Path, mode: str) -> list[str]:
    """A sentence if the table has a faster mode than ``mode``."""
    table = modes(root)
    best = max(table, key=lambda number: _speed(table[number]), default=None)
    if best is None or mode not in table.values() or _speed(mode) >= _speed(table[best]):
        return []
    return [
        f"the power mode is {mode}: peaks are lower than in {table[best]} (sudo nvpmodel -m {best})"
    ]
