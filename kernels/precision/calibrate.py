"""Histograms of activations, and the range that each calibration method reads of one.

Histograms, entropy and percentiles are those of onnxruntime.quantization; entropy with 2048 bins
against 128, since with that library's default of 128 against 128 it has one candidate and is
MinMax. The mean squared error is ours.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.precision.scales import S8, U8
from kernels.precision.workers import GONE, Workers
from kernels.runtime.door import quantization

MINMAX, ENTROPY, MSE = "minmax", "entropy", "mse"
PERCENTILES = {
    "percentile-99.9": 99.9,
    "percentile-99.99": 99.99,
    "percentile-99.999": 99.999,
}
"""Share of the numbers that stays within the range, in percent, by method."""
METHODS = (MINMAX, ENTROPY, *PERCENTILES, MSE)
"""Every calibration method."""
BINS = 2048
"""Of a histogram, to begin with."""
QUANTIZED_BINS = 128
"""Levels that entropy holds a histogram against."""
MOST_BINS = 4096
"""A histogram that would grow beyond is made anew with wider bins: entropy takes as long as the
square of the bins."""
MOST_LOST = 1e-3
"""Share of an input's numbers that the library may drop from a histogram of magnitudes."""
CANDIDATES = 512
"""Thresholds that the mean squared error is found for."""
LEVELS = {U8: 255, S8: 254}
"""Steps of the integers of each form over its whole range."""
LARGEST = float(np.finfo(np.float32).max) / 8
"""Larger magnitudes count as this one in a histogram: the range of FP32 must hold its bins and some
more."""
SMALLEST = BINS * float(np.finfo(np.float32).tiny)
"""The first bins are made of numbers this large at least: bins of narrower ones have no width."""
NAME = "x"
"""Under which the library's collectors keep the only tensor that each is given."""
Threshold = tuple[float, float]
"""Ends of a range."""


@dataclass(frozen=True)
class Bins:
    """A histogram of equal bins, as the library's collectors keep it."""

    counts: np.ndarray
    edges: np.ndarray

    @property
    def width(self) -> float:
        """Of a bin."""
        return float(self.edges[1] - self.edges[0])

    @property
    def centres(self) -> np.ndarray:
        """The middle of each bin, FP64."""
        edges = self.edges.astype(np.float64)
        return (edges[:-1] + edges[1:]) / 2


