"""A Jetson's power modes: what each allows, the one that is set, and the fastest one of its board.

They come from the board's own table, /etc/nvpmodel.conf: the numbers of modes differ between boards
and releases (0 is MAXN on an AGX Orin, and 15 W on an Orin Nano).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from probes.harness.devices.reading import LARGEST, read, whole
from probes.records.jetsons import TPCS

TABLE = "etc/nvpmodel.conf"
STATUS = "var/lib/nvpmodel/status"
PATH_OF_TABLE = "var/lib/nvpmodel/conf_file_path"
"""Says where the table is that nvpmodel took last."""
HEAD = re.compile(r"<\s*(\w+)\b([^>]*)>")
"""The line that begins a mode, or another part, of the table."""
SAME_CLOCK = 0.99
"""Share of a clock from which on another is the same."""
LARGEST_NUMBER = 1000
"""Of a mode: a larger one is no mode's."""
NO_CAP_HZ = 1e11
"""A clock above all: what a mode that caps nothing counts as."""


@dataclass(frozen=True)
class Mode:
    """One power mode."""

    number: int
    """What ``nvpmodel -m`` takes."""
    name: str
    """Its name; empty if the table gives none."""
    gpu_hz: float | None = None
    """Highest clock of the GPU; NO_CAP_HZ if not capped, None if the table says nothing."""
    emc_hz: float | None = None
    """The same of the memory."""
    tpc_pg_mask: int | None = None
    """Bits of the clusters of SMs that are switched off."""
    cores: int | None = None
    """CPU cores that are on."""
    cpu_hz: float | None = None
    """Highest clock of the CPU's fastest cluster."""

    def within(self, gpu_hz: float | None, emc_hz: float | None, cpu_hz: float | None) -> Mode:
        """The mode with no clock above the board's highest, as far as these are known."""
        return replace(
            self,
            gpu_hz=_within(self.gpu_hz, gpu_hz),
            emc_hz=_within(self.emc_hz, emc_hz),
            cpu_hz=_within(self.cpu_hz, cpu_hz),
        )

    @property
    def gpu_speed(self) -> float | None:
        """A number that grows with what the GPU may do; None if the table does not tell."""
        if self.gpu_hz is None:
            return None
        masked = (self.tpc_pg_mask or 0).bit_count()
        return self.gpu_hz * max(1, max(TPCS.values()) - masked)

    @property
    def cpu_speed(self) -> float | None:
        """The same of the CPU."""
        if self.cpu_hz is None or self.cores is None:
            return None
        return self.cpu_hz * self.cores

    @property
    def by_name(self) -> tuple[bool, bool, int, int]:
        """A key that grows with what the mode's name promises.

        Watts (MODE_15W), and then cores (MODE_15W_6CORE); above them MAXN, the most that a board
        gives, and MAXN_SUPER, which boards with higher clocks have in its place.
        """
        watts = re.search(r"(\d+)W", self.name)
        cores = re.search(r"(\d+)CORE", self.name)
        return (
            self.name.startswith("MAXN_SUPER"),
            self.name.startswith("MAXN"),
            int(watts[1]) if watts else 0,
            int(cores[1]) if cores else 0,
        )


def _within(cap: float | None, highest: float | None) -> float | None:
    """A cap, or the highest clock if the cap reaches it: a rated 3200 MHz runs at 3199."""
    if cap is None or highest is None:
        return cap
    return highest if cap >= SAME_CLOCK * highest else cap


