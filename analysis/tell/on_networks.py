"""The answer on networks: their times, what bounds them, what to gain, why a precision wins little.

Each sentence is made of facts of the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.layers.advice import first_thing
from analysis.layers.findings import (
    Comparison,
    by_bound,
    comparisons,
    fastest_first,
    gains,
    in_whole,
)
from analysis.layers.groups import Network
from analysis.layers.placement import BELOW_EVERY_ROOF, BOUND_BY_LAUNCH, BOUND_BY_SLOW, DISTURBED
from analysis.layers.words import (
    ALIKE,
    layers_in_words,
    no_floor,
    saturated,
    sentence_on_unknown,
    unknown,
)
from analysis.outcome import Outcome
from analysis.tell.on_engines import on_batches, on_engine, why_integers_win_little
from analysis.tell.report import as_sentence
from analysis.units import percent, si, watts, whole_percent
from probes.records.given import shortened
from probes.records.tag import COMPUTE

MOST_NETWORKS = 2
"""Networks that have sentences; the page has all."""
LONGEST_NAME = 60
"""Letters of the name of a network or a layer."""
SMALL_GAIN = 1.3
"""Times as fast, below which fewer bits win less than people expect."""
LEAST_SHARE = 0.1
"""Share of a network's time that layers must take before it is said what bounds them."""
BOUNDS = {
    BELOW_EVERY_ROOF: "in layers that neither memory nor arithmetic explains",
    BOUND_BY_LAUNCH: "in layers that launches bound",
    COMPUTE: "in layers that arithmetic bounds",
    BOUND_BY_SLOW: "in layers that exponentials, divisions or roots bound",
    DISTURBED: "in layers that other load disturbed",
    "": "in layers without a roof",
}
"""Where a network's time goes, by what bounds it; any other bound is a level of memory."""


def on_networks(networks: Sequence[Network]) -> list[str]:
    """Sentences on each network, its precisions together."""
    by_name: dict[str, list[Network]] = {}
    for net in networks:
        by_name.setdefault(net.name, []).append(net)
    sentences = []
    for name, precisions in list(by_name.items())[:MOST_NETWORKS]:
        sentences += _of_network(name, fastest_first(precisions))
    if len(by_name) > MOST_NETWORKS:
        sentences.append(f"{len(by_name) - MOST_NETWORKS} more networks are on the page.")
    return sentences + on_batches(networks)


def on_all_layers(outcome: Outcome) -> list[str]:
    """Sentences on wrong results in INT8, and on networks without a layer that was timed alone."""
    notes = [as_sentence(note) for note in outcome.network_notes]
    if len(notes) > MOST_NETWORKS:
        more = len(notes) - MOST_NETWORKS
        notes = [*notes[:MOST_NETWORKS], f"Of {more} more networks no layer was timed alone."]
    return saturated(outcome.placements) + notes


def _of_network(name: str, precisions: Sequence[Network]) -> list[str]:
    """Sentences on one network, mostly on its fastest precision. precisions: the fastest first."""
    best, *others = precisions
    sentences = [_times(name, best, others)]
    sentences += _energy(precisions)
    problem = no_floor(best)
    if best.refused:
        sentences.append(f"Yet the whole was not timed in one go: {best.refused}. {problem}")
    elif problem:
        sentences.append(problem)
    else:
        sentences.append(_what_bounds(best))
        sentences += _most_to_gain(best)
    sentences += on_engine(best)
    if unknown(best.layers):
        sentences.append(sentence_on_unknown(best))
    sentences += [_why_no_more(pair) for pair in comparisons(precisions) if _is_worth_telling(pair)]
    return sentences


def _energy(precisions: Sequence[Network]) -> list[str]:
    """``A run takes 31.2 mJ in FP16 (412 W), 88 mJ in FP32 (350 W).`` where power is known."""
    costs = []
    for net in precisions:
        whole = net.whole
        if whole is not None and whole.trusted and whole.joules:
            precision = net.precision.upper()
            costs.append(f"{si(whole.joules, 'J')} in {precision} ({watts(whole.power_w)})")
    return [f"A run takes {', '.join(costs)}."] if costs else []


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
    time = f"{_time_in_words(best)} in {best.precision_in_words}"
    return f"{shortened(name, LONGEST_NAME)} on {best.provider}: {time}{floor}{slower}."


def _time_in_words(net: Network) -> str:
    """The time of a network, and what it lacks: layers, or a timing of the whole in one go."""
    time = si(net.seconds, "s")
    if net.whole is not None:
        return time if net.whole.trusted else f"{time} (not trusted)"
    if net.missing:
        missing = layers_in_words(net.skipped)
        have = "has" if net.skipped == 1 else "have"
        return f"{time} as the sum of its layers, without {missing} that {have} no time"
    return f"{time} as the sum of its layers"


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
    has_reason = bool(pair.against) or bool(why_integers_win_little(pair))
    return pair.speedup < SMALL_GAIN and has_reason


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
    families = f"layer by layer, {' and '.join(reasons)}" if reasons else ""
    why = [*why_integers_win_little(pair), *filter(None, [families])]
    return f"{wins}: {'; '.join(why)}."
