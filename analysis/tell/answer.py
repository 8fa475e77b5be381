"""The answer: what was learnt, in about ten lines, for the end of a run and the top of its page.

Networks come before the device: whoever gave a model asked for those. Each sentence is made of
facts of the outcome; what supports it in detail stands in the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis.layers.advice import first_thing
from analysis.layers.findings import (
    DISTURBED,
    Comparison,
    by_bound,
    comparisons,
    fastest_first,
    gains,
    in_whole,
)
from analysis.layers.groups import Network
from analysis.layers.placement import BELOW_EVERY_ROOF, BOUND_BY_LAUNCH
from analysis.layers.words import ALIKE, no_floor, saturated, sentence_on_unknown, unknown
from analysis.model.ceilings import Ceiling
from analysis.model.headlines import best_by_format, formats_without_rate, levels_of_memory
from analysis.model.roofline import MAIN, ridge
from analysis.model.sweeps import SweepChart
from analysis.model.trust import GOOD
from analysis.naming import name_of
from analysis.outcome import Outcome
from analysis.units import binary, percent, short, si, whole_percent
from kernels.device import Device
from probes.records.given import shortened
from probes.records.measurement import FAILED, OK
from probes.records.run import COMPLETE
from probes.records.tag import BANDWIDTH, COMPUTE, GATHER, WORKING_SET, ZEROS, Sweep, Tag

PYTHON = ".venv/bin/python"
"""As the README sets it up."""
MOST_NETWORKS = 2
"""Networks that have sentences; the page has all."""
FULL_CLOCK = 0.97
"""Share of the rated clock from which a unit counts as running at it."""
MORE_CLOCK = 1.02
"""Clock with operands of zero over the usual clock, above which power was the limit."""
NOISY = 0.05
"""Spread above which a result is called noisy."""
LONGEST_NAME = 60
"""Letters of the name of a network or a layer."""
MOST_NAMES = 4
"""Names in one sentence; of others it says how many there are."""
MOST_RIDGES = 4
"""Ridge points in one sentence."""
SMALL_GAIN = 1.3
"""Times as fast, below which fewer bits win less than people expect."""
FULL_RATE = 0.9
"""Share of the best rate of a curve, or of theory, that counts as all of it."""
LEAST_SHARE = 0.1
"""Share of a network's time that layers must take before it is said what bounds them."""
ORDER_OF_RIDGES = ("fp16", "bf16", "int8", "fp32", "fp64", "fp8", "tf32", "int32")
"""Formats whose ridge points people ask for first."""
BOUNDS = {
    BELOW_EVERY_ROOF: "in layers that neither memory nor arithmetic explains",
    BOUND_BY_LAUNCH: "in layers that launches bound",
    COMPUTE: "in layers that arithmetic bounds",
    DISTURBED: "in layers that other load disturbed",
    "": "in layers without a roof",
}
"""Where a network's time goes, by what bounds it; any other bound is a level of memory."""


@dataclass(frozen=True)
class Answer:
    """What a run says, in sentences."""

    networks: tuple[str, ...]
    """Of its networks: time, floor, what bounds it, what to gain, why a precision wins or not."""
    device: tuple[str, ...]
    """Of the device: memory, arithmetic, what they mean, what limited them, what went ill."""
    trust: str
    """How far all of it can be trusted; empty if others timed all of its rows."""
    next: str
    """A command to copy."""

    @property
    def lines(self) -> tuple[str, ...]:
        """All sentences but the command."""
        trust = (self.trust,) if self.trust else ()
        return (*self.networks, *self.device, *trust)


def answer(outcome: Outcome) -> Answer:
    """What a run says."""
    return Answer(
        networks=(*_of_networks(outcome.networks), *_of_all_layers(outcome)),
        device=tuple(_of_device(outcome)),
        trust=outcome.trust.line if outcome.trust else "",
        next=next_command(outcome),
    )


def _of_networks(networks: Sequence[Network]) -> list[str]:
    """Sentences on each network, its precisions together."""
    by_name: dict[str, list[Network]] = {}
    for net in networks:
        by_name.setdefault(net.name, []).append(net)
    sentences = []
    for name, precisions in list(by_name.items())[:MOST_NETWORKS]:
        sentences += _of_network(name, fastest_first(precisions))
    if len(by_name) > MOST_NETWORKS:
        sentences.append(f"{len(by_name) - MOST_NETWORKS} more networks are on the page.")
    return sentences


