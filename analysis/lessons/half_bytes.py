"""FP16 halves the bytes of layers bound by memory, and so their time."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars, Guide
from analysis.lessons.frame.evidence import QUIETER, Evidence, Layer, Untold, Untried
from analysis.lessons.frame.interval import Interval, all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import layers
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si, whole_percent

PLACE = 112.0
"""Pixels of a side of the largest images of the family "light": no cache holds them."""
HALF = 1.5
"""Times as fast, from which on the bytes made the difference."""
SERIES = ("Add", "Relu", "AveragePool", "BatchNormalization")
WIDE = layers("light", *SERIES, places=(PLACE,), kinds=("cuda",))
NARROW = layers("light", *SERIES, dtypes=("fp16",), places=(PLACE,), kinds=("cuda",))


def judge(evidence: Evidence) -> Finding:
    if evidence.kind == "cpu":
        raise Untried(
            "ONNX Runtime on a CPU widens FP16 to FP32 and back, which shows nothing of its "
            "bytes: try it on a GPU (--device 0)"
        )
    wide = _by_series(evidence.ladder(WIDE))
    narrow = _by_series(evidence.ladder(NARROW))
    gains = {
        name: wide[name].seconds.over(layer.seconds)
        for name, layer in narrow.items()
        if name in wide
    }
    if not gains:
        raise Untold(f"no layer was timed in both types; {QUIETER}")
    said = all_of(gain.above(HALF) for gain in gains.values())
    words = _words(wide, narrow, gains)
    bars = [Bar(name, gain, marked=True) for name, gain in gains.items()]
    guides = [Guide("FP32", 1.0), Guide("half of the bytes", 2.0)]
    chart = Bars(across="Speed-up of FP16 over FP32", unit="", bars=bars, guides=guides)
    return Finding(said, words, chart)


def _words(wide: dict[str, Layer], narrow: dict[str, Layer], gains: dict[str, Interval]) -> str:
    """What each layer gains, and why some gain little."""
    bytes_left = sum(narrow[name].bytes for name in gains) / sum(wide[name].bytes for name in gains)
    named = [f"{name} {short(gain.value)}" for name, gain in gains.items()]
    words = (
        f"With {whole_percent(bytes_left)} of the bytes, FP16 is so many times as fast as FP32: "
        f"{', '.join(named)}."
    )
    slow = [name for name, gain in gains.items() if gain.above(HALF) is not True]
    if not slow:
        return words
    rates = [
        f"{name} {si(_bytes_a_second(narrow[name]), 'B/s')} instead of "
        f"{si(_bytes_a_second(wide[name]), 'B/s')}"
        for name in slow
    ]
    return (
        f"{words} Those that gain little move fewer bytes a second in FP16 ({', '.join(rates)}): "
        "something else than memory bounds their kernels."
    )


def _bytes_a_second(layer: Layer) -> float:
    return layer.seconds.under(layer.bytes).value


def _by_series(ladder: list[Layer]) -> dict[str, Layer]:
    return {layer.row.facts.series: layer for layer in ladder}


LESSON = Lesson(
    name="half-bytes",
    title="FP16 doubles the speed of layers under memory",
    claim="A layer that is bound by memory runs twice as fast in FP16, since half the bytes move.",
    source="Micikevicius et al., Mixed Precision Training, arXiv 1710.03740, 2018.",
    rule=f"It holds if each of {len(SERIES)} kinds of layers gains more than {HALF:g} times.",
    needs=(WIDE, NARROW),
    judge=judge,
)
