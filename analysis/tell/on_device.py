"""The answer on a device: what it gives, what that means, what limited it, and what went ill.

Each sentence is made of facts of the outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analysis.model.ceilings import Ceiling
from analysis.model.headlines import best_by_format, formats_without_rate, levels_of_memory
from analysis.model.roofline import MAIN, ridge
from analysis.model.sweeps import SweepChart
from analysis.naming import few, name_of
from analysis.outcome import Outcome
from analysis.tell.energy_columns import on_energy
from analysis.tell.report import IS_PARTIAL, no_verdict
from analysis.units import binary, short, si, si_span, whole_percent
from kernels.device import Device
from probes.records.measurement import FAILED, OK, Measurement
from probes.records.run import COMPLETE
from probes.records.tag import BANDWIDTH, GATHER, WORKING_SET, ZEROS, Sweep, Tag

FULL_CLOCK = 0.97
"""Share of the rated clock from which a unit counts as running at it."""
MORE_CLOCK = 1.02
"""Clock with operands of zero over the usual clock, above which power was the limit."""
NOISY = 0.05
"""Spread above which a result is called noisy."""
MOST_NAMES = 4
"""Names in one sentence; of others it says how many there are."""
MOST_RIDGES = 4
"""Ridge points in one sentence."""
FULL_RATE = 0.9
"""Share of the best rate of a curve, or of theory, that counts as all of it."""
ORDER_OF_RIDGES = ("fp16", "bf16", "int8", "fp32", "fp64", "fp8", "tf32", "int32")
"""Formats whose ridge points people ask for first."""


def on_device(outcome: Outcome) -> list[str]:
    """Sentences on the device, as far as its ceilings were measured, here or in ``--roofs``."""
    ceilings = outcome.ceilings
    levels = [level for level in levels_of_memory(ceilings) if level.trusted and level.status == OK]
    formats = [best for best in best_by_format(ceilings) if best.trusted]
    sentences = []
    if levels:
        sentences.append(f"Memory: {', '.join(map(_rate_and_share, levels))}.")
    if formats:
        sentences.append(_arithmetic(formats))
    sentences += _meaning(outcome, formats)
    doubted = [name_of(Tag.parse(ceiling.tag)) for ceiling in outcome.model.doubted]
    sentences += no_verdict(few(doubted, MOST_NAMES), len(doubted))
    sentences += _limits(ceilings, formats, outcome.run.device)
    sentences += _together(outcome.run.measurements)
    sentences += on_energy(outcome.energy)
    sentences += _random_reads(outcome.sweeps)
    sentences += _ill(outcome)
    return sentences


def _arithmetic(formats: Sequence[Ceiling]) -> str:
    """``Arithmetic: FP32 66.5 TFLOP/s, FP64 33.4 TFLOP/s: 99 to 100 % of theory at its clock.``"""
    rates = []
    for best in formats:
        subject = name_of(Tag.parse(best.tag).whole)
        rates.append(f"{subject} {si(best.rate, best.unit)}")
    shares = [best.share for best in formats if best.share]
    of_theory = ""
    if shares:
        lowest, highest = round(100 * min(shares)), round(100 * max(shares))
        span = f"{lowest}" if lowest == highest else f"{lowest} to {highest}"
        of_theory = f"; {span} % of theory at the clock of the moment"
    return f"Arithmetic: {', '.join(rates)}{of_theory}."


def _rate_and_share(ceiling: Ceiling) -> str:
    """``DRAM 4.71 TB/s (98 %)`` of a level of memory: the share of theory where it is known."""
    tag = Tag.parse(ceiling.tag)
    subject = name_of(tag.whole)
    share = f" ({whole_percent(ceiling.share)})" if ceiling.share else ""
    return f"{subject} {si(ceiling.rate, ceiling.unit)}{share}"


def _meaning(outcome: Outcome, formats: Sequence[Ceiling]) -> list[str]:
    """``Code that does less than 189 FP16 or 14.1 FP32 operations per byte waits for DRAM.``"""
    memory = outcome.model.memory
    if memory is None or memory.tag != MAIN or not formats:
        return []
    by_format = {Tag.parse(best.tag).subject: best for best in formats}
    first_formats = [name for name in ORDER_OF_RIDGES if name in by_format][:MOST_RIDGES]
    if not first_formats:
        return []
    ridges = []
    for name in first_formats:
        intensity = ridge(by_format[name].rate or 0.0, memory.rate)
        ridges.append(f"{short(intensity)} {name.upper()}")
    words = "".join(ridges)
    if len(ridges) > 1:
        words = f"{', '.join(ridges[:-1])} or {ridges[-1]}"
    return [f"Code that does less than {words} operations per byte waits for {memory.label}."]


def _limits(
    ceilings: Mapping[str, Ceiling], formats: Sequence[Ceiling], device: Device
) -> list[str]:
    """What kept the arithmetic from its rated peak, power or clock; and what was noisy."""
    sentences = []
    rated = device.clock_hz
    slowed = [best for best in formats if _is_slowed(best, rated)]
    # Zeros take less power: if the same path runs faster on them, power held it back.
    by_power = [best for best in slowed if _clock_ratio(best, ceilings) > MORE_CLOCK]
    by_clock = [best for best in slowed if best not in by_power]
    if by_power:
        more = whole_percent(max(_clock_ratio(best, ceilings) for best in by_power) - 1)
        sentences.append(
            f"Limited by power: {_clocks(by_power, rated)}; with operands of zero, which need less "
            f"of it, the clock is up to {more} higher."
        )
    if by_clock:
        sentences.append(f"Limited by the clock: {_clocks(by_clock, rated)}.")
    if rated and formats and all(_is_at_its_peak(best, rated) for best in formats):
        sentences.append(f"Nothing held arithmetic back: it ran at the rated {si(rated, 'Hz')}.")
    noisy = [best for best in formats if (best.spread or 0.0) > NOISY]
    if noisy:
        names = [name_of(Tag.parse(best.tag)) for best in noisy]
        sentences.append(f"Noisy: {few(names, MOST_NAMES)}.")
    return sentences


def _is_slowed(best: Ceiling, rated: float | None) -> bool:
    """True if a path ran well below the rated clock."""
    return bool(rated and best.clock_hz and best.clock_hz < FULL_CLOCK * rated)


def _is_at_its_peak(best: Ceiling, rated: float) -> bool:
    """True if a path ran at the rated clock, and gave nearly all that theory allows there."""
    clock_is_full = bool(best.clock_hz) and not _is_slowed(best, rated)
    return clock_is_full and best.share is not None and best.share >= FULL_RATE


def _clocks(slowed: Sequence[Ceiling], rated: float | None) -> str:
    """``FP16, BF16 ran at 1.60 GHz to 1.66 GHz, rated 1.98 GHz``."""
    clocks = [best.clock_hz or 0.0 for best in slowed]
    names = few([name_of(Tag.parse(best.tag).whole) for best in slowed], MOST_NAMES)
    return f"{names} ran at {si_span(clocks, 'Hz')}, rated {si(rated, 'Hz')}"


def _clock_ratio(best: Ceiling, ceilings: Mapping[str, Ceiling]) -> float:
    """Clock of the same path with operands of zero over its own; 0 where that is not known."""
    zeros = ceilings.get(str(Tag.parse(best.tag).with_variant(ZEROS)))
    if zeros is None or not zeros.trusted or not zeros.clock_hz or not best.clock_hz:
        return 0.0
    return zeros.clock_hz / best.clock_hz


def _together(rows: Iterable[Measurement]) -> list[str]:
    """``CPU and GPU together read 88 GB/s: GPU 60 GB/s (80 alone), CPU 28 GB/s (35 alone).``"""
    for row in rows:
        rates = row.together
        is_told = row.status == OK and row.trusted and row.rate
        if not is_told or not all(rates.get(name) for name in ("gpu", "cpu")):
            continue
        parts = []
        for name in ("gpu", "cpu"):
            alone = rates.get(f"{name}_alone")
            beside = f" ({si(alone, 'B/s')} alone)" if alone else ""
            parts.append(f"{name.upper()} {si(rates[name], 'B/s')}{beside}")
        return [f"CPU and GPU together read {si(row.rate, 'B/s')}: {', '.join(parts)}."]
    return []


def _random_reads(sweeps: Iterable[SweepChart]) -> list[str]:
    """From how many bytes on random reads lose nothing, and what the smallest lose.

    There is no sentence if even the smallest lose nothing.
    """
    for sweep in sweeps:
        if sweep.over != GATHER:
            continue
        # a sweep over gathers has one series: that of reads
        only_line = sweep.lines[0]
        rows = [row for row in only_line.rows if row.trusted and row.value]
        if len(rows) < 2:
            continue
        best = max(row.value or 0.0 for row in rows)
        enough = next(row for row in rows if (row.value or 0.0) >= FULL_RATE * best)
        smallest = rows[0]
        if enough is smallest:
            return []
        share = whole_percent((smallest.value or 0.0) / best)
        return [
            f"Random reads: below {binary(enough.x or 0)} together you lose bandwidth "
            f"({binary(smallest.x or 0)}: {share} is left)."
        ]
    return []


def _ill(outcome: Outcome) -> list[str]:
    """What could not be measured, what failed, and whether the run is whole."""
    sentences = []
    hidden = levels_without_plateau(outcome)
    if hidden:
        names = ", ".join(level.upper() for level in hidden)
        sentences.append(f"No plateau of {names} was seen: too few of its points can be trusted.")
    missing = formats_without_rate(outcome.ceilings)
    if missing:
        reasons = [f"{name_of(Tag.parse(path.tag))} ({path.remark})" for path in missing]
        sentences.append(f"Not measured: {few(reasons, MOST_NAMES)}.")
    rows = outcome.run.measurements
    failed = dict.fromkeys(row.ceiling for row in rows if row.status == FAILED)
    if failed:
        sentences.append(f"Failed: {few(list(failed), MOST_NAMES)}.")
    if outcome.run.status != COMPLETE:
        sentences.append(IS_PARTIAL)
    return sentences


def levels_without_plateau(outcome: Outcome) -> list[str]:
    """The caches that the device reports, and that a sweep went over without showing them."""
    swept = any(
        isinstance(row.tag, Sweep) and row.tag.over == WORKING_SET and row.quantity == BANDWIDTH
        for row in outcome.run.measurements
    )
    if not swept:
        return []
    levels = dict.fromkeys(cache.level for cache in outcome.run.device.caches)
    return [level for level in levels if str(Tag(BANDWIDTH, level)) not in outcome.ceilings]
