"""The check of an atlas: what a run must be, so that others may stand on its numbers.

Each rule is one function in ``RULES``: it yields what is wrong with a run, a sentence each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.atlas.devices import RUNS_TO_SETTLE, AtlasDevice, devices_of
from analysis.atlas.entry import (
    CEILINGS_FILE,
    LAYERS_FILE,
    PRIVATE_FACTS,
    Entry,
    folders_of,
    read_entry,
)
from analysis.elsewhere.machine import measured
from analysis.elsewhere.predict import bound_of
from analysis.model.ceilings import Ceiling, names_roof
from analysis.model.trust import MUCH_LOAD, MUCH_STEAL
from analysis.theory.limits import TOLERANCE
from analysis.theory.peaks import peak_for
from analysis.units import percent, si
from probes.records.measurement import OK, WIDEST_SPREAD, RidgelineError
from probes.records.run import COMPLETE, RUN_FILE, time_in_names
from probes.records.tag import BANDWIDTH, COMPUTE, LIBRARY, MAIN_MEMORY, Tag

FILES = frozenset((RUN_FILE, CEILINGS_FILE, LAYERS_FILE))
"""What the folder of a run in an atlas holds."""
MOST_BYTES = 200_000
"""Of all files of one run."""
SAME_NUMBER = 1e-6
"""Part by which a stored peak may differ from the same formula today."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one run of an atlas."""

    folder: Path
    """The run."""
    what: str
    """In words."""


@dataclass(frozen=True)
class Checked:
    """What the check of an atlas found."""

    devices: tuple[AtlasDevice, ...]
    """The devices whose runs can be read."""
    problems: tuple[Problem, ...]
    """All that is wrong, run by run."""

    @property
    def unsettled(self) -> list[AtlasDevice]:
        """Devices with too few runs to be settled."""
        return [device for device in self.devices if not device.is_settled]


def check(atlas: Path) -> Checked:
    """Check every run of an atlas. Raises RidgelineError if it is no folder."""
    if not atlas.is_dir():
        raise RidgelineError(f"{atlas} is no atlas: there is no such folder")
    entries = []
    problems = [Problem(path, "is no run: run.json is missing") for path in _without_run(atlas)]
    for folder in folders_of(atlas):
        try:
            entry = read_entry(folder)
        except RidgelineError as error:
            problems.append(Problem(folder, str(error)))
            continue
        entries.append(entry)
        for rule in RULES:
            problems += [Problem(folder, what) for what in rule(entry)]
    return Checked(tuple(devices_of(entries)), tuple(problems))


def _without_run(atlas: Path) -> list[Path]:
    """Folders where a run should be, but is not."""
    runs = set(folders_of(atlas))
    return sorted(path for path in atlas.glob("*/*") if path.is_dir() and path not in runs)


def _place_and_size(entry: Entry) -> Iterator[str]:
    """It lies where its device and time say, with no other files, and is small."""
    run = entry.run
    time = time_in_names(run.started)
    place = f"{run.device.slug}/{time}"
    if not f"{entry.folder.parent.name}/{entry.folder.name}".startswith(place):
        yield f"lies at {entry.folder.parent.name}/{entry.folder.name}, not at {place}"
    files = sorted(entry.folder.iterdir())
    for path in files:
        if path.name not in FILES:
            yield f"{path.name} does not belong there: an entry has {', '.join(sorted(FILES))}"
    size = sum(path.stat().st_size for path in files)
    if size > MOST_BYTES:
        yield f"has {size} bytes, more than {MOST_BYTES}"


def _schema(entry: Entry) -> Iterator[str]:
    """All of it can be read, and speaks of one complete run."""
    yield from entry.damage
    run = entry.run
    if run.status != COMPLETE:
        yield f"is {run.status}: hand in a run that ended"
    if run.settings.get("quick"):
        yield "was made with --quick: its ceilings have one round only"
    if not entry.ceilings:
        yield f"{CEILINGS_FILE} has no row"
    tags = [ceiling.tag for ceiling in entry.ceilings]
    for tag in sorted({tag for tag in tags if tags.count(tag) > 1}):
        yield f"{tag} has two rows"
    for ceiling in entry.ceilings:
        if (ceiling.device, ceiling.started) != (run.device.name, run.started):
            yield f"{ceiling.tag} is of {ceiling.device} at {ceiling.started}: of another run"
        if ceiling.schema_version > run.schema_version:
            yield f"{ceiling.tag} has schema {ceiling.schema_version}, run.json an older one"


