"""Ranges of activations, against the library and against the same written plainly."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import pytest

from kernels.precision.calibrate import (
    BINS,
    ENTROPY,
    METHODS,
    MINMAX,
    MOST_BINS,
    MSE,
    PERCENTILES,
    Histogram,
    all_thresholds,
    clipped,
    coarse,
    entropy,
    thresholds,
)
from kernels.precision.workers import Workers

pytest.importorskip("onnxruntime")

SIZE = 4000


def distributions() -> Iterator[tuple[str, list[np.ndarray]]]:
    """50 activations, each as three batches: shapes that networks show, and odd ones."""
    dice = np.random.default_rng(3)
    makers = {
        "normal": lambda: dice.normal(0, 1, SIZE),
        "relu": lambda: np.maximum(dice.normal(0, 1, SIZE), 0),
        "laplace": lambda: dice.laplace(0, 0.3, SIZE),
        "uniform": lambda: dice.uniform(-3, 5, SIZE),
        "long tail": lambda: dice.standard_t(3, SIZE),
        "sigmoid": lambda: 1 / (1 + np.exp(-dice.normal(0, 2, SIZE))),
        "two humps": lambda: np.concatenate([dice.normal(-4, 1, SIZE), dice.normal(4, 0.5, SIZE)]),
        "negative": lambda: -np.abs(dice.normal(1, 2, SIZE)),
        "shifted": lambda: dice.normal(6, 1, SIZE),
        "sparse": lambda: np.where(dice.random(SIZE) < 0.95, 0, dice.normal(0, 1, SIZE)),
    }
    for number in range(5):
        scale = 10.0 ** (number - 2)
        for name, make in makers.items():
            batches = [(scale * make()).astype(np.float32) for _ in range(3)]
            yield f"{name} {number}", batches


ACTIVATIONS = dict(distributions())


def histogram_of(batches: list[np.ndarray]) -> Histogram:
    histogram = Histogram()
    for values in batches:
        histogram.add(values)
    return histogram


def of_library(batches: list[np.ndarray], method: str, symmetric: bool, percentile: float) -> Any:
    """What the library's own collector says after the same batches."""
    from onnxruntime.quantization.calibrate import HistogramCollector

    collector = HistogramCollector(method, symmetric, BINS, 128, percentile, "same")
    with contextlib.redirect_stdout(io.StringIO()):
        for values in batches:
            collector.collect({"t": values})
        low, high = collector.compute_collection_result()["t"][:2]
    return float(low), float(high)


