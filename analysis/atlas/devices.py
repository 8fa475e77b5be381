"""The devices of an atlas: all runs of one together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from analysis.atlas.entry import Entry
from analysis.elsewhere.left_out import Known
from analysis.elsewhere.machine import Machine, measured
from analysis.elsewhere.work import LayerWork, NetworkWork
from analysis.model.ceilings import Ceiling
from probes.records.measurement import OK

RUNS_TO_SETTLE = 3
"""Runs of a machine from which its ceilings count as settled."""
UNITS = {"cuda": "SMs", "cpu": "cores"}
"""What units of a device are called, by its kind."""


@dataclass(frozen=True)
class AtlasDevice:
    """One device of an atlas."""

    entries: tuple[Entry, ...]
    """Its runs, the oldest first."""

    @property
    def name(self) -> str:
        """Name of the device."""
        return self.entries[0].run.device.name

    @property
    def full_name(self) -> str:
        """``AMD EPYC (zen5, 2 cores)``: what tells it from others of its name."""
        device = self.entries[0].run.device
        return f"{device.name} ({device.arch or 'unknown'}, {device.units} {UNITS[device.kind]})"

    @property
    def slug(self) -> str:
        """Name of its folder."""
        return self.entries[0].run.device.slug

    @property
    def is_settled(self) -> bool:
        """True if enough runs agree on what it is."""
        return len(self.entries) >= RUNS_TO_SETTLE

    @property
    def ceilings(self) -> dict[str, Ceiling]:
        """The middle one of its runs' ceilings, by tag: those that can be trusted, if any can."""
        by_tag: dict[str, list[Ceiling]] = {}
        for entry in self.entries:
            for ceiling in entry.ceilings:
                by_tag.setdefault(ceiling.tag, []).append(ceiling)
        return {tag: _middle(ceilings) for tag, ceilings in sorted(by_tag.items())}

    @property
    def machine(self) -> Machine:
        """What other machines' networks can be placed on."""
        last = self.entries[-1]
        return measured(
            last.run.device, self.ceilings.values(), len(self.entries), measured_on=last.day
        )

    @property
    def networks(self) -> tuple[NetworkWork, ...]:
        """What its runs ran of networks: each network and precision by the median of its times."""
        groups: dict[tuple[str, str, str], list[NetworkWork]] = {}
        for entry in self.entries:
            for network in entry.networks:
                key = network.name, network.provider, network.precision
                groups.setdefault(key, []).append(network)
        return tuple(_middle_network(group) for group in groups.values())

    @property
    def known(self) -> Known:
        """The device with its networks, to be left out."""
        return Known(self.machine, self.networks)


def devices_of(entries: Iterable[Entry]) -> list[AtlasDevice]:
    """The devices of these runs, in the order of their names.

    Runs are of one device if kind, architecture, name and number of units are the same.
    """
    groups: dict[tuple[str, str, str, int], list[Entry]] = {}
    for entry in entries:
        device = entry.run.device
        key = device.name, device.kind, device.arch, device.units
        groups.setdefault(key, []).append(entry)
    devices = []
    for _, group in sorted(groups.items()):
        group.sort(key=lambda entry: entry.run.started)
        devices.append(AtlasDevice(tuple(group)))
    return devices


def _middle(ceilings: Sequence[Ceiling]) -> Ceiling:
    """The ceiling whose rate is the median of these; of two in the middle the lower."""
    good = [ceiling for ceiling in ceilings if ceiling.status == OK and ceiling.rate]
    trusted = [ceiling for ceiling in good if ceiling.trusted]
    candidates = sorted(trusted or good, key=lambda ceiling: ceiling.rate or 0.0)
    if not candidates:
        return ceilings[0]
    return candidates[(len(candidates) - 1) // 2]


def _middle_network(runs: Sequence[NetworkWork]) -> NetworkWork:
    """One network of several runs: each of its rows with the median of its times."""
    seconds: dict[LayerWork, list[float]] = {}
    for run in runs:
        for row in run.rows:
            seconds.setdefault(replace(row, seconds=0.0), []).append(row.seconds)

    def middle(row: LayerWork) -> LayerWork:
        return replace(row, seconds=median(seconds[replace(row, seconds=0.0)]))

    first = runs[0]
    wholes = [run.whole for run in runs if run.whole is not None]
    layers = tuple(middle(layer) for layer in first.layers)
    return replace(first, layers=layers, whole=middle(wholes[0]) if wholes else None)
