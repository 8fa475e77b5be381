"""A Jetson's power modes: the one that is set, and the fastest one of its board.

Their names come from the board's own table, /etc/nvpmodel.conf: the numbers of modes differ between
boards and releases (0 is MAXN on an AGX Orin, and 15 W on an Orin Nano).
"""

from __future__ import annotations

import re
from pathlib import Path

from probes.harness.devices.reading import read

MODE = re.compile(r"^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=([^\s>]+)\s*>", re.MULTILINE)
"""The line that begins a mode in that table: its number and its name."""


def modes(root: Path) -> dict[int, str]:
    """Name of every mode by number; empty if there is no table.

    root: where the board's files are, ``/`` but in tests.
    """
    rows = MODE.findall(read(root / "etc/nvpmodel.conf"))
    return {int(number): name for number, name in rows}


def current(root: Path) -> str:
    """Name of the mode that is set, or its number if it has no name; empty if not known."""
    status = re.search(r"pmode:(\d+)", read(root / "var/lib/nvpmodel/status"))
    if not status:
        return ""
    number = int(status[1])
    return modes(root).get(number, str(number))


def warnings(root: Path, mode: str) -> list[str]:
    """A warning if the board's table has a faster mode than the one of this name; else none.

    Nothing is said of a mode that the table does not name: nobody knows how fast it is.
    """
    names = modes(root)
    if mode not in names.values():
        return []
    fastest = max(names, key=lambda number: _speed(names[number]))
    if _speed(mode) >= _speed(names[fastest]):
        return []
    return [
        f"the power mode is {mode}: peaks are lower than in {names[fastest]} "
        f"(sudo nvpmodel -m {fastest})"
    ]


def _speed(name: str) -> tuple[bool, bool, int]:
    """A key by which modes sort, the slowest first.

    Modes with watts in their names (MODE_15W) come in the order of these; then MAXN, the most that
    a board gives; then MAXN_SUPER, which boards with higher clocks have in its place.
    """
    match = re.search(r"(\d+)W", name)
    watts = int(match[1]) if match else 0
    return name.startswith("MAXN_SUPER"), name.startswith("MAXN"), watts
