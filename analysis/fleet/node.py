"""One node of a fleet: one run, on which host it was made, and what it reached of every ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.compare.facts import Circumstances, Reading, circumstances_of, reading_of
from analysis.model.ceilings import Ceiling, ceilings
from analysis.model.judge import judged
from probes.records.measurement import OK
from probes.records.run import COMPLETE, Run, read_run
from probes.records.tag import OF_NETWORKS, SWEEP

FLEET = "fleet"
"""Name of the settings of a run that say on which host it was made."""
PARTS_OF_RUN = 2
"""Folders that the program makes for a run: ``<device>/<time>``."""


@dataclass(frozen=True)
class NodeRow:
    """What one node reached of one ceiling."""

    reading: Reading
    """The value and its circumstances."""
    spread: float | None
    """Half-width of the interval of 95 % of its median, over the median; None if unknown."""


@dataclass(frozen=True)
class Missed:
    """A ceiling that one node has no value of."""

    status: str
    """``failed`` or ``skipped``."""
    reason: str
    """Why."""


@dataclass(frozen=True)
class Kind:
    """What machines have in common that are compared with each other."""

    kind: str
    """``cpu`` or ``cuda``."""
    device: str
    """Name of the device."""
    arch: str
    """Compute capability or CPU core."""

    def __str__(self) -> str:
        return self.device


@dataclass(frozen=True)
class Node:
    """One run of a fleet."""

    host: str
    """Name of the host, or of its folder where the run does not tell."""
    rack: str
    """Name of the rack; empty if the run does not tell."""
    index: int
    """Number of the GPU in its host."""
    unit: str
    """What tells two devices of a host apart: address on the bus, or number."""
    folder: Path
    """Where the run is."""
    started: str
    """When it began, in UTC."""
    is_complete: bool
    """False of a run that was ended before all was measured."""
    kind: Kind
    """What it is compared with."""
    circumstances: Circumstances
    """Under which it was measured."""
    rows: Mapping[str, NodeRow]
    """By tag."""
    missed: Mapping[str, Missed]
    """Ceilings that failed or were skipped, by tag."""
    damage: tuple[str, ...] = ()
    """Sentences on what of its files could not be read."""
    name: str = ""
    """As tables call it: no two nodes have the same."""

    @property
    def is_measured(self) -> bool:
        """True if it has a value of any ceiling."""
        return bool(self.rows)

    @property
    def place(self) -> str:
        """Its rack, or what comes before the last number of its host's name; empty if unknown."""
        return self.rack or prefix_of(self.host)


@dataclass(frozen=True)
class Lost:
    """A node of which no run can be read."""

    name: str
    """Its host, or the folder."""
    why: str
    """What happened to it."""
    folder: Path | None = field(default=None, compare=False)
    """Where its run should be; None if it left none."""


def read_node(folder: Path, top: Path) -> Node:
    """The run in ``folder``, of the fleet in ``top``. Raises RidgelineError if it is none."""
    run = read_run(folder, speaks_of_ceiling)
    said = run.settings.get(FLEET)
    facts: Mapping[str, Any] = said if isinstance(said, dict) else {}
    rows = {}
    missed = {}
    for tag, ceiling in _ceilings(run).items():
        reading = reading_of(ceiling)
        if reading is not None:
            rows[tag] = NodeRow(reading, ceiling.spread)
        elif ceiling.status != OK:
            missed[tag] = Missed(ceiling.status, ceiling.remark)
    device = run.device
    return Node(
        host=_text(facts.get("host")) or host_of_folder(folder, top),
        rack=_text(facts.get("rack")),
        index=device.index,
        unit=_text(device.facts.get("pci")) or str(device.index),
        folder=folder,
        started=run.started,
        is_complete=run.status == COMPLETE,
        kind=Kind(device.kind, device.name, device.arch),
        circumstances=circumstances_of(run),
        rows=rows,
        missed=missed,
        damage=tuple(run.damage),
    )


def _ceilings(run: Run) -> Mapping[str, Ceiling]:
    """Ceilings of a run that were measured directly.

    Those of plateaus are left out: which points of a sweep are one changes from run to run.
    """
    return ceilings(judged(run.measurements, run.device), run.device)


def speaks_of_ceiling(written: str) -> bool:
    """True if the tag that is written so is no point of a sweep, no layer and no whole network."""
    quantity, _, _ = written.partition("/")
    return quantity != SWEEP and quantity not in OF_NETWORKS


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def host_of_folder(folder: Path, top: Path) -> str:
    """A name for the host of a run that does not tell it: the folders above those of the run.

    Where there are none, the folder of the run itself.
    """
    parts = folder.relative_to(top).parts
    above = parts[:-PARTS_OF_RUN] or parts[-1:]
    return "/".join(above) or folder.resolve().name


def prefix_of(host: str) -> str:
    """``rack07`` of ``rack07-node12``, ``r7`` of ``r7n3``; empty where only one number is there.

    The last number counts the nodes, and letters before it say so.
    """
    short_name = host.partition(".")[0].rstrip("/")
    without_number = short_name.rstrip("0123456789")
    if without_number == short_name:
        return ""
    prefix = without_number.rstrip("-_/")
    if not any(c.isdigit() for c in prefix):
        return ""
    while prefix and not prefix[-1].isdigit():
        prefix = prefix[:-1]
    return prefix
