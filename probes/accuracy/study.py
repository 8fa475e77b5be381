"""What lower precision does to the answers of a network: ranges, methods, stages, recipes."""

from __future__ import annotations

import ctypes
import gc
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from kernels.base import Unavailable, one_line
from kernels.onnx.protos import copy_of
from kernels.precision.apply import applied, ready
from kernels.precision.calibrate import (
    ENTROPY,
    METHODS,
    Histogram,
    all_thresholds,
    clipped,
    coarse,
)
from kernels.precision.collect import collect
from kernels.precision.workers import Workers
from kernels.processors import processors
from probes.accuracy.ahead import made_ahead
from probes.accuracy.exact import Arrays, Exact, add_outputs, lanes
from probes.accuracy.inputs import Inputs
from probes.accuracy.metrics import (
    Comparison,
    Votes,
    axis_of,
    class_axis,
    classes,
    scores_of,
)
from probes.accuracy.pieces import Pieces
from probes.accuracy.split import Split
from probes.records.measurement import FAILED, SKIPPED, RidgelineError
from probes.records.precision import (
    CHANNEL,
    INT8,
    PLAN_SCHEMA,
    RANKING,
    TENSOR,
    ErrorRow,
    RangeRow,
    StageRow,
    least_noisy,
)

if TYPE_CHECKING:
    from onnx import ModelProto

    from kernels.precision.stages import Stage

KEPT_BYTES = 128 << 20
"""Most memory for inputs that are kept, and as much for answers in FP32."""
UNSIGNED = "u8s8"
"""The form whose activations have a zero point: see kernels.precision.quantize.FORMS."""
INTEGER_PRECISIONS = frozenset(("int8", "fp8"))
"""They need ranges."""
TENSORS_OF_FEWER = 12
"""Activations of which is shown what fewer inputs change."""
MOST_WORKERS = 16
"""Processes that share the ranges, at most: each takes 0.1 GB of memory."""
OnStep = Callable[[int, int, str], None]
"""Told how many steps are done, of how many, and what is next."""
Ranges = Mapping[str, tuple[float, float]]
"""Ends of the range of each activation, by name."""


def no_step(done: int, total: int, what: str) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Trial:
    """What a trial run took, in seconds: what later runs are expected to take follows from it."""

    run: float
    """One run of the whole network, of one input."""
    start: float
    """Making a session of it."""

    def runs(self, count: float) -> float:
        """So many runs of the whole network, as many at the same time as ``Exact`` runs."""
        return count * self.run / lanes()


@dataclass(frozen=True)
class Runnable:
    """A network to which a recipe was applied, ready to run."""

    scores: Sequence[str]
    """Names of its tensors in which noise is counted."""
    exact: Exact | None
    """None if the runtime refuses it."""
    failure: str = ""
    """Why."""


