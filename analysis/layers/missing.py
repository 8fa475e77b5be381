"""What a network's numbers leave out.

Layers that did not run at its precision, and layers that no roof was measured for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.layers.groups import Network
from analysis.units import percent, si


def with_lost_time(networks: Sequence[Network]) -> list[Network]:
    """The same networks; those that miss layers say what part of the time these take elsewhere.

    Elsewhere is a precision that ran them all.
    """
    completed = []
    for net in networks:
        lost = _lost(net, networks) if net.missing else net.lost
        completed.append(replace(net, lost=lost))
    return completed


def _lost(net: Network, networks: Iterable[Network]) -> tuple[str, float] | None:
    """(precision, share of its time) of what ``net`` misses; None where no other run has it all."""
    for other in networks:
        if other.name != net.name or other.missing:
            continue
        seconds = [p.seconds for p in other.layers if p.layer in net.missing]
        names = {p.layer for p in other.layers}
        if names >= set(net.missing):
            return other.precision, sum(seconds) / other.light.seconds
    return None


def how_many(net: Network) -> str:
    """``4 of 12 layers``, ``all layers``."""
    if not net.skipped:
        return "all layers"
    return f"{len(net.layers)} of {len(net.layers) + net.skipped} layers"


def left_out(net: Network) -> list[str]:
    """A sentence each for what is not in the numbers of a network.

    And one for what counts whole in its least time.
    """
    name = f"{net.precision.upper()} on {net.provider}"
    sentences = []
    if net.skipped:
        share = ""
        if net.lost:
            precision, lost_share = net.lost
            share = f": they take {percent(lost_share)} of the time in {precision.upper()}"
        every = net.skipped + len(net.layers)
        sentences.append(
            f"{name} lacks {net.skipped} of {every} layers, which did not run so{share}."
        )
    if net.light.unplaced_seconds:
        unplaced = si(net.light.unplaced_seconds, "s")
        sentences.append(
            f"{name}: {unplaced} of the least time is that of layers without a roof, counted whole."
        )
    return sentences
