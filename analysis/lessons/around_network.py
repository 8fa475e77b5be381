"""What is done before and after a network can outweigh it."""

from __future__ import annotations

from functools import reduce

from analysis.lessons.frame.charts import Bar, Bars
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import Interval, any_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si
from probes.records.need import Need

BEFORE = {
    "decode": "decode the JPEG",
    "resize": "resize to 224x224",
    "normalise": "normalise",
}
AFTER = {"softmax-top5": "softmax and top 5", "nms": "boxes that overlap"}
"""Steps by their tags, in words."""
STEPS = {step: Need("around", tags=(f"sweep/overhead/step/{step}",)) for step in (*BEFORE, *AFTER)}
MOBILENET = Need("around", tags=("recipe/mobilenet/*",))
PHOTOGRAPH = "a photograph of 1920x1080 pixels"


def judge(evidence: Evidence) -> Finding:
    network = evidence.seconds(evidence.row(MOBILENET))
    seconds = {step: evidence.seconds(evidence.row(need)) for step, need in STEPS.items()}
    before = reduce(Interval.plus, (seconds[step] for step in BEFORE))
    after = {step: seconds[step] for step in AFTER}
    said = any_of(time.over(network).above(1.0) for time in (before, *after.values()))
    words = (
        f"Before MobileNet runs for {si(network.value, 's')}, Pillow and NumPy take "
        f"{si(before.value, 's')} to make its input of {PHOTOGRAPH}, "
        f"{short(before.value / network.value)} times as long. Softmax and top 5 after it take "
        f"{si(after['softmax-top5'].value, 's')}; to take out a detector's boxes that "
        f"overlap (NMS, NumPy), {si(after['nms'].value, 's')}."
    )
    bars = [Bar(name, seconds[step], marked=True) for step, name in (BEFORE | AFTER).items()]
    bars.insert(len(BEFORE), Bar("MobileNet 1.0, FP32", network))
    chart = Bars(across="Time", unit="s", bars=bars)
    return Finding(said, words, chart)


LESSON = Lesson(
    name="around-network",
    title="Steps around a network can outweigh it",
    claim=(
        "Decoding, resizing and normalising before a small network, or what follows it, can take "
        "longer than the network: a faster network then changes little."
    ),
    source="NVIDIA, DALI User Guide (Introduction).",
    rule=(
        "It holds if what comes before MobileNet, or one step after a network, takes longer than "
        "MobileNet at batch 1."
    ),
    needs=(MOBILENET, *STEPS.values()),
    judge=judge,
)