class Study:
    """A cleaned FP32 network, its stages, and inputs that are shared out.

    Raises RidgelineError if it cannot be run, or its labels do not fit its answers.
    """

    def __init__(
        self,
        network: str,
        model: ModelProto,
        stages: Sequence[Stage],
        inputs: Inputs,
        split: Split,
        form: str = UNSIGNED,
        granularity: str = CHANNEL,
        newer: ModelProto | None = None,
    ) -> None:
        """network: its name. form and granularity: how integers are written, see ``applied``.

        newer: the model as ``kernels.precision.apply.ready`` makes it, if there is one already.
        """
        self.network = network
        self.model = model
        self._newer = model if newer is None else newer
        self.stages = list(stages)
        self.inputs = inputs
        self.split = split
        self.form = form
        self.granularity = granularity
        self._feeds: dict[int, Arrays] = {}
        self._expected: dict[int, Arrays] = {}
        self._answers_fill_memory = False
        """True once an answer in FP32 had no room: others are found when they are needed."""
        self._kept_bytes = {"feeds": 0, "answers": 0}
        self._observed = model
        """The network with what noise is counted in among its outputs."""
        start = time.perf_counter()
        outputs = self._exact.outputs  # makes the session
        started = time.perf_counter()
        first = self._exact.run(self.feeds(split.ranking[0]))  # the first takes longer
        ran = time.perf_counter()
        self._exact.run(self.feeds(split.ranking[0]))
        self.trial = Trial(time.perf_counter() - ran, started - start)
        _check_answers(first, inputs, split.ranking[0])
        shapes = [first[name].shape for name in outputs]
        self._answer = outputs[0]
        """Name of the output that holds classes, if any does."""
        self.scores = scores_of(model)
        """Names of the tensors in which noise is counted, of an output that ends in Softmax before
        it: an answer that is sure of its class hides all noise."""
        if any(name not in outputs for name in self.scores):
            self._observed = copy_of(model)
            add_outputs(self._observed, self.scores)
            del self._exact
        self.class_axis = class_axis(model, shapes)
        """The axis of the output along which classes lie; None if it names none."""
        if inputs.has_labels:
            self._check_labels(first, shapes)

    def _check_labels(self, first: Arrays, shapes: Sequence[tuple[int, ...]]) -> None:
        """Raise RidgelineError if labels do not fit the answers."""
        if self.class_axis is None and len(shapes) == 1:
            self.class_axis = axis_of(shapes[0])  # who gives labels says that there are classes
        if self.class_axis is None:
            told = ", ".join("x".join(map(str, shape)) for shape in shapes)
            raise RidgelineError(
                f"labels are given, and the network's output ({told}) names no class: leave the "
                "labels out"
            )
        output = first[self._answer]
        count = output.shape[self.class_axis]
        answers = output.size // count
        for index in (*self.split.ranking, *self.split.test):
            truth = self.inputs.label(index)
            assert truth is not None
            if truth.size != answers:
                raise RidgelineError(
                    f"{self.inputs.path}: input {index} has {truth.size} labels, and the network "
                    f"gives {answers} answers: give one label an answer"
                )
            if truth.max(initial=0) >= count:
                raise RidgelineError(
                    f"{self.inputs.path}: input {index} has label {truth.max()}, and the network "
                    f"knows the classes 0 to {count - 1}: count them from 0"
                )

    @property
    def symmetric(self) -> bool:
        """True if the integers of activations lie around zero."""
        return self.form != UNSIGNED

    @cached_property
    def pieces(self) -> Pieces:
        """The network, to be cut, in an opset that has INT8: else each part would be raised."""
        return Pieces(ready(self._observed))

    @cached_property
    def _exact(self) -> Exact:
        """The network in FP32."""
        return Exact(self._observed)

    def rest(self) -> None:
        """Free all that can be found anew, so that what is timed next has the memory."""
        for made in ("_exact", "pieces"):
            self.__dict__.pop(made, None)
        self._feeds.clear()
        self._expected.clear()
        self._kept_bytes = dict.fromkeys(self._kept_bytes, 0)
        self._answers_fill_memory = False
        gc.collect()
        # glibc keeps what is freed in small parts; other libraries have no such call
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)

    def feeds(self, index: int) -> Arrays:
        """The arrays of one input, kept while there is room."""
        if index in self._feeds:
            return self._feeds[index]
        arrays = self.inputs.feeds(index)
        if self._has_room("feeds", arrays):
            self._feeds[index] = arrays
        return arrays

    def expected(self, index: int) -> Arrays:
        """The answer to one input in FP32, kept while there is room."""
        if index in self._expected:
            return self._expected[index]
        arrays = self._exact.run(self.feeds(index))
        self._keep(index, arrays)
        return arrays

    def expect(self, indices: Iterable[int]) -> None:
        """Find the answers to these inputs in FP32 while there is room to keep them."""
        if self._answers_fill_memory:
            return
        missing = [index for index in indices if index not in self._expected]
        each_answer = self._exact.run_each(map(self.feeds, missing))
        for index, arrays in zip(missing, each_answer, strict=True):
            if not self._keep(index, arrays):
                return

    def _keep(self, index: int, answer: Arrays) -> bool:
        """Keep an answer in FP32; False if there is no room."""
        if not self._has_room("answers", answer):
            self._answers_fill_memory = True
            return False
        self._expected[index] = answer
        return True

    def _has_room(self, what: str, arrays: Arrays) -> bool:
        total = self._kept_bytes[what] + _bytes(arrays)
        if total > KEPT_BYTES:
            return False
        self._kept_bytes[what] = total
        return True

    def stage_rows(self) -> list[StageRow]:
        """A row of each stage, in the network's order."""
        return [
            StageRow(
                schema_version=PLAN_SCHEMA,
                network=self.network,
                stage=stage.name,
                op=stage.op,
                nodes=json.dumps(stage.nodes),
                reads=json.dumps({name: stage.elements[name] for name in stage.reads}),
                writes=json.dumps({name: stage.elements[name] for name in stage.results}),
                weights=stage.weights,
                flops=stage.flops,
                precisions=json.dumps(stage.precisions),
                passes=stage.passes,
            )
            for stage in self.stages
        ]

    def activations(self) -> list[str]:
        """Names of all that a stage reads or writes that can be in integers, once each."""
        names: dict[str, None] = {}
        for stage in self.stages:
            if INTEGER_PRECISIONS.intersection(stage.precisions):
                names.update(dict.fromkeys((*stage.reads, stage.writes)))
        return list(names)

    def all_int8(self) -> dict[str, str]:
        """INT8 for each stage that can have it."""
        return {stage.name: INT8 for stage in self.stages if INT8 in stage.precisions}

    def with_precisions(
        self, precisions: Mapping[str, str], ranges: Ranges, granularity: str = ""
    ) -> Any:
        """The network with these precisions, by stage. Raises Unavailable where it has none."""
        return applied(
            self._newer,
            self.stages,
            precisions,
            ranges,
            form=self.form,
            granularity=granularity or self.granularity,
        )

    def runnable(self, model: ModelProto) -> Runnable:
        """A session of a network to which a recipe was applied, with the scores of this one."""
        compared = copy_of(model)
        # in FP16 the scores have another name
        scores = scores_of(model)
        add_outputs(compared, scores)
        try:
            return Runnable(scores, Exact(compared))
        except RidgelineError as error:
            return Runnable(scores, None, one_line(error))

    def recipe_row(
        self,
        name: str,
        model: ModelProto | Runnable | None,
        which: str = RANKING,
        method: str = "",
        granularity: str = "",
        on_step: OnStep = no_step,
        reason: str = "",
    ) -> ErrorRow:
        """What a network to which a recipe was applied answers otherwise than FP32.

        model: as it is, or as ``runnable`` makes it. which: ``ranking`` or ``test`` inputs.
        reason: why there is no such network; then it is None, and the row is skipped.
        """
        indices = self.split.of(which)
        row = ErrorRow(
            schema_version=PLAN_SCHEMA,
            network=self.network,
            recipe=name,
            method=method,
            granularity=granularity,
            inputs_of=which,
            inputs=len(indices) * self.inputs.rows_each,
        )
        if model is None:
            return replace(row, status=SKIPPED, reason=reason)
        runnable = model if isinstance(model, Runnable) else self.runnable(model)
        if runnable.exact is None:
            return replace(row, status=FAILED, reason=runnable.failure)
        comparison, votes = Comparison(), Votes()
        try:
            self.expect(indices)
            each_actual = runnable.exact.run_each(map(self.feeds, indices))
            for done, (index, actual) in enumerate(zip(indices, each_actual, strict=True)):
                on_step(done, len(indices), name)
                for score, own_score in zip(self.scores, runnable.scores, strict=True):
                    actual[score] = actual[own_score]
                self.compare(index, actual, comparison, votes)
        except RidgelineError as error:
            return replace(row, status=FAILED, reason=one_line(error))
        return replace(row, **columns_of(comparison, votes))

    def compare(self, index: int, actual: Arrays, comparison: Comparison, votes: Votes) -> None:
        """Add the answer to one input. An output that is missing is that of FP32."""
        expected = self.expected(index)
        for name, true in expected.items():
            other = actual.get(name, true)
            if name in self.scores:
                comparison.add(true, other)
            if name == self._answer and self.class_axis is not None:
                votes.add(
                    classes(true, self.class_axis),
                    classes(other, self.class_axis),
                    self.inputs.label(index),
                )

    def range_rows(
        self, on_step: OnStep = no_step, methods: Sequence[str] = METHODS
    ) -> list[RangeRow]:
        """What the calibration inputs show of each activation, and what fewer of them would.

        The rows of all inputs come first. Those of 1, 2, 4, ... inputs, and of all in one batch,
        are of some activations only, and without entropy, which takes a second each.
        """
        # entropy takes long enough to wait for processes to start
        shared = Workers(min(processors(), MOST_WORKERS)) if ENTROPY in methods else nullcontext()
        with shared as helpers:
            return self._range_rows(on_step, methods, helpers)

    def _range_rows(
        self, on_step: OnStep, methods: Sequence[str], workers: Workers | None
    ) -> list[RangeRow]:
        names = self.activations()
        indices = self.split.calibration
        inputs = len(indices)
        several = _spread(names, TENSORS_OF_FEWER)
        counts = [2**power for power in range(64) if 2**power < inputs]
        batched = inputs if inputs > 1 else 0
        total = inputs + len(names) + batched
        finished = 0

        def count_inputs(done: int, of: int) -> None:
            on_step(finished + done * inputs // of, total, "ranges")

        def count_tensors(done: int, of: int) -> None:
            on_step(finished + done, total, "ranges by each method")

        collected = collect(
            self.model,
            names,
            _Fed(self, indices),
            on_input=count_inputs,
            earlier=dict.fromkeys(counts, several),
            workers=workers,
        )
        finished += inputs
        thresholds = all_thresholds(
            collected.whole, methods, self.symmetric, workers, count_tensors
        )
        finished += len(names)
        rows = [
            self._range_row(name, collected.whole[name], inputs, 1, thresholds[name], True)
            for name in names
        ]
        quick = [method for method in methods if method != ENTROPY]

        def add_rows(histograms: Mapping[str, Histogram], inputs: int, batch: int) -> None:
            thresholds = all_thresholds(histograms, quick, self.symmetric)
            for name in several:
                ends = thresholds[name]
                rows.append(self._range_row(name, histograms[name], inputs, batch, ends, False))

        for count, histograms in collected.earlier.items():
            add_rows(histograms, count, 1)
        if batched:
            together = collect(
                self.model,
                several,
                _Fed(self, indices),
                batch=batched,
                on_input=count_inputs,
                workers=workers,
            )
            add_rows(together.whole, batched, batched)
        on_step(total, total, "")
        return rows

    def _range_row(
        self,
        name: str,
        histogram: Histogram,
        inputs: int,
        batch: int,
        thresholds: Mapping[str, tuple[float, float]],
        has_histogram: bool,
    ) -> RangeRow:
        shares = {method: clipped(histogram, *ends) for method, ends in thresholds.items()}
        is_empty = not histogram.count
        return RangeRow(
            schema_version=PLAN_SCHEMA,
            network=self.network,
            tensor=name,
            inputs=inputs * self.inputs.rows_each,
            batch=batch * self.inputs.rows_each,
            symmetric=self.symmetric,
            least=0.0 if is_empty else histogram.least,
            most=0.0 if is_empty else histogram.most,
            thresholds=json.dumps(thresholds),
            clipped=json.dumps(shares),
            histogram=json.dumps(coarse(histogram)) if has_histogram else "",
        )

    def method_rows(
        self,
        range_rows: Iterable[RangeRow],
        on_step: OnStep = no_step,
        granularities: Sequence[str] = (TENSOR,),
    ) -> Iterator[ErrorRow]:
        """All stages in INT8 on the ranking inputs, by each calibration method.

        granularities: further ones of the weights, each with the best method.
        """
        ranges_of_method = ranges_by_method(range_rows, self.symmetric)
        total = len(ranges_of_method) + len(granularities)
        rows: list[ErrorRow] = []

        def in_int8(method: str) -> Runnable:
            return self._in_int8(ranges_of_method[method], self.granularity)

        for method, made in made_ahead(in_int8, ranges_of_method):
            on_step(len(rows), total, f"{INT8} by {method}")
            rows.append(self._int8_row(method, made, self.granularity))
            yield rows[-1]
        method = best_method(rows)
        for granularity in granularities:
            if not method or granularity == self.granularity:
                continue
            on_step(len(rows), total, f"{INT8} by {method}, one scale a {granularity}")
            by_granularity = partial(self._in_int8, ranges_of_method[method], granularity)
            rows.append(self._int8_row(method, by_granularity, granularity))
            yield rows[-1]
        on_step(total, total, "")

    def best(
        self, errors: Iterable[ErrorRow], range_rows: Iterable[RangeRow]
    ) -> tuple[str, Ranges]:
        """The best calibration method and its ranges; nothing where INT8 could not be run."""
        method = best_method(errors)
        return method, ranges_by_method(range_rows, self.symmetric).get(method, {})

    def _in_int8(self, ranges: Ranges, granularity: str) -> Runnable:
        """The network with all stages in INT8. Raises Unavailable where it has no such form."""
        return self.runnable(self.with_precisions(self.all_int8(), ranges, granularity))

    def _int8_row(self, method: str, made: Callable[[], Runnable], granularity: str) -> ErrorRow:
        """The row of all stages in INT8."""
        network, reason = None, ""
        try:
            network = made()
        except Unavailable as error:
            reason = one_line(error)
        return self.recipe_row(INT8, network, RANKING, method, granularity, reason=reason)


class _Fed(Sequence[Arrays]):
    """Inputs of a study, read when they are asked for."""

    def __init__(self, study: Study, indices: Sequence[int]) -> None:
        self._study = study
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, place: int) -> Arrays: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Arrays]: ...

    def __getitem__(self, place: int | slice) -> Arrays | Sequence[Arrays]:
        if isinstance(place, slice):
            return _Fed(self._study, self._indices[place])
        return self._study.feeds(self._indices[place])