def plain_divergence(counts: np.ndarray, start: int, end: int) -> float:
    """Kullback-Leibler divergence of the bins from ``start`` to ``end`` from 128 levels of them.

    As TensorRT's talk of 2017 describes it: outliers go into the last bins, levels are spread over
    the bins that hold something, zeros are smoothed by 0.0001.
    """
    inside = counts[start:end]
    reference = inside.copy()
    reference[0] += counts[:start].sum()
    reference[-1] += counts[end:].sum()
    width = len(inside) // 128
    levels = inside[: 128 * width].reshape(128, width).sum(axis=1)
    levels[-1] += inside[128 * width :].sum()
    used = (reference[: 128 * width] != 0).reshape(128, width).sum(axis=1)
    spread = np.zeros(len(inside), np.int64)
    spread[: 128 * width] = np.repeat(np.where(used, levels // np.maximum(used, 1), 0), width)
    parts = []
    for distribution in (reference, spread):
        is_zero = distribution == 0
        zeros, others = is_zero.sum(), (~is_zero).sum()
        if not others:
            return np.inf
        eps = 0.0001
        taken = eps * zeros / others
        if taken >= 1:
            return np.inf
        smooth = distribution.astype(np.float32) + eps * is_zero - taken * ~is_zero
        if (smooth <= 0).any():
            return np.inf
        parts.append(smooth / smooth.sum())
    return float((parts[0] * np.log(parts[0] / parts[1])).sum())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_minmax_is_what_was_seen(name: str) -> None:
    batches = ACTIVATIONS[name]
    values = np.concatenate(batches)
    low, high = thresholds(histogram_of(batches), MINMAX, symmetric=False)
    assert (low, high) == (min(values.min(), 0), max(values.max(), 0))


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("method", PERCENTILES)
def test_percentiles_are_those_of_the_library(name: str, symmetric: bool, method: str) -> None:
    batches = ACTIVATIONS[name]
    histogram = histogram_of(batches)
    low, high = thresholds(histogram, method, symmetric)
    theirs = of_library(batches, "percentile", symmetric, PERCENTILES[method])
    bins = histogram.absolute if symmetric else histogram.signed
    if symmetric:  # the library cuts an end at what was seen, after which it is no longer symmetric
        theirs = (-max(map(abs, theirs)), max(map(abs, theirs)))
    assert low == pytest.approx(min(theirs[0], 0), abs=1.01 * bins.width)
    assert high == pytest.approx(max(theirs[1], 0), abs=1.01 * bins.width)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("method", PERCENTILES)
def test_percentiles_are_those_of_the_numbers(name: str, method: str) -> None:
    values = np.sort(np.abs(np.concatenate(ACTIVATIONS[name])))
    histogram = histogram_of(ACTIVATIONS[name])
    _, high = thresholds(histogram, method, symmetric=True)
    largest = values[min(len(values) - 1, int(len(values) * PERCENTILES[method] / 100))]
    rank = np.searchsorted(
        values, [high - 2 * histogram.absolute.width, high + 2 * histogram.absolute.width]
    )
    assert values[max(rank[0] - 1, 0)] <= largest <= values[min(rank[1], len(values) - 1)] * 1.001


ENTROPY_CASES = [name for name in ACTIVATIONS if name.endswith(" 2")]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_histograms_are_those_of_the_library(name: str) -> None:
    from onnxruntime.quantization.calibrate import HistogramCollector

    collector = HistogramCollector("entropy", False, BINS, 128, 100.0, "same")
    for values in ACTIVATIONS[name]:
        collector.collect_value({"t": values})
    ours = histogram_of(ACTIVATIONS[name]).entry()
    for part, theirs in zip(ours, collector.histogram_dict["t"], strict=True):
        assert np.array_equal(part, theirs)


@pytest.mark.parametrize("name", ["relu 0", "long tail 2", "shifted 4"])
def test_entropy_is_that_of_the_library(name: str) -> None:
    batches = ACTIVATIONS[name]
    histogram = histogram_of(batches)
    theirs = of_library(batches, "entropy", False, 100.0)
    expected = (min(theirs[0], 0), max(theirs[1], 0))
    assert thresholds(histogram, ENTROPY, symmetric=False) == expected


@pytest.mark.parametrize("name", ENTROPY_CASES)
def test_entropy_is_that_of_a_plain_search(name: str) -> None:
    batches = ACTIVATIONS[name]
    histogram = histogram_of(batches)
    low, high = entropy(histogram.entry())
    counts = histogram.signed.counts
    middle = len(counts) // 2
    divergences = {}
    for half in range(64, middle + 1):
        start, end = middle - half, min(middle + half + 1, len(counts))
        divergences[half] = plain_divergence(counts, start, end)
    best = min(divergences, key=lambda half: divergences[half])
    edges = histogram.signed.edges
    ends = edges[middle - best], edges[min(middle + best + 1, len(counts))]
    assert low == pytest.approx(max(ends[0], histogram.least), abs=1.01 * histogram.signed.width)
    assert high == pytest.approx(min(ends[1], histogram.most), abs=1.01 * histogram.signed.width)


def test_the_library_with_its_default_bins_has_one_candidate() -> None:
    from onnxruntime.quantization.calibrate import HistogramCollector

    values = ACTIVATIONS["long tail 2"][0]
    collector = HistogramCollector("entropy", False, 128, 128, 100.0, "same")
    with contextlib.redirect_stdout(io.StringIO()):
        collector.collect({"t": values})
        low, high = collector.compute_entropy()["t"][:2]
    assert (float(low), float(high)) == pytest.approx((values.min(), values.max()), rel=0.02)
    ours = thresholds(histogram_of([values]), ENTROPY, symmetric=False)
    assert ours[1] < 0.7 * values.max()


@pytest.mark.parametrize("name", ENTROPY_CASES)
@pytest.mark.parametrize("symmetric", [False, True])
def test_mse_is_the_least_error_of_numbers_that_are_really_quantized(
    name: str, symmetric: bool
) -> None:
    batches = ACTIVATIONS[name]
    values = np.concatenate(batches).astype(np.float64)
    histogram = histogram_of(batches)

    def error(low: float, high: float) -> float:
        step = (high - low) / (254 if symmetric else 255)
        codes = np.clip(np.rint(values / step), np.rint(low / step), np.rint(high / step))
        return float(((values - codes * step) ** 2).mean())

    ours = thresholds(histogram, MSE, symmetric)
    widest = thresholds(histogram, MINMAX, symmetric)
    shares = np.arange(1, 201) / 200
    least = min(error(widest[0] * share, widest[1] * share) for share in shares)
    assert error(*ours) <= 1.05 * least


def test_a_planted_outlier_is_clipped_by_entropy_and_percentiles() -> None:
    values = np.random.default_rng(1).normal(0, 1, 200_000).astype(np.float32)
    values[17] = 900
    histogram = histogram_of([values])
    assert thresholds(histogram, MINMAX, symmetric=False)[1] == 900
    # squares of one number this large outweigh the rounding of all others: MSE may keep it
    for method in (ENTROPY, *PERCENTILES):
        _, high = thresholds(histogram, method, symmetric=False)
        assert high < 450, method
    low, high = thresholds(histogram, "percentile-99.9", symmetric=False)
    assert 0 < clipped(histogram, low, high) < 0.01


def test_a_first_input_of_almost_zero_does_not_give_millions_of_bins() -> None:
    histogram = histogram_of([np.full(100, 1e-6, np.float32), np.linspace(-5, 5, 1000)])
    assert len(histogram.signed.counts) <= MOST_BINS
    assert len(histogram.absolute.counts) <= MOST_BINS
    assert histogram.signed.counts.sum() == 1100
    assert thresholds(histogram, "percentile-99.999", symmetric=True)[1] == pytest.approx(
        5, rel=0.01
    )


def test_a_first_input_of_one_small_number_sets_bins_of_its_size() -> None:
    histogram = histogram_of([np.full(100, 1e-5), np.linspace(-1e-5, 1e-5, 1000)])
    assert histogram.absolute.width < 1e-8
    assert histogram.absolute.counts.sum() == histogram.signed.counts.sum() == 1100


@pytest.mark.parametrize("method", PERCENTILES)
@pytest.mark.parametrize("symmetric", [False, True])
def test_a_first_input_of_nothing_but_zeros_sets_no_bins(method: str, symmetric: bool) -> None:
    small = (1e-5 * ACTIVATIONS["normal 2"][0]).astype(np.float32)
    histogram = histogram_of([np.zeros(SIZE), small])
    assert histogram.signed.counts.sum() == histogram.absolute.counts.sum() == 2 * SIZE
    zero_bin = int(np.searchsorted(histogram.signed.edges, 0, side="right")) - 1
    assert histogram.signed.counts[zero_bin] >= SIZE
    assert histogram.absolute.counts[0] >= SIZE
    expected = thresholds(histogram_of([small, np.zeros(SIZE)]), method, symmetric)
    assert thresholds(histogram, method, symmetric) == pytest.approx(expected, rel=1e-3)


def test_magnitudes_below_those_of_the_first_input_are_not_lost() -> None:
    """The library's bins of magnitudes begin at the smallest of the first input."""
    numbers = np.random.default_rng(5).uniform(0, 6, 10_000)
    histogram = histogram_of([np.linspace(5, 6, 100), numbers])
    assert histogram.absolute.counts.sum() == 10_100
    assert len(histogram.absolute.counts) <= MOST_BINS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [3.4e38, 1e-44])
def test_numbers_at_the_ends_of_fp32_have_a_range(method: str, size: float) -> None:
    histogram = histogram_of([np.array([-size, 0, size]), np.array([size / 2])])
    low, high = thresholds(histogram, method, symmetric=False)
    assert -size <= low <= 0 <= high <= size
    assert sum(coarse(histogram)) == 4


@pytest.mark.parametrize("method", METHODS)
def test_odd_activations_have_a_range(method: str) -> None:
    zeros = histogram_of([np.zeros(10), np.zeros(10)])
    nothing = histogram_of([])
    empty = histogram_of([np.zeros((0, 3))])
    for histogram in (zeros, nothing, empty):
        assert thresholds(histogram, method, symmetric=True) == (0, 0)
    constant = thresholds(histogram_of([np.full(9, 3.0)]), method, symmetric=False)
    assert constant[0] == 0
    assert constant[1] == pytest.approx(3.0, rel=0.02)
    spoilt = histogram_of([np.array([1, np.inf, -2, np.nan])])
    assert spoilt.not_finite == 2
    assert np.isfinite(thresholds(spoilt, method, symmetric=False)).all()


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="none of minmax"):
        thresholds(Histogram(), "kl", symmetric=True)


