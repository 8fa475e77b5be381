"""The operations of layers do not rank their times."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.lessons import batch_fc, channels, kernel_size, light_layers, output_size
from analysis.lessons.frame.charts import Curve, Curves
from analysis.lessons.frame.evidence import QUIETER, Evidence, Layer, Untold, Untried
from analysis.lessons.frame.interval import Interval
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si

TIMES = 4.0
"""A layer with so many times the operations of another should be slower, if they ranked times."""
NEEDS = [
    *kernel_size.NEEDS.values(),
    *channels.NEEDS.values(),
    *output_size.NEEDS.values(),
    *batch_fc.NEEDS.values(),
    *light_layers.LIGHT.values(),
    *light_layers.ROWS.values(),
]


def judge(evidence: Evidence) -> Finding:
    layers = _layers(evidence)
    needed = [row for need in NEEDS for row in need.rows(evidence.measurements)]
    is_complete = len(layers) == len(needed)
    clear = 0
    inverted: list[tuple[float, Layer, Layer]] = []
    for more in layers:
        for less in layers:
            work = more.flops / less.flops
            if work < TIMES:
                continue
            clear += 1
            time = more.seconds.over(less.seconds)
            if time.below(1.0):
                inverted.append((work, more, less))
    words = f"Of {clear} pairs where one layer has {TIMES:g} times the operations, "
    pair = []
    if inverted:
        work, more, less = max(inverted, key=lambda pair: pair[0])
        words += (
            f"{len(inverted)} take less time with more of them. The farthest: {more.row.layer} "
            f"has {short(work)} times the operations of {less.row.layer} and takes "
            f"{si(more.seconds.value, 's')}, not {si(less.seconds.value, 's')}."
        )
        pair = [Curve("farthest", _points([less, more]))]
    elif not is_complete:
        raise Untold(f"not all layers were timed well; {QUIETER}")
    else:
        words += "none takes less time with more of them."
    chart = Curves(
        across="Operations of a layer",
        up="Time",
        unit="s",
        curves=[Curve("layers", _points(layers), joined=False), *pair],
        unit_across="FLOP",
    )
    return Finding(bool(inverted), words, chart)


def _points(layers: Sequence[Layer]) -> list[tuple[float, Interval]]:
    """(operations, time) of layers, by operations."""
    by_work = sorted(layers, key=lambda layer: layer.flops)
    return [(layer.flops, layer.seconds) for layer in by_work]


def _layers(evidence: Evidence) -> list[Layer]:
    """All layers that were timed well. Raises Untried or Untold where there are none."""
    layers = []
    why: Untried | Untold = Untried("no layer was timed")
    for need in NEEDS:
        if evidence.kind not in need.kinds:
            continue
        try:
            layers += evidence.layers(need)
        except Untried as lack:
            why = why if isinstance(why, Untold) else lack
        except Untold as lack:
            why = lack
    if len(layers) < 2:
        raise why
    return layers


LESSON = Lesson(
    name="flops-rank",
    title="FLOPs do not rank the time of layers",
    claim="The number of operations says little of the time that a layer takes.",
    source="Ma et al., ShuffleNet V2, ECCV 2018 (its first finding).",
    rule=(
        f"It holds if some layer with {TIMES:g} times the operations of another takes less time, "
        "beyond their intervals."
    ),
    needs=tuple(NEEDS),
    judge=judge,
)