def _spread(names: Sequence[str], most: int) -> list[str]:
    """So many of these at most, evenly from the first to the last."""
    if len(names) <= most:
        return list(names)
    return [names[place * (len(names) - 1) // (most - 1)] for place in range(most)]


def _check_answers(answers: Arrays, inputs: Inputs, index: int) -> None:
    """Raise RidgelineError for an answer in FP32 that is NaN: nothing can be held against it."""
    for name, array in answers.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise RidgelineError(
                f"{inputs.path}: the network answers input {index} with NaN in {name}: leave that "
                "input out, or mend the network"
            )


def best_method(rows: Iterable[ErrorRow]) -> str:
    """The calibration method by which INT8 has least noise; empty if none could be run."""
    best = least_noisy(rows)
    return best.method if best else ""


def ranges_by_method(
    rows: Iterable[RangeRow], symmetric: bool
) -> dict[str, dict[str, tuple[float, float]]]:
    """The ranges of all activations by calibration method, from the rows of all inputs."""
    ranges: dict[str, dict[str, tuple[float, float]]] = {}
    for row in rows:
        if not row.histogram or row.symmetric != symmetric:
            continue  # of fewer inputs, or of other batches
        for method, ends in row.threshold_of.items():
            ranges.setdefault(method, {})[row.tensor] = ends
    return ranges


def columns_of(comparison: Comparison, votes: Votes) -> dict[str, Any]:
    """What was compared, as fields of an ErrorRow."""
    return {
        "sqnr_db": comparison.sqnr_db(),
        "cosine": comparison.cosine(),
        **votes.columns(),
    }


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())
