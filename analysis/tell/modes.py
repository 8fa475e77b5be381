"""Power modes side by side: the sentences, the tables on a terminal, and the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from analysis.model.ceilings import Ceiling
from analysis.modes import Comparison, Mode, RoofInModes
from analysis.tell.columns import Column
from analysis.units import si, watts

MODES_FILE = "power-modes.csv"
PICTURE = "power-modes"
"""Name of the picture, without ending."""
FEW = "too few roofs are known in all of these runs"


class Row(NamedTuple):
    """What one roof gives in one mode: a row of the file."""

    mode: Mode
    roof: RoofInModes
    ceiling: Ceiling | None


def rows(comparison: Comparison) -> Iterator[Row]:
    """Every roof in every mode."""
    for place, mode in enumerate(comparison.modes):
        for roof in comparison.roofs:
            yield Row(mode, roof, roof.ceilings[place])


MODE_COLUMNS: tuple[Column[Row], ...] = (
    Column(stored="device", computed=lambda row: row.mode.outcome.run.device.name),
    Column(stored="started", computed=lambda row: row.mode.outcome.run.started),
    Column(stored="run", computed=lambda row: str(row.mode.folder)),
    Column(stored="mode", computed=lambda row: row.mode.name),
    Column(stored="mode_id", computed=lambda row: row.mode.number),
    Column(stored="units", computed=lambda row: row.mode.units),
    Column(stored="gpu_clock_cap_hz", computed=lambda row: row.mode.clock("gpu_clock_cap_hz")),
    Column(stored="emc_clock_cap_hz", computed=lambda row: row.mode.clock("emc_clock_cap_hz")),
    Column(stored="roof", computed=lambda row: row.roof.name),
    Column(stored="tag", computed=lambda row: row.ceiling.tag if row.ceiling else None),
    Column(stored="rate", computed=lambda row: row.ceiling.rate if row.ceiling else None),
    Column(stored="unit", computed=lambda row: row.roof.unit),
    Column(stored="clock_hz", computed=lambda row: row.ceiling.clock_hz if row.ceiling else None),
    Column(stored="power_w", computed=lambda row: row.ceiling.power_w if row.ceiling else None),
    Column(stored="per_watt", computed=lambda row: row.ceiling.per_watt if row.ceiling else None),
)
"""The columns of ``power-modes.csv``."""

STATE_COLUMNS: tuple[Column[Mode], ...] = (
    Column(name="mode", computed=lambda mode: mode.name),
    Column(
        name="nvpmodel -m",
        computed=lambda mode: mode.number,
        text=lambda mode: "–" if mode.number is None else str(mode.number),
        number=True,
        if_known=True,
    ),
    Column(name="SMs or cores", computed=lambda mode: mode.units, number=True),
    Column(
        name="GPU up to",
        computed=lambda mode: mode.clock("gpu_clock_cap_hz"),
        unit=lambda mode: "Hz",
        number=True,
        if_known=True,
    ),
    Column(
        name="memory up to",
        computed=lambda mode: mode.clock("emc_clock_cap_hz"),
        unit=lambda mode: "Hz",
        number=True,
        if_known=True,
    ),
    Column(
        name="most power",
        computed=lambda mode: _most_power(mode),
        text=lambda mode: watts(_most_power(mode)),
        number=True,
        if_known=True,
    ),
    Column(
        name="trust",
        computed=lambda mode: mode.outcome.trust.level if mode.outcome.trust else "unknown",
    ),
)
"""What each mode leaves of the board, and how far its run can be trusted."""


def _most_power(mode: Mode) -> float | None:
    """The highest power that any load of the run drew; None if unknown."""
    powers = [ceiling.power_w for ceiling in mode.outcome.ceilings.values() if ceiling.power_w]
    return max(powers, default=None)


Values = Callable[[RoofInModes], Sequence[float | None]]


def columns_of(
    comparison: Comparison, values: Values, suffix: str = ""
) -> tuple[Column[RoofInModes], ...]:
    """A column of roofs, then one of their values for each mode. suffix: of the unit."""

    def in_mode(place: int, name: str) -> Column[RoofInModes]:
        return Column(
            name=name,
            computed=lambda roof: values(roof)[place],
            text=lambda roof: si(values(roof)[place], f"{roof.unit}{suffix}"),
            number=True,
            may_go=len(comparison.modes) - place,  # the last first: the file has them all
        )

    modes = [in_mode(place, mode.name) for place, mode in enumerate(comparison.modes)]
    return (Column(name="roof", computed=lambda roof: roof.name), *modes)


def sentences(comparison: Comparison) -> list[str]:
    """Which mode gives most, and which most for a watt; what to know of the runs."""
    told = [_winner("Most", comparison, lambda roof: roof.rates)]
    if comparison.knows_power:
        told.append(_winner("Most for a watt", comparison, lambda roof: roof.per_watt))
    else:
        told.append("Nothing is said of watts: power is not known in two of these runs.")
    numbers = {mode.number for mode in comparison.modes}
    if len(numbers) == 1 and None not in numbers:
        told.append(
            f"All of these runs are in mode {numbers.pop()}: set another with sudo nvpmodel -m "
            "NUMBER, and run again."
        )
    return told


def _winner(what: str, comparison: Comparison, values: Values) -> str:
    """``Most: MAXN in 8 of 9 roofs, 25W in 1.``"""
    wins = comparison.wins(values)
    total = sum(wins.values())
    if not total:
        return f"{what}: {FEW}."
    (first, count), *others = wins.most_common()
    rest = "".join(f", {name} in {number}" for name, number in others)
    return f"{what}: {first} in {count} of {total} roofs{rest}."
