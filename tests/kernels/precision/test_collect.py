"""Activations streamed into histograms: in groups, in batches, here and by workers."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import pytest

import kernels.precision.collect as collecting
from kernels.onnx.net import Net
from kernels.precision.calibrate import BINS, Histogram
from kernels.precision.collect import collect
from kernels.precision.workers import Workers

pytest.importorskip("onnxruntime")


def network() -> Any:
    net = Net()
    x = net.input(1, 4, 8, 8)
    hidden = net.add("Relu", net.conv(x, 4, 6, 3))
    return net.model(net.conv(hidden, 6, 2, 3))


def test_activations_are_collected_in_groups_that_fit() -> None:
    model = network()
    dice = np.random.default_rng(4)
    inputs = [{"x": dice.normal(0, 1, (1, 4, 8, 8)).astype(np.float32)} for _ in range(5)]
    hidden = [node.output[0] for node in model.graph.node]
    names = ["x", *hidden]
    runs: list[tuple[int, int]] = []
    at_once = collect(model, names, inputs).whole
    in_groups = collect(
        model, names, inputs, most_bytes=1, on_input=lambda done, total: runs.append((done, total))
    ).whole
    assert runs[-1] == (len(names) * 5, len(names) * 5)
    for name in names:
        assert at_once[name].count == in_groups[name].count > 0
        assert np.array_equal(at_once[name].signed.counts, in_groups[name].signed.counts)
    fed = np.concatenate([arrays["x"] for arrays in inputs])
    assert (at_once["x"].least, at_once["x"].most) == (fed.min(), fed.max())


def test_a_batch_sets_the_bins_by_all_its_inputs() -> None:
    model = network()
    inputs = [{"x": np.full((1, 4, 8, 8), scale, np.float32)} for scale in (1, 1.5)]
    one_by_one = collect(model, ["x"], inputs, batch=1).whole["x"]
    together = collect(model, ["x"], inputs, batch=2).whole["x"]
    assert one_by_one.count == together.count
    assert len(together.signed.counts) == BINS < len(one_by_one.signed.counts)


def test_only_the_activations_of_some_inputs_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    add = Histogram.add

    def counted(histogram: Histogram, values: np.ndarray) -> None:
        given.append(values.size)
        add(histogram, values)

    monkeypatch.setattr(Histogram, "add", counted)
    inputs = [{"x": np.ones((1, 4, 8, 8), np.float32)} for _ in range(7)]
    collect(network(), ["x"], inputs, batch=2)
    assert given == [512, 512, 512, 256]


def test_an_open_batch_is_that_of_the_first_input(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "N"
    names = [node.output[0] for node in model.graph.node]
    runners: list[list[str]] = []
    make = collecting._runner

    def counted(model: Any, names: Any) -> Any:
        runners.append(list(names))
        return make(model, names)

    monkeypatch.setattr(collecting, "_runner", counted)
    inputs = [{"x": np.ones((3, 4, 8, 8), np.float32)}]
    largest = 3 * 6 * 8 * 8
    histograms = collect(model, names, inputs, most_bytes=4 * largest).whole
    assert histograms[names[0]].count == largest
    assert runners == [[name] for name in names]  # two do not fit, and the sizes took no run


def test_an_interrupt_passes() -> None:
    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    inputs = [{"x": np.ones((1, 4, 8, 8), np.float32)}]
    with pytest.raises(KeyboardInterrupt):
        collect(network(), ["x"], inputs, on_input=interrupted)


def some_inputs(count: int) -> list[dict[str, np.ndarray]]:
    dice = np.random.default_rng(5)
    return [{"x": dice.normal(0, 1 + k, (1, 4, 8, 8)).astype(np.float32)} for k in range(count)]


def assert_equal(some: dict[str, Histogram], others: dict[str, Histogram]) -> None:
    assert list(some) == list(others)
    for name, histogram in some.items():
        other = others[name]
        assert (histogram.count, histogram.least) == (other.count, other.least)
        assert np.array_equal(histogram.signed.counts, other.signed.counts)
        assert np.array_equal(histogram.absolute.edges, other.absolute.edges)


def test_earlier_histograms_are_those_of_fewer_inputs() -> None:
    model = network()
    names = ["x", *(node.output[0] for node in model.graph.node)]
    inputs = some_inputs(5)
    collected = collect(model, names, inputs, earlier={1: names[:1], 4: names[:2]})
    assert_equal(collected.earlier[1], collect(model, names[:1], inputs[:1]).whole)
    of_four = {name: collected.earlier[4][name] for name in names[:2]}
    assert_equal(of_four, collect(model, names[:2], inputs[:4]).whole)


def test_workers_count_what_this_process_counts() -> None:
    model = network()
    names = ["x", *(node.output[0] for node in model.graph.node)]
    inputs = some_inputs(5)
    here = collect(model, names, inputs, earlier={2: names})
    with Workers(2) as workers:
        shared = collect(model, names, inputs, earlier={2: names}, workers=workers)
        again = collect(model, names[1:], inputs, batch=5, workers=workers)
    assert_equal(here.whole, shared.whole)
    assert_equal(here.earlier[2], {name: shared.earlier[2][name] for name in names})
    assert_equal(collect(model, names[1:], inputs, batch=5).whole, again.whole)


@pytest.mark.parametrize("error", [PermissionError, BrokenProcessPool])
def test_this_process_counts_alone_where_workers_are_gone(error: type[Exception]) -> None:
    class Gone(Workers):
        calls = 0

        def submit(self, worker: int, call: Any, *arguments: Any) -> Any:
            self.calls += 1
            if self.calls > 4:
                raise error
            return super().submit(worker, call, *arguments)

    model = network()
    inputs = some_inputs(3)
    names = ["x", model.graph.node[0].output[0]]
    workers = Gone(2)
    with workers:
        collected = collect(model, names, inputs, workers=workers)
    assert workers.calls == 5
    assert_equal(collect(model, names, inputs).whole, collected.whole)


def test_what_a_worker_cannot_count_is_told() -> None:
    class Failing(Workers):
        def submit(self, worker: int, call: Any, *arguments: Any) -> Any:
            if len(arguments) == 2:  # the numbers of an activation
                arguments = (arguments[0], "no numbers")
            return super().submit(worker, call, *arguments)

    model = network()
    with Failing(1) as workers, pytest.raises(ValueError, match="could not convert"):
        collect(model, ["x"], some_inputs(1), workers=workers)