def test_a_coarse_histogram_holds_every_number() -> None:
    values = np.random.default_rng(2).normal(3, 1, 5000)
    counts = coarse(histogram_of([values]), bins=50)
    assert len(counts) == 50
    assert sum(counts) == 5000
    assert coarse(histogram_of([np.full(4, 2.0)])) == [4.0]


def test_all_thresholds_are_the_same_here_and_by_workers() -> None:
    names = ["normal 2", "relu 2"]
    histograms = {name: histogram_of(ACTIVATIONS[name]) for name in names}
    steps: list[tuple[int, int]] = []
    here = all_thresholds(
        histograms, symmetric=True, on_tensor=lambda done, total: steps.append((done, total))
    )
    assert steps[-1] == (2, 2)
    with Workers(2) as workers:
        assert here == all_thresholds(histograms, symmetric=True, workers=workers)
    assert here["relu 2"][ENTROPY] == thresholds(histograms["relu 2"], ENTROPY, symmetric=True)


class GoneLater(Workers):
    """The first call has an answer; then the processes are killed."""

    def map(self, *_: Any) -> Iterator[Any]:
        yield -1.0, 1.0
        raise BrokenProcessPool


def test_killed_processes_leave_their_work_to_this_one() -> None:
    names = ["normal 2", "relu 2"]
    histograms = {name: histogram_of(ACTIVATIONS[name]) for name in names}
    ranges = all_thresholds(histograms, [ENTROPY], workers=GoneLater(2))
    assert ranges["normal 2"][ENTROPY] == (-1, 1)
    assert ranges["relu 2"][ENTROPY] == thresholds(histograms["relu 2"], ENTROPY, symmetric=False)
