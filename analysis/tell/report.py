"""What a run found, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from analysis.model.ceilings import Ceiling
from analysis.model.roofline import Roofline, ridge, roofline
from analysis.naming import name_of
from analysis.units import percent, short, si
from probes.records.measurement import FAILED, OK, SKIPPED
from probes.records.run import COMPLETE, Run
from probes.records.tag import Tag

IS_PARTIAL = "The run is partial: it was ended before every case had its turn."


def as_sentence(note: str) -> str:
    """A note as a sentence: with a capital and a full stop."""
    return f"{note[0].upper()}{note[1:]}."


def no_verdict(names: str, count: int) -> list[str]:
    """A sentence on why nothing is said of what so many roofs would bound; none without roofs."""
    if not count:
        return []
    whose = "its roof" if count == 1 else "their roofs"
    return [
        f"No verdict on {names}: {whose} cannot be trusted. Quiet the machine, or give --roofs of "
        "a quiet run."
    ]


def _doubt(ceiling: Ceiling) -> str:
    """The doubt about a ceiling, and its share of theory where that is known."""
    if not ceiling.share:
        return ceiling.doubt
    return f"{ceiling.doubt}, {percent(ceiling.share)} of theory"


def summary(run: Run, ceilings: Mapping[str, Ceiling], notes: Iterable[str] = ()) -> list[str]:
    """What a run found, in plain sentences.

    The best bandwidth, the ridge points, the notes (what sweeps told, say), and what went ill.
    """
    sentences = _sentences_on_roofs(roofline(ceilings.values()))
    sentences += [as_sentence(note) for note in notes]
    times = Counter(row.status for row in run.measurements)
    sentences.append(
        f"{times[OK]} cases measured, {times[SKIPPED]} skipped, {times[FAILED]} failed."
    )
    failed = [f"{row.ceiling} ({row.backend})" for row in run.measurements if row.status == FAILED]
    if failed:
        sentences.append(f"Failed: {', '.join(dict.fromkeys(failed))}.")
    if run.status != COMPLETE:
        sentences.append(IS_PARTIAL)
    return sentences


def _sentences_on_roofs(model: Roofline) -> list[str]:
    """The bandwidth of main memory, the roofs without a verdict, and the ridge points."""
    memory = model.memory
    sentences = []
    if memory:
        share = f", {percent(memory.share)} of theory" if memory.share else ""
        sentences.append(f"{memory.label} gives {si(memory.rate, 'B/s')}{share}.")
    doubted = [f"{name_of(Tag.parse(roof.tag))} ({_doubt(roof)})" for roof in model.doubted]
    sentences += no_verdict(", ".join(doubted), len(doubted))
    if memory and model.compute:
        ridges = [
            f"{short(ridge(roof.rate, memory.rate))} for {roof.label}" for roof in model.compute
        ]
        sentences.append(
            f"Ridge points over {memory.label}, in operations per byte: {', '.join(ridges)}."
        )
    return sentences