class Histogram:
    """The numbers of one activation, streamed. Numbers that are not finite are counted, and left
    out."""

    def __init__(self) -> None:
        self.least = math.inf
        """Smallest number seen."""
        self.most = -math.inf
        """Largest number seen."""
        self.count = 0
        """Numbers seen."""
        self.not_finite = 0
        """Further numbers, which are infinite or NaN."""
        self._zeros = 0  # seen before there were bins
        # the library imports slowly, and only where something is collected
        collector = _collector_type()
        self._signed = collector("entropy", False, BINS, QUANTIZED_BINS, 100.0, "same")
        self._absolute = collector("percentile", True, BINS, QUANTIZED_BINS, 100.0, "same")

    def add(self, values: np.ndarray) -> None:
        """Add numbers of any shape."""
        numbers = np.asarray(values, np.float32).ravel()
        is_finite = np.isfinite(numbers)
        if not is_finite.all():
            self.not_finite += int(numbers.size - is_finite.sum())
            numbers = numbers[is_finite]
        if not numbers.size:
            return
        self.count += int(numbers.size)
        self.least = min(self.least, float(numbers.min()))
        self.most = max(self.most, float(numbers.max()))
        numbers = np.clip(numbers, -LARGEST, LARGEST)
        largest = float(np.abs(numbers).max())
        if not self.is_flat:
            _make_room(self._signed, largest)
            _make_room(self._absolute, largest)
            _make_room_below(self._absolute, np.abs(numbers))
            self._collect(numbers, numbers)
        elif largest < SMALLEST:
            self._zeros += int(numbers.size)
        else:
            self._begin(numbers)

    def _begin(self, numbers: np.ndarray) -> None:
        """Make the bins, with the zeros that were seen before."""
        magnitudes = np.abs(numbers)
        is_constant = magnitudes.min() == magnitudes.max()
        # of a constant, bins would end half a unit from it, whatever its size
        if not (self._zeros or is_constant):
            self._collect(numbers, numbers)
            return
        # one zero sets the bins as all of them would
        with_a_zero = np.append(numbers, np.float32(0))
        self._collect(with_a_zero, with_a_zero)
        signed_counts = self._signed.histogram_dict[NAME][0]
        signed_counts[len(signed_counts) // 2] += self._zeros - 1
        absolute_counts = self._absolute.histogram_dict[NAME][0]
        absolute_counts[0] += self._zeros - 1

    def _collect(self, signed: np.ndarray, absolute: np.ndarray) -> None:
        """Have the library add numbers to each of its histograms."""
        self._signed.collect({NAME: signed})
        self._absolute.collect({NAME: absolute})

    @property
    def signed(self) -> Bins:
        """Of the numbers, from -t to t."""
        counts, edges = self._signed.histogram_dict[NAME][:2]
        return Bins(counts, edges)

    @property
    def absolute(self) -> Bins:
        """Of their magnitudes."""
        counts, edges = self._absolute.histogram_dict[NAME][:2]
        return Bins(counts, edges)

    @property
    def is_flat(self) -> bool:
        """True if nothing but zeros was seen: every method then has the range of nothing."""
        return NAME not in self._signed.histogram_dict

    def entry(self) -> tuple[Any, ...]:
        """The library's record, from which entropy finds its threshold elsewhere."""
        return tuple(self._signed.histogram_dict[NAME])


def _collector_type() -> Any:
    """The library's collector, which prints nothing of what it does.

    Its prints are taken from its module: to redirect the program's output would, with several
    threads, lose what others print.
    """
    library = quantization().calibrate
    library.print = _print_nothing
    return library.HistogramCollector


def _print_nothing(*_: Any, **__: Any) -> None:
    """Stand in for print."""


def _make_room(collector: Any, largest: float) -> None:
    """Give a histogram wider bins, in place, if a number this large would give it too many.

    The library adds bins of the same width until the largest number has one: a first input that is
    nearly zero would give the second millions of them.
    """
    counts, edges, *_ = collector.histogram_dict[NAME]
    first, last = float(edges[0]), float(edges[-1])
    width = (last - first) / len(counts)
    # those of magnitudes grow at their end, the others at both
    needed = 2 * largest / width if first < 0 else (largest - first) / width
    if largest > last and needed > MOST_BINS:
        _rebin(collector, largest)


def _make_room_below(collector: Any, magnitudes: np.ndarray) -> None:
    """Have the bins of magnitudes begin at zero, in place, if the library would lose many of these.

    Its bins begin at the smallest magnitude of the first input, and it drops what is smaller.
    """
    edges = collector.histogram_dict[NAME][1]
    if (magnitudes < edges[0]).mean() > MOST_LOST:
        _rebin(collector, float(edges[-1]))


def _rebin(collector: Any, largest: float) -> None:
    """Spread a histogram, in place, over the first number of bins, which end at ``largest``."""
    counts, edges, *rest = collector.histogram_dict[NAME]
    is_signed = float(edges[0]) < 0
    low = -largest if is_signed else 0.0
    # numbers of a bin move together, to where its middle is
    wider, wider_edges = np.histogram(
        Bins(counts, edges).centres, BINS, range=(low, largest), weights=counts.astype(np.float64)
    )
    threshold = [np.array(largest, np.float32)] if is_signed else []
    collector.histogram_dict[NAME] = (
        np.rint(wider).astype(np.int64),
        wider_edges.astype(np.float32),
        *rest[:2],
        *threshold,
    )


def thresholds(histogram: Histogram, method: str, symmetric: bool) -> Threshold:
    """The ends of the range of an activation by one of METHODS; zero lies within.

    symmetric: the integers lie around zero, so that both ends are as far from it. Raises ValueError
    for another method.
    """
    if method not in METHODS:
        raise ValueError(f"{method!r} is none of {', '.join(METHODS)}")
    if histogram.is_flat:
        return 0.0, 0.0
    if method == MINMAX:
        low, high = histogram.least, histogram.most
    elif method == ENTROPY:
        low, high = entropy(histogram.entry())
    elif method == MSE:
        low, high = _least_error(histogram, symmetric)
    else:
        low, high = _percentile(histogram, PERCENTILES[method], symmetric)
    return with_zero(low, high, symmetric)


def with_zero(low: float, high: float, symmetric: bool) -> Threshold:
    """The range widened to hold zero, and to lie around it if ``symmetric``."""
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    if symmetric:
        largest = max(-low, high)
        return -largest, largest
    return low, high


def entropy(entry: tuple[Any, ...]) -> Threshold:
    """The range whose quantized histogram diverges least from the histogram (Kullback-Leibler).

    entry: what ``Histogram.entry`` says.
    """
    collector = _collector_type()("entropy", False, BINS, QUANTIZED_BINS, 100.0, "same")
    counts, *rest = entry
    low, high = collector.get_entropy_threshold((_of_ints(counts), *rest), QUANTIZED_BINS)
    return float(low), float(high)


def _of_ints(counts: np.ndarray) -> np.ndarray:
    """The same counts, of which a loop sees numbers of Python.

    The library adds bins up with ``sum``, for which numbers of NumPy take several times as long.
    """

    class OfInts(np.ndarray):
        def __iter__(self) -> Iterator[Any]:
            return iter(self.tolist())

    return counts.view(OfInts)


def _percentile(histogram: Histogram, percentile: float, symmetric: bool) -> Threshold:
    source = histogram._absolute if symmetric else histogram._signed
    collector = _collector_type()("percentile", symmetric, BINS, QUANTIZED_BINS, percentile, "same")
    collector.histogram_dict = {NAME: source.histogram_dict[NAME][:4]}
    low, high = collector.compute_percentile()[NAME][:2]
    return float(low), float(high)


def _least_error(histogram: Histogram, symmetric: bool) -> Threshold:
    """The range with the least mean squared error of rounding and clipping.

    Both ends of the range that was seen shrink together. Each bin counts as its middle.
    """
    bins = histogram.signed
    centres = bins.centres
    counts = bins.counts.astype(np.float64)
    is_used = counts > 0
    centres, counts = centres[is_used], counts[is_used]
    low, high = with_zero(histogram.least, histogram.most, symmetric)
    levels = LEVELS[S8 if symmetric else U8]
    best, best_error = (low, high), math.inf
    for share in np.arange(CANDIDATES, 0, -1) / CANDIDATES:
        ends = (low * share, high * share)
        error = squared_error(centres, counts, ends, levels)
        if error < best_error:
            best, best_error = ends, error
    return best


def squared_error(centres: np.ndarray, counts: np.ndarray, ends: Threshold, levels: int) -> float:
    """Sum of the squared errors of numbers that are rounded to ``levels`` steps between ends."""
    low, high = ends
    step = (high - low) / levels
    if step <= 0:
        return float((counts * centres**2).sum())
    clipped = np.clip(centres, low, high)
    # zero is one of the steps exactly
    rounded = np.rint(clipped / step) * step
    return float((counts * (centres - rounded) ** 2).sum())


def clipped(histogram: Histogram, low: float, high: float) -> float:
    """Share of the numbers outside of a range; a bin that is cut counts in part."""
    if histogram.is_flat:
        return 0.0
    bins = histogram.signed
    edges = bins.edges.astype(np.float64)
    width = edges[1:] - edges[:-1]
    below = np.clip(low - edges[:-1], 0, width)
    above = np.clip(edges[1:] - high, 0, width)
    # an end at what was seen last cuts no number, wherever in its bin that lies
    below = below if low > histogram.least else np.zeros_like(width)
    above = above if high < histogram.most else np.zeros_like(width)
    outside = np.where(width > 0, np.minimum(below + above, width) / np.where(width, width, 1), 0)
    return float((bins.counts * outside).sum() / bins.counts.sum())


def coarse(histogram: Histogram, bins: int = 128) -> list[float]:
    """Counts in so many equal bins from the least to the largest number, for a picture."""
    if not histogram.count:
        return []
    if histogram.is_flat or histogram.least == histogram.most:
        return [float(histogram.count)]
    fine = histogram.signed
    ends = (histogram.least, histogram.most)
    centres = np.clip(fine.centres, *ends)
    counts, _ = np.histogram(centres, bins, range=ends, weights=fine.counts.astype(np.float64))
    return [float(count) for count in counts]


def all_thresholds(
    histograms: Mapping[str, Histogram],
    methods: Sequence[str] = METHODS,
    symmetric: bool = False,
    workers: Workers | None = None,
    on_tensor: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, dict[str, Threshold]]:
    """The range of each activation by each method, by its name.

    workers: share entropy, which takes about a second an activation; without, this process finds
    it. on_tensor: told how many activations are done, of how many.
    """
    by_tensor: dict[str, dict[str, Threshold]] = {}
    entropies: dict[str, Threshold] = {}
    if ENTROPY in methods:
        slow = [name for name, histogram in histograms.items() if not histogram.is_flat]
        entries = [histograms[name].entry() for name in slow]
        for name, ends in zip(slow, _entropies(entries, workers), strict=True):
            entropies[name] = ends
            on_tensor(len(entropies), len(histograms))
    for name, histogram in histograms.items():
        of_method = {}
        for method in methods:
            if method == ENTROPY and name in entropies:
                of_method[method] = with_zero(*entropies[name], symmetric)
            else:
                of_method[method] = thresholds(histogram, method, symmetric)
        by_tensor[name] = of_method
    on_tensor(len(histograms), len(histograms))
    return by_tensor


def _entropies(entries: Sequence[tuple[Any, ...]], workers: Workers | None) -> Iterator[Threshold]:
    """What ``entropy`` says of each. Where the workers are gone, this process does the rest."""
    done = 0
    if workers:
        with contextlib.suppress(*GONE):
            for ends in workers.map(entropy, entries):
                done += 1
                yield ends
    yield from map(entropy, entries[done:])
