"""A fully connected layer is bound by memory at batch 1, and not at a large batch."""

from __future__ import annotations

from analysis.lessons.frame.charts import Spot, UnderRoofs
from analysis.lessons.frame.evidence import Evidence, Layer
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import ROOFS, layers
from analysis.lessons.frame.trial import Finding
from analysis.units import si

WIDTHS = {"cpu": 2048.0, "cuda": 4096.0}
"""Of a layer whose weights no inner cache holds."""
SMALL, LARGE = "batch 1", "batch 128"
MOST_SHARE = 4.0
"""A layer bound by memory takes about as long at several times the batch: the same bytes move."""
NEED = layers("fc", SMALL, "batch 16", LARGE, places=tuple(WIDTHS.values()))


def judge(evidence: Evidence) -> Finding:
    width = WIDTHS[evidence.kind]
    ladder = [layer for layer in evidence.ladder(NEED) if layer.x == width]
    by_batch = {layer.row.facts.series: layer for layer in ladder}
    small, large = by_batch[SMALL], by_batch[LARGE]
    times_as_long = large.seconds.over(small.seconds)
    times_the_work = large.flops / small.flops
    gain = large.rate.over(small.rate)
    said = all_of([gain.above(MOST_SHARE)])
    evidence_in_words = (
        f"128 times the work takes {times_as_long.value:.3g} times as long at width {width:.0f}: "
        f"{si(small.rate.value, 'FLOP/s')} at batch 1, {si(large.rate.value, 'FLOP/s')} at batch "
        f"128, where each weight serves {times_the_work:.0f} rows."
    )
    spots: list[Spot] = [_spot(layer) for layer in ladder]
    chart = UnderRoofs(spots=spots, slopes=evidence.slopes(), flats=evidence.flats("fp32"))
    return Finding(said, evidence_in_words, chart)


def _spot(layer: Layer) -> Spot:
    return layer.spot(layer.row.facts.series)


LESSON = Lesson(
    name="batch-fc",
    title="FC is bound by memory at batch 1, not at 128",
    claim=(
        "A fully connected layer at batch 1 reads each weight for one multiply-add and is bound by "
        "memory; at a large batch each weight serves many rows, and arithmetic bounds it."
    ),
    source="NVIDIA, Deep Learning Performance: Linear/Fully-Connected Layers User's Guide.",
    rule=f"It holds if the rate at batch 128 is more than {MOST_SHARE:g} times that at batch 1.",
    needs=(*ROOFS, NEED),
    judge=judge,
)