def _of_all_layers(outcome: Outcome) -> list[str]:
    """Sentences on wrong results in INT8, and on networks without a layer that was timed alone."""
    notes = [f"{note[0].upper()}{note[1:]}." for note in outcome.network_notes]
    if len(notes) > MOST_NETWORKS:
        more = len(notes) - MOST_NETWORKS
        notes = [*notes[:MOST_NETWORKS], f"Of {more} more networks no layer was timed alone."]
    return saturated(outcome.placements) + notes


def _of_network(name: str, precisions: Sequence[Network]) -> list[str]:
    """Sentences on one network, mostly on its fastest precision. precisions: the fastest first."""
    best, *others = precisions
    sentences = [_times(name, best, others)]
    problem = no_floor(best)
    if best.refused:
        sentences.append(f"Yet the whole was not timed in one go: {best.refused}. {problem}")
    elif problem:
        sentences.append(problem)
    else:
        sentences.append(_what_bounds(best))
        sentences += _most_to_gain(best)
    if unknown(best.layers):
        sentences.append(sentence_on_unknown(best))
    sentences += [_why_no_more(pair) for pair in comparisons(precisions) if _is_worth_telling(pair)]
    return sentences


def _times(name: str, best: Network, others: Sequence[Network]) -> str:
    """``net on cuda: 894 µs in FP16; the least time … is 25.1 µs, 2.8 % of that. FP32 2.25 ms.``"""
    floor = ""
    if not no_floor(best):
        floor = (
            f"; the least time its layers need on the measured roofs is "
            f"{si(best.light.least_seconds, 's')}, {percent(best.share)} of that"
        )
        if best.light.unplaced_seconds:
            unplaced = si(best.light.unplaced_seconds, "s")
            floor += f" ({unplaced} of it counted whole, of layers without a roof)"
        if best.missing:
            floor += f" without the {layers_in_words(best.skipped)} that could not be timed alone"
    slower = ""
    if others:
        times = []
        for net in others:
            by = "" if net.provider == best.provider else f" on {net.provider}"
            times.append(f"{net.precision.upper()}{by} {_time_in_words(net)}")
        slower = f". {', '.join(times)}"
    time = f"{_time_in_words(best)} in {best.precision.upper()}"
    return f"{shortened(name, LONGEST_NAME)} on {best.provider}: {time}{floor}{slower}."


def _time_in_words(net: Network) -> str:
    """The time of a network, and what it lacks: layers, or a timing of the whole in one go."""
    time = si(net.seconds, "s")
    if net.whole is not None:
        return time if net.whole.trusted else f"{time} (not trusted)"
    if net.missing:
        missing = layers_in_words(net.skipped)
        return f"{time} as the sum of its layers, without {missing} that could not run so"
    return f"{time} as the sum of its layers"


def layers_in_words(number: int) -> str:
    """``1 layer``, ``5 layers``."""
    return "1 layer" if number == 1 else f"{number} layers"


def _what_bounds(net: Network) -> str:
    """``Its time in FP16 goes 84 % in layers that launches bound: raise the batch first, …``"""
    shares = by_bound(in_whole(net))
    parts = []
    for bound, share in shares:
        if share >= LEAST_SHARE:
            layers = BOUNDS.get(bound, f"in layers that {bound.upper()} bounds")
            parts.append(f"{whole_percent(share)} {layers}")
    main_bound, _ = shares[0]
    precision = net.precision.upper()
    time = f"Layer by layer, its time in {precision} goes {', '.join(parts)}"
    return f"{time}: {first_thing(main_bound)}."


def _most_to_gain(net: Network) -> list[str]:
    """A sentence on the layers with most to gain; none if nothing is to gain."""
    groups = gains(net)
    if not groups:
        return []
    parts = []
    for group in groups:
        gain = si(group.headroom_seconds, "s")
        name = shortened(group.name, LONGEST_NAME)
        parts.append(f"{name}: {si(group.seconds, 's')}, {gain} to gain")
    return [f"Most to gain: {'; '.join(parts)}."]


