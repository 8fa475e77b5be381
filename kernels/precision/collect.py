"""Activations of a network over real inputs, streamed into a histogram of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kernels.onnx.bind import bind
from kernels.onnx.file import OnnxError, without_weights
from kernels.onnx.graph import graph_of
from kernels.onnx.protos import free_inputs
from kernels.precision.calibrate import Histogram
from kernels.precision.workers import GONE, Workers
from kernels.runtime.answers import PLAIN, session_of

if TYPE_CHECKING:
    from onnx import ModelProto

MOST_BYTES = 256 << 20
"""Activations that are held at a time."""
ITEM_BYTES = 4
Feeds = Mapping[str, np.ndarray]
Histograms = dict[str, Histogram]
"""By the name of the activation."""


@dataclass(frozen=True)
class Collected:
    """Histograms of activations."""

    whole: Histograms
    """Of all inputs."""
    earlier: dict[int, Histograms] = field(default_factory=dict)
    """Of some activations, as they were after so many inputs."""


def collect(
    model: ModelProto,
    names: Sequence[str],
    inputs: Iterable[Feeds],
    most_bytes: int = MOST_BYTES,
    batch: int = 1,
    on_input: Callable[[int, int], None] = lambda done, total: None,
    earlier: Mapping[int, Sequence[str]] | None = None,
    workers: Workers | None = None,
) -> Collected:
    """The histogram of each of these activations over all inputs.

    inputs: a sequence of arrays by input name; it is gone through as often as activations do not
    fit in ``most_bytes`` together. batch: how many inputs' numbers a histogram is given at a time.
    on_input: told how many runs are done, of how many. earlier: after how many inputs the
    histograms of which activations are wanted as well. workers: they share the counting; where they
    are gone, this process begins anew and counts alone. The model runs without optimisations.
    """
    feeds = list(inputs) if not isinstance(inputs, Sequence) else inputs
    wanted = earlier or {}
    if not feeds or not names:
        empty = {name: Histogram() for name in names}
        return Collected(empty)
    groups = _groups(model, names, feeds[0], max(1, most_bytes // batch))

    def counted_by(counter: Counter) -> Collected:
        return _collected(model, groups, feeds, batch, on_input, wanted, counter)

    if workers:
        with suppress(*GONE):
            return counted_by(_Shared(workers, names))
    return counted_by(_Alone())


class Counter(Protocol):
    """What counts numbers into histograms."""

    def add(self, name: str, values: np.ndarray) -> None:
        """Count the numbers of an activation. They may still be counted when this returns."""

    def so_far(self, name: str) -> Histogram:
        """The histogram of an activation, of all numbers that were added; it stays as it is."""

    def settle(self) -> None:
        """Wait until all is counted. Raises what counting raised."""


def _collected(
    model: ModelProto,
    groups: Sequence[Sequence[str]],
    feeds: Sequence[Feeds],
    batch: int,
    on_input: Callable[[int, int], None],
    wanted: Mapping[int, Sequence[str]],
    counter: Counter,
) -> Collected:
    """The histograms of the activations, a group at a time. wanted: ``earlier`` of ``collect``."""
    collected = Collected({}, {inputs: {} for inputs in wanted})
    total = len(groups) * len(feeds)
    done = 0
    for group in groups:
        waiting: dict[str, list[np.ndarray]] = {name: [] for name in group}
        run = _runner(model, group)
        for inputs, arrays in enumerate(feeds, start=1):
            for name, values in zip(group, run(arrays), strict=True):
                waiting[name].append(np.asarray(values).ravel())
            if inputs % batch == 0 or inputs == len(feeds):
                # of the last batch nothing waits any more while this one is handed out
                counter.settle()
                for name, parts in waiting.items():
                    counter.add(name, np.concatenate(parts))
                    parts.clear()
                of_these = wanted.get(inputs, ())
                for name in group:
                    if name in of_these:
                        collected.earlier[inputs][name] = counter.so_far(name)
            done += 1
            on_input(done, total)
        del run  # its session holds the weights: two would hold them twice
        counter.settle()  # what could not be counted is told here: no histogram lacks it silently
        for name in group:
            collected.whole[name] = counter.so_far(name)
    return collected


class _Alone:
    """Counts in this process."""

    def __init__(self) -> None:
        self._histograms: Histograms = {}

    def add(self, name: str, values: np.ndarray) -> None:
        self._histograms.setdefault(name, Histogram()).add(values)

    def so_far(self, name: str) -> Histogram:
        return deepcopy(self._histograms[name])

    def settle(self) -> None:
        pass

    def forget(self) -> None:
        """Begin anew."""
        self._histograms.clear()


class _Shared:
    """Has workers count, each the activations that are its own. Its calls raise one of GONE."""

    def __init__(self, workers: Workers, names: Sequence[str]) -> None:
        self._workers = workers
        self._worker_of = {name: place for place, name in enumerate(names)}
        self._running: list[Future[None]] = []
        for worker in range(min(workers.count, len(names))):
            self._running.append(workers.submit(worker, _forget))

    def add(self, name: str, values: np.ndarray) -> None:
        worker = self._worker_of[name]
        self._running.append(self._workers.submit(worker, _add, name, values))

    def so_far(self, name: str) -> Histogram:
        return self._workers.submit(self._worker_of[name], _so_far, name).result()

    def settle(self) -> None:
        for future in self._running:
            future.result()
        self._running.clear()


_HERE = _Alone()
"""What a worker counts of its own activations."""


def _forget() -> None:
    _HERE.forget()


def _add(name: str, values: np.ndarray) -> None:
    _HERE.add(name, values)


def _so_far(name: str) -> Histogram:
    return _HERE.so_far(name)


def _groups(
    model: ModelProto, names: Sequence[str], first: Feeds, most_bytes: int
) -> list[list[str]]:
    """The activations in groups that fit in ``most_bytes``, by their sizes in a run of the first
    input.

    An activation that does not fit is a group of its own.
    """
    sizes = _sizes(model, first)
    unknown = [name for name in names if name not in sizes]
    if unknown:
        results = _runner(model, unknown)(first)
        sizes.update(
            {name: np.asarray(values).nbytes for name, values in zip(unknown, results, strict=True)}
        )
    groups: list[list[str]] = []
    room = 0
    for name in names:
        if not groups or sizes[name] > room:
            groups.append([])
            room = most_bytes
        groups[-1].append(name)
        room -= sizes[name]
    return groups


def _sizes(model: ModelProto, first: Feeds) -> dict[str, int]:
    """Bytes of the activations whose shapes follow from those of the first input, without a run."""
    small = without_weights(model)
    fed = {value.name for value in free_inputs(small)}
    try:
        bind(small, {name: array.shape for name, array in first.items() if name in fed})
        graph = graph_of(small)
    except OnnxError:  # a run knows better
        return {}
    sizes = {}
    for node in graph.nodes:
        for tensor in (*node.inputs, *node.outputs):
            if tensor is not None and tensor.size is not None:
                sizes[tensor.name] = tensor.size * ITEM_BYTES
    return sizes


def _runner(model: ModelProto, names: Sequence[str]) -> Callable[[Feeds], list[Any]]:
    """Runs the model, without optimisations, for these activations alone."""
    import onnx

    wanted = onnx.ModelProto()
    wanted.CopyFrom(model)
    wanted.graph.ClearField("output")
    computed = {result for node in model.graph.node for result in node.output}
    computed_names = [name for name in names if name in computed]
    for name in computed_names:
        wanted.graph.output.append(onnx.ValueInfoProto(name=name))
    if not computed_names:  # all of them are inputs
        return partial(_fed, names=names)
    session = session_of(wanted, PLAIN)

    def run(feeds: Feeds) -> list[Any]:
        values = dict(feeds)
        values.update(zip(computed_names, session.run(computed_names, dict(feeds)), strict=True))
        return [values[name] for name in names]

    return run


def _fed(feeds: Feeds, names: Sequence[str]) -> list[Any]:
    """What is fed under these names."""
    return [feeds[name] for name in names]