def _limits(entry: Entry) -> Iterator[str]:
    """No rate is above what theory allows at its clock, and theory is that of this device."""
    device = entry.run.device
    for ceiling in _measured(entry):
        peak = peak_for(ceiling.tag, device, ceiling.clock_hz)
        rate = ceiling.rate or 0.0
        if peak and peak.limit and rate > peak.limit * (1 + TOLERANCE[device.kind]):
            limit = si(peak.limit, peak.unit)
            yield f"{ceiling.tag} is above the physical limit: {si(rate, peak.unit)} of {limit}"
        nominal = peak_for(ceiling.tag, device)
        theory = nominal.value if nominal else None
        stored = ceiling.nominal_peak
        if theory and stored and abs(stored / theory - 1) > SAME_NUMBER:
            formula = nominal.formula if nominal else ""
            yield (
                f"{ceiling.tag} states {si(stored, ceiling.unit)} of theory, where {formula} is "
                f"{si(theory, ceiling.unit)}"
            )


def _trust(entry: Entry) -> Iterator[str]:
    """Its roofs can be trusted, main memory among them, and the machine was quiet."""
    roofs = [ceiling for ceiling in _measured(entry) if names_roof(ceiling)]
    tags = {Tag.parse(ceiling.tag).whole for ceiling in roofs}
    if Tag(BANDWIDTH, MAIN_MEMORY) not in tags:
        yield "has no roof of main memory"
    if not any(tag.quantity == COMPUTE for tag in tags):
        yield "has no roof of arithmetic"
    for ceiling in roofs:
        if not ceiling.trusted:
            yield f"{ceiling.tag} cannot be trusted: {ceiling.doubt}"
        elif ceiling.spread is not None and ceiling.spread > WIDEST_SPREAD:
            yield f"{ceiling.tag} is known to ±{percent(ceiling.spread)} only"
    during = entry.run.load.get("during")
    if entry.run.device.kind == "cpu" and isinstance(during, Mapping):
        for name, most in (("others", MUCH_LOAD), ("steal", MUCH_STEAL)):
            value = during.get(name)
            if isinstance(value, int | float) and value > most:
                yield f"other load took {percent(float(value))} of the processors ({name})"


def _audit(entry: Entry) -> Iterator[str]:
    """Every roof comes from a kernel whose machine code was looked at."""
    for ceiling in _measured(entry):
        tag = Tag.parse(ceiling.tag)
        if names_roof(ceiling) and tag.path != LIBRARY and not ceiling.instruction:
            yield f"{ceiling.tag} was not audited: no instruction is known"


def _privacy(entry: Entry) -> Iterator[str]:
    """It says nothing of where the machine stands or what else ran on it."""
    for name in PRIVATE_FACTS:
        if name in entry.run.device.facts:
            yield f"run.json holds {name}, which is nobody's business: use the command add"
    for time, facts in entry.run.load.items():
        if isinstance(facts, Mapping) and facts.get("busiest"):
            yield f"run.json names programs that ran {time} it: use the command add"


def _networks(entry: Entry) -> Iterator[str]:
    """No network was faster than theory allows."""
    machine = measured(entry.run.device, entry.ceilings)
    for network in entry.networks:
        bound = bound_of(network, machine)
        if bound.seconds is not None and network.seconds < bound.seconds:
            took, least = si(network.seconds, "s"), si(bound.seconds, "s")
            yield f"{network.name} in {network.precision} took {took}, theory allows {least}"


def _measured(entry: Entry) -> list[Ceiling]:
    """Its ceilings that have a rate."""
    return [ceiling for ceiling in entry.ceilings if ceiling.status == OK and ceiling.rate]


RULES: Sequence[Callable[[Entry], Iterator[str]]] = (
    _place_and_size,
    _schema,
    _limits,
    _trust,
    _audit,
    _privacy,
    _networks,
)
"""Every rule there is; a new one is one function, named here."""


def settled_in_words(device: AtlasDevice) -> str:
    """``settled (3 runs)``, ``1 of 3 runs``."""
    runs = len(device.entries)
    return f"settled ({runs} runs)" if device.is_settled else f"{runs} of {RUNS_TO_SETTLE} runs"