def _is_worth_telling(pair: Comparison) -> bool:
    """True if fewer bits win little and some family of layers is the reason."""
    return pair.speedup < SMALL_GAIN and bool(pair.against)


def _why_no_more(pair: Comparison) -> str:
    """``FP16 wins only 2 % over TF32: normalisation takes 431 µs in FP16, 172 µs in TF32.``"""
    fewer = pair.fewer_bits.precision.upper()
    more = pair.more_bits.precision.upper()
    if abs(pair.speedup - 1) < ALIKE:
        wins = f"{fewer} is no faster than {more}"
    elif pair.speedup > 1:
        wins = f"{fewer} wins only {100 * (pair.speedup - 1):.0f} % over {more}"
    else:
        wins = f"{fewer} is {100 * (1 / pair.speedup - 1):.0f} % slower than {more}"
    reasons = []
    for times in pair.against[:2]:
        fewer_time = si(times.fewer_bits, "s")
        more_time = si(times.more_bits, "s")
        fused = ""
        if times.fused:
            fused = f" (in one go {times.fused} of these {times.layers} layers are fused away)"
        reasons.append(
            f"{times.family} takes {fewer_time} in {fewer}, {more_time} in {more}{fused}"
        )
    return f"{wins}: layer by layer, {' and '.join(reasons)}."


def _of_device(outcome: Outcome) -> list[str]:
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
    sentences += _no_verdict(outcome.model.doubted)
    sentences += _limits(ceilings, formats, outcome.run.device)
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


def _no_verdict(doubted: Sequence[Ceiling]) -> list[str]:
    """A sentence on the roofs under which nothing is judged; none if all can be trusted."""
    if not doubted:
        return []
    whose = "its roof" if len(doubted) == 1 else "their roofs"
    names = _names(name_of(Tag.parse(ceiling.tag)) for ceiling in doubted)
    return [
        f"No verdict on {names}: {whose} cannot be trusted. Quiet the machine, or give --roofs of "
        "a quiet run."
    ]


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
        sentences.append(f"Noisy: {_names(name_of(Tag.parse(best.tag)) for best in noisy)}.")
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
    names = _names(name_of(Tag.parse(best.tag).whole) for best in slowed)
    lowest, highest = si(min(clocks), "Hz"), si(max(clocks), "Hz")
    clock = lowest if lowest == highest else f"{lowest} to {highest}"
    return f"{names} ran at {clock}, rated {si(rated, 'Hz')}"


def _clock_ratio(best: Ceiling, ceilings: Mapping[str, Ceiling]) -> float:
    """Clock of the same path with operands of zero over its own; 0 where that is not known."""
    zeros = ceilings.get(str(Tag.parse(best.tag).with_variant(ZEROS)))
    if zeros is None or not zeros.trusted or not zeros.clock_hz or not best.clock_hz:
        return 0.0
    return zeros.clock_hz / best.clock_hz


def _names(names: Iterable[str]) -> str:
    """The first of these names, and how many more."""
    listed = list(names)
    more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
    return ", ".join(listed[:MOST_NAMES]) + more


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
        sentences.append(f"Not measured: {_names(reasons)}.")
    rows = outcome.run.measurements
    failed = dict.fromkeys(row.ceiling for row in rows if row.status == FAILED)
    if failed:
        sentences.append(f"Failed: {_names(failed)}.")
    if outcome.run.status != COMPLETE:
        sentences.append("The run is partial: it was ended before every case had its turn.")
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


def next_command(outcome: Outcome) -> str:
    """A command that tells more, by what this run lacks.

    The same again if it cannot be trusted, else a model, else more precisions, else a larger batch.
    """
    run = outcome.run
    device = "cpu" if run.device.kind == "cpu" else str(run.device.index)
    command = f"{PYTHON} run_all.py --device {device}"
    is_good = outcome.trust is None or outcome.trust.level == GOOD
    if not outcome.networks:
        return f"{command} --model YOUR.onnx" if is_good else command
    command = f"{command} --model YOUR.onnx"
    if not is_good:
        return command
    precisions = {net.precision for net in outcome.networks}
    if len(precisions) > 1:
        return f"{command} --batch 8"
    to_compare = "fp32,int8" if device == "cpu" else "fp32,fp16,int8"
    return f"{command} --precision {to_compare}"
