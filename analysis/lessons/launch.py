"""The launch bounds small kernels."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import LEAST_RUN, by_kind
from analysis.lessons.frame.trial import Finding
from analysis.units import percent, si
from probes.records.need import Need

BORDER = 0.5
"""Share of a small layer's time that its launch takes, at least."""
NEEDS = by_kind("fc", "batch 1", places=(256.0,))
LAUNCH = {
    "cpu": Need("layers", tags=("overhead/run/cpu",)),
    "cuda": Need("overhead", tags=("overhead/launch",)),
}


def judge(evidence: Evidence) -> Finding:
    (small,) = evidence.ladder(NEEDS[evidence.kind])
    launch = evidence.seconds(evidence.row(LAUNCH[evidence.kind]))
    share = launch.over(small.seconds)
    what = "The least call of the runtime" if evidence.kind == "cpu" else "An empty launch"
    words = (
        f"{what} takes {si(launch.value, 's')}, {percent(share.value)} of the "
        f"{si(small.seconds.value, 's')} of a small layer ({small.row.layer})."
    )
    if share.value < BORDER:
        words += " Even so small a layer has work enough beside it."
    bars = [Bar("a launch of nothing", launch), Bar("a small layer", small.seconds, marked=True)]
    chart = Bars(across="Time", unit="s", bars=bars)
    return Finding(share.above(BORDER), words, chart)


LESSON = Lesson(
    name="launch",
    title="The launch bounds small kernels",
    claim=(
        "Below some size the time of a kernel is that of its launch: small layers should be fused "
        "or captured in a graph."
    ),
    source="NVIDIA, CUDA C++ Best Practices Guide; Wang et al., time-based roofline, 2020.",
    rule=f"It holds if a launch of nothing takes more than {BORDER:.0%} of a small layer's time.",
    needs=(LEAST_RUN, LAUNCH["cuda"], *NEEDS.values()),
    judge=judge,
)