@dataclass
class _Section:
    """What the table says of one mode, as it is read."""

    number: int
    name: str
    clocks: dict[str, list[int]] = field(default_factory=dict)
    mask: int | None = None
    online: set[str] = field(default_factory=set)

    def take(self, words: Sequence[str]) -> None:
        """Take one line of the section: the parameter, its argument, its value."""
        parameter, argument, text = words
        value = whole(text, 0)
        if value is not None and abs(value) >= LARGEST:
            value = None
        if argument == "MAX_FREQ" and value is not None:
            self.clocks.setdefault(parameter, []).append(value)
        elif argument == "TPC_PG_MASK" and value is not None:
            self.mask = value
        elif parameter == "CPU_ONLINE" and text == "1":
            self.online.add(argument)

    def mode(self) -> Mode:
        """The mode that these lines describe."""
        gpu = _highest(self.clocks, ("GPU", "GPC", "GPU_GPC", "GPU-GPC"))
        cpu_names = [name for name in self.clocks if name.startswith(("CPU", "ARM", "DENVER"))]
        cpu_khz = _highest(self.clocks, cpu_names)
        return Mode(
            number=self.number,
            name=self.name,
            gpu_hz=gpu,
            emc_hz=_highest(self.clocks, ("EMC",)),
            tpc_pg_mask=self.mask,
            cores=len(self.online) or None,
            cpu_hz=cpu_khz if cpu_khz in (None, NO_CAP_HZ) else cpu_khz * 1e3,
        )


def _highest(clocks: dict[str, list[int]], names: Iterable[str]) -> float | None:
    """The highest of these parameters' clocks; none is capped by zero or less."""
    values = [value for name in names for value in clocks.get(name, ())]
    if not values:
        return None
    return max(float(value) if value > 0 else NO_CAP_HZ for value in values)


def modes(root: Path) -> dict[int, Mode]:
    """Every mode by number; empty if there is no table.

    root: where the board's files are, ``/`` but in tests.
    """
    text = read(root / TABLE)
    for path in (_linked(root / TABLE), read(root / PATH_OF_TABLE)):
        if not text and path:
            text = read(root / path.lstrip("/"))
    return {section.number: section.mode() for section in _sections(text)}


def _linked(path: Path) -> str:
    """What a link points to, which is the board's own path; empty of what is no link."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _sections(text: str) -> Iterator[_Section]:
    """The sections of the table that describe a mode, in its order."""
    section: _Section | None = None
    for line in text.splitlines():
        line, _, _ = line.partition("#")
        head = HEAD.search(line)
        if head:
            if section:
                yield section
            section = _begun(head[1], head[2])
        elif section and len(line.split()) == 3:
            section.take(line.split())
    if section:
        yield section


def _begun(kind: str, arguments: str) -> _Section | None:
    """The section that a head begins: None if it is not that of a mode."""
    number = re.search(r"\bID\s*=\s*(\d+)", arguments)
    name = re.search(r"\bNAME\s*=\s*(\S+)", arguments)
    if kind != "POWER_MODEL" or not number:
        return None
    return _Section(int(number[1]), name[1] if name else "")


def current(root: Path) -> int | None:
    """Number of the mode that is set; None if unknown."""
    status = re.search(r"pmode:\s*(\d+)", read(root / STATUS))
    value = whole(status[1]) if status else None
    return value if value is not None and value <= LARGEST_NUMBER else None


def best(table: Iterable[Mode], now: Mode, kind: str) -> Mode | None:
    """The fastest mode of the board for this kind of device; None if none is faster than ``now``.

    What the modes allow decides, and where the table does not say that, their names.
    """
    others = list(table)
    if not others or not (now.name or now.gpu_hz):
        return None
    speeds = _speeds_of_cpu if kind == "cpu" else _speeds_of_gpu
    known = [mode for mode in others if None not in speeds(mode)]
    if None not in speeds(now) and len(known) == len(others):
        fastest = max(others, key=lambda mode: (speeds(mode), mode.by_name))
        return fastest if speeds(fastest) > speeds(now) else None
    fastest = max(others, key=lambda mode: mode.by_name)
    return fastest if fastest.by_name > now.by_name else None


def _speeds_of_gpu(mode: Mode) -> tuple[float | None, ...]:
    """What matters to the GPU, the most important first."""
    return mode.gpu_speed, mode.emc_hz, mode.cpu_speed


def _speeds_of_cpu(mode: Mode) -> tuple[float | None, ...]:
    return mode.cpu_speed, mode.emc_hz, mode.gpu_speed
