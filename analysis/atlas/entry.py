"""One run in the atlas: ``run.json``, ``ceilings.csv`` and, of networks, ``layers.csv``.

An atlas is a folder ``<device>/<UTC time>`` for each run, small enough to be handed in by pull
request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from analysis.analyse import model
from analysis.elsewhere.work import LayerWork, NetworkWork, networks_of, work_of
from analysis.model.ceilings import Ceiling
from analysis.outcome import Outcome
from analysis.tell.ceiling_columns import CEILING_COLUMNS
from analysis.tell.columns import file_of
from analysis.units import unit_of
from probes.records.given import reason, shortened
from probes.records.measurement import FAILED, OK, SCHEMA_VERSION, SKIPPED, RidgelineError
from probes.records.run import (
    COMPLETE,
    ROWS_FILE,
    RUN_FILE,
    Run,
    read_head,
    read_run,
    replace_file,
    time_in_names,
)
from probes.records.stored import LIMITS, schema_problem
from probes.records.table import GUARD, csv_text, damage_sentences, read_table
from probes.records.tag import Tag

ATLAS = Path(__file__).parents[2] / "results" / "atlas"
"""That of this checkout."""
CEILINGS_FILE, LAYERS_FILE = "ceilings.csv", "layers.csv"
CEILING_LIMITS = {
    **LIMITS,
    "rate": (1e-15, 1e30),
    "nominal_peak": (1e-9, 1e30),
    "observed_peak": (1e-9, 1e30),
    "share_nominal": (1e-18, 1e9),
    "share_observed": (1e-18, 1e9),
    "spread": (1e-18, 1e9),
    "per_watt": (1e-18, 1e30),
}
"""Of the cells of a ceiling: the least above zero, and the largest."""
LAYER_LIMITS = {**LIMITS, "seconds": (1e-15, 1e9), "window": (1.0, 1e9), "count": (1, 1e9)}
"""Likewise of a row of layers."""
PRIVATE_FACTS = ("pci", "at_start", "uuid", "serial", "host", "hostname", "container")
"""Facts of a device that say where it stands, or what it did just then: an atlas needs none."""


@dataclass(frozen=True)
class Entry:
    """One run of an atlas."""

    folder: Path
    """Where it is."""
    run: Run
    """Without its rows."""
    ceilings: tuple[Ceiling, ...]
    """Its ceilings."""
    networks: tuple[NetworkWork, ...] = ()
    """What it ran of networks."""
    damage: tuple[str, ...] = field(default=())
    """Sentences on what could not be read."""

    @property
    def day(self) -> str:
        """When it was measured."""
        return self.run.started[:10]


def is_entry(folder: Path) -> bool:
    """True for the folder of an entry, which has no rows of its own as a run has."""
    has_files = (folder / RUN_FILE).is_file() and (folder / CEILINGS_FILE).is_file()
    return has_files and not (folder / ROWS_FILE).exists()


def read_entry(folder: Path) -> Entry:
    """Read one run of an atlas. Raises RidgelineError if it is none."""
    run = read_head(folder)
    path = folder / CEILINGS_FILE
    ceilings = read_table(path, Ceiling, CEILING_LIMITS, run.guarded, _ceiling_problem)
    damage = [*run.damage, *damage_sentences(path, ceilings)]
    rows: list[LayerWork] = []
    if (folder / LAYERS_FILE).exists():
        path = folder / LAYERS_FILE
        layers = read_table(path, LayerWork, LAYER_LIMITS, run.guarded, _layer_problem)
        rows = layers.rows
        damage += damage_sentences(path, layers)
    networks = tuple(networks_of(rows))
    return Entry(folder, run, tuple(ceilings.rows), networks, tuple(damage))


def _ceiling_problem(ceiling: Ceiling) -> str:
    """Why no run can have this ceiling, though each of its cells is right; empty if it can."""
    if why := schema_problem(ceiling.schema_version):
        return why
    if ceiling.status not in (OK, SKIPPED, FAILED):
        return f"status is {shortened(repr(ceiling.status))}, not {OK}, {SKIPPED} or {FAILED}"
    try:
        Tag.parse(ceiling.tag)
    except ValueError as error:
        return str(error)
    if ceiling.status == OK and not ceiling.rate:
        return f"{ceiling.tag} is {OK} and has no rate"
    unit = unit_of(ceiling.tag, ceiling.dtype)
    if ceiling.unit != unit:
        return f"{ceiling.tag} is in {shortened(repr(ceiling.unit))}, not in {unit}"
    return ""


def _layer_problem(layer: LayerWork) -> str:
    """Why no run can have these layers, though each cell is right; empty if it can."""
    if not layer.seconds:
        return f"{shortened(layer.op)} takes no time"
    return schema_problem(layer.schema_version)


def folders_of(atlas: Path) -> list[Path]:
    """The folders of the runs in an atlas, device by device, the oldest run first."""
    return sorted(path.parent for path in atlas.glob(f"*/*/{RUN_FILE}"))


def read_atlas(atlas: Path = ATLAS) -> list[Entry]:
    """All runs of an atlas. Raises RidgelineError if one of them cannot be read."""
    return [read_entry(folder) for folder in folders_of(atlas)]


def add(folders: Sequence[Path], atlas: Path) -> Path:
    """Write a run into an atlas; returns its folder there.

    folders: the run, then others of the same device whose networks stood on its roofs
    (``--roofs``). Raises RidgelineError if that cannot be.
    """
    outcomes = []
    for folder in folders:
        run = read_run(folder)
        outcomes.append(model(run))
    first = outcomes[0]
    device = first.run.device
    for folder, outcome in zip(folders, outcomes, strict=True):
        if outcome.run.device.name != device.name:
            name = outcome.run.device.name
            raise RidgelineError(f"{folder} is of {name}, not of {device.name}: add it by itself")
        if outcome.run.status != COMPLETE:
            raise RidgelineError(f"{folder} is {outcome.run.status}: add a run that ended")
    networks = [work_of(network) for outcome in outcomes for network in outcome.networks]
    target = atlas / device.slug / time_in_names(first.run.started)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, content in _files(first, networks).items():
            replace_file(target / name, content)
    except OSError as error:
        raise RidgelineError(f"cannot write to the atlas {atlas}: {reason(error)}") from None
    return target


def _files(outcome: Outcome, networks: Iterable[NetworkWork]) -> dict[str, str]:
    """The files of an entry, by name."""
    run = outcome.run
    facts = {key: value for key, value in run.device.facts.items() if key not in PRIVATE_FACTS}
    device = replace(run.device, facts=facts)
    head: dict[str, Any] = {
        "device": asdict(device),
        "started": run.started,
        "settings": run.settings,
        "versions": run.versions,
        "ended": run.ended,
        "status": run.status,
        "warnings": run.warnings,
        "load": _without_names(run.load),
        "power": run.power,
        "schema_version": SCHEMA_VERSION,
        "guard": GUARD,
    }
    files = {
        RUN_FILE: json.dumps(head, indent=1, ensure_ascii=False) + "\n",
        CEILINGS_FILE: file_of(CEILING_COLUMNS, outcome.ceilings.values()),
    }
    rows = [row for network in networks for row in network.rows]
    if rows:
        files[LAYERS_FILE] = csv_text(rows, LayerWork)
    return files


def _without_names(load: dict[str, Any]) -> dict[str, Any]:
    """What else ran, without the names of its programs."""
    kept = {}
    for time, facts in load.items():
        if isinstance(facts, dict):
            facts = {key: value for key, value in facts.items() if key != "busiest"}
        kept[time] = facts
    return kept
