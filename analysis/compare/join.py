"""Rows of several runs side by side: ceilings by their tags, layers by network, name and work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.compare.facts import SECONDS, Reading, reading_of
from analysis.compare.sides import ComparedRun
from analysis.naming import name_of
from probes.records.measurement import OK, Measurement
from probes.records.tag import LAYER, OF_NETWORKS, Tag

LayerKey = tuple[str, ...]
"""What makes two rows of layers the same layer: network, name, precision, type, batch and work."""


@dataclass(frozen=True)
class JoinedRow:
    """One row, and what each run says of it."""

    key: str
    """Its tag; of a layer network, name, type and work."""
    tag: str
    """Its tag; of a layer ``layer/<family>``."""
    name: str
    """As people call it."""
    unit: str
    """Of its values."""
    readings: tuple[Reading | None, ...]
    """Of each run, in their order; None where it has no such row."""
    network: str = ""
    """Of a layer: its network."""

    @property
    def is_layer(self) -> bool:
        """True of a layer or a whole network."""
        return self.tag.partition("/")[0] in OF_NETWORKS


@dataclass(frozen=True)
class _Named:
    """One reading of one run, with what it is called."""

    key: str
    tag: str
    name: str
    reading: Reading
    network: str = ""


def joined(runs: Sequence[ComparedRun]) -> list[JoinedRow]:
    """Every row that any of these runs measured, in the order of the first that has it."""
    tables = [_by_key(run) for run in runs]
    first: dict[str, _Named] = {}
    for table in tables:
        for key, named in table.items():
            first.setdefault(key, named)
    rows = []
    for key, named in first.items():
        readings = tuple(table[key].reading if key in table else None for table in tables)
        rows.append(
            JoinedRow(key, named.tag, named.name, named.reading.unit, readings, named.network)
        )
    return sorted(rows, key=lambda row: row.is_layer)


def _by_key(run: ComparedRun) -> dict[str, _Named]:
    """All that one run measured itself."""
    table = {}
    for named in (*_of_ceilings(run), *_of_layers(run)):
        table[named.key] = named
    return table


def _of_ceilings(run: ComparedRun) -> Iterable[_Named]:
    """Its ceilings. Those that it took from another run are not its own, and say nothing new."""
    own_rows = any(row.started == run.started for row in run.outcome.run.measurements)
    for ceiling in run.outcome.ceilings.values():
        reading = reading_of(ceiling)
        is_taken = own_rows and ceiling.started != run.started
        if reading is None or is_taken:
            continue
        yield _Named(ceiling.tag, ceiling.tag, name_of(Tag.parse(ceiling.tag)), reading)


def _of_layers(run: ComparedRun) -> Iterable[_Named]:
    """Its layers and whole networks, whose values are seconds.

    What ran a layer is part of its key only where one run has it by several.
    """
    by_key: dict[str, list[tuple[Measurement, _Named]]] = {}
    for row in run.outcome.run.measurements:
        if row.quantity != LAYER or row.status != OK or not row.seconds_median:
            continue
        named = _of_layer(row)
        by_key.setdefault(named.key, []).append((row, named))
    for group in by_key.values():
        if len(group) == 1:
            yield group[0][1]
            continue
        for row, named in group:
            provider = row.facts.provider or row.backend
            yield _Named(
                f"{named.key} {provider}",
                named.tag,
                f"{named.name} ({provider})",
                named.reading,
                named.network,
            )


def _of_layer(row: Measurement) -> _Named:
    """One layer, its name made of what tells it from others."""
    facts = row.facts
    whole = facts.network or facts.sweep or str(row.tag)
    precision = (facts.precision or row.dtype).upper()
    name = f"{whole}: {row.layer or 'whole'} {precision}"
    if row.x is not None:
        name = f"{name} at {row.x:g}"
    work = f"{row.flops or 0:.6g} operations {row.bytes or 0:.6g} B"
    key = " ".join((str(row.tag), name, row.dtype, str(facts.batch or ""), work))
    reading = Reading(
        value=row.seconds_median or 0.0,
        unit=SECONDS,
        clock_hz=row.clock_hz,
        power_w=row.power_w,
        trusted=row.trusted,
        doubt=row.doubt,
    )
    return _Named(key, str(row.tag), name, reading, whole)
