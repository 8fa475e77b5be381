"""The answer on engines of TensorRT: reformats, tensor cores, INT8, and the batch size."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.layers.batches import BatchSeries, over_batches
from analysis.layers.engine import (
    INTEGERS,
    cores,
    is_engine,
    launch_share,
    reformats,
    without_integers,
)
from analysis.layers.findings import Comparison
from analysis.layers.groups import Network
from analysis.layers.placement import Placement
from analysis.layers.words import ALIKE
from analysis.naming import few
from analysis.units import percent, short, si
from probes.records.given import shortened

MOST_NAMES = 2
"""Layers that a sentence names."""
LONGEST_NAME = 56
"""Letters of a layer's name."""
LEAST_SHARE = 0.1
"""Share of the time that launches must bound before they are called a reason."""


def on_engine(net: Network) -> list[str]:
    """Sentences on the reformats of an engine and its tensor cores; none of another runtime."""
    if not is_engine(net):
        return []
    sentences = []
    precision = net.precision.upper()
    added = reformats(net)
    if added.layers:
        sentences.append(
            f"Reformats in {precision}: {len(added.layers)}, {si(added.seconds, 's')} together, "
            f"{percent(added.share)} of the layers' time: {_names(added.layers)}."
        )
    used = cores(net)
    known = len(used.on) + len(used.off)
    if known:
        sentence = (
            f"Tensor cores, by the names of kernels in {precision}: {len(used.on)} of {known} "
            "convolutions and products use them"
        )
        if used.off:
            seconds = sum(layer.seconds for layer in used.off)
            sentence += f"; without them {_names(used.off)}, {si(seconds, 's')} together"
        if used.unknown:
            sentence += f"; of {used.unknown} more the name does not tell"
        sentences.append(f"{sentence}.")
    return sentences


def why_integers_win_little(pair: Comparison) -> list[str]:
    """Reasons why an engine in INT8 is hardly faster than one in floats, as parts of a sentence."""
    fewer, more = pair.fewer_bits, pair.more_bits
    if not (is_engine(fewer) and is_engine(more) and fewer.precision == INTEGERS):
        return []
    floats = more.precision.upper()
    reasons = []
    now, before = reformats(fewer), reformats(more)
    if now.seconds > before.seconds:
        reasons.append(
            f"reformats take {si(now.seconds, 's')} in INT8, {si(before.seconds, 's')} in {floats}"
        )
    left = without_integers(fewer)
    if left:
        seconds = sum(layer.seconds for layer in left)
        used = cores(fewer)
        weighted = len(used.on) + len(used.off) + used.unknown
        reasons.append(
            f"{len(left)} of {weighted} convolutions and products have no INT8 kernel "
            f"({si(seconds, 's')}): {_names(left)}"
        )
    bound = launch_share(fewer)
    if bound >= LEAST_SHARE:
        reasons.append(f"launches bound {percent(bound)} of its time, whatever the type")
    slow = [layer for layer in cores(fewer).off if layer.dtype == INTEGERS]
    if slow:
        reasons.append(f"{len(slow)} INT8 kernels use no tensor cores: {_names(slow)}")
    if not reasons and not pair.against and pair.speedup < 1 + ALIKE:
        reasons.append("neither reformats, missing INT8 kernels nor launches explain it")
    return reasons


def on_batches(networks: Sequence[Network]) -> list[str]:
    """A sentence for each precision of a network that ran at several batch sizes."""
    return [
        _over_batches(series) for of_model in over_batches(networks).values() for series in of_model
    ]


def _over_batches(series: BatchSeries) -> str:
    """``net over batch, FP16: an image takes 1.20 ms at 1, 400 µs at 8; intensity 20, 64.``"""
    times = ", ".join(f"{si(point.seconds, 's')} at {point.batch}" for point in series.points)
    intensities = [point.intensity for point in series.points]
    sentence = (
        f"{shortened(series.model, LONGEST_NAME)} over batch size in {series.precision.upper()}: "
        f"an image takes {times}"
    )
    known = [short(intensity) for intensity in intensities if intensity is not None]
    if len(known) == len(intensities):
        sentence += f"; operations per byte {', '.join(known)}"
    return f"{sentence}."


def _names(layers: Sequence[Placement]) -> str:
    """The first of these layers by name, and how many more."""
    return few([shortened(layer.layer, LONGEST_NAME) for layer in layers], MOST_NAMES)
