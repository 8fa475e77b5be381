"""What a network's numbers leave out: layers that did not run so, and layers that no roof was
measured for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.layers.groups import Network
from analysis.units import percent, si


def with_lost_time(networks: Sequence[Network]) -> list[Network]:
    """The same networks; where layers are missing, what part of the time they take at a precision
    that ran them all.
    """
    same: dict[str, list[Network]] = {}
    for net in networks:
        same.setdefault(net.name, []).append(net)
    return [
        replace(net, lost=_lost(net, same[net.name])) if net.missing else net for net in networks
    ]


def _lost(net: Network, networks: Iterable[Network]) -> tuple[str, float] | None:
    """(precision, share of its time) of what ``net`` misses; None where no other run has it all."""
    for other in networks:
        names = {p.layer for p in other.layers}
        if other.name == net.name and not other.missing and names >= set(net.missing):
            gone = sum(p.seconds for p in other.layers if p.layer in net.missing)
            return other.precision, gone / sum(p.seconds for p in other.layers)
    return None


def how_many(net: Network) -> str:
    """``4 of 12 layers``, ``all layers``."""
    return (
        f"{len(net.layers)} of {len(net.layers) + net.skipped} layers"
        if net.skipped
        else "all layers"
    )


def left_out(net: Network) -> list[str]:
    """A sentence each for what is not in the numbers of a network, and for what counts whole in its
    least time.
    """
    run, said = f"{net.precision.upper()} on {net.provider}", []
    if net.skipped:
        share = (
            f": they take {percent(net.lost[1])} of the time in {net.lost[0].upper()}"
            if net.lost
            else ""
        )
        said.append(
            f"{run} lacks {net.skipped} of {net.skipped + len(net.layers)} layers, which did not "
            f"run so{share}."
        )
    if net.light.unplaced_seconds:
        unplaced = si(net.light.unplaced_seconds, "s")
        said.append(
            f"{run}: {unplaced} of the least time is that of layers without a roof, counted whole."
        )
    return said
