"""The fastest choice of a precision for each stage whose noise stays within a budget, exactly.

It is a mixed integer program, solved by HiGHS (Huangfu and Hall, Parallelizing the dual revised
simplex method, 2018) through scipy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.plan.borders import FP32
from probes.records.measurement import RidgelineError

if TYPE_CHECKING:
    import numpy as np

LEAST_GAIN = 0.01
"""Share of a stage's time in FP32 that a step down must gain: a time is known to about a per cent,
and what cannot gain is not quantized."""
LEAST_PENALTY = 1e-10
"""Seconds that a step down must gain at least, of a stage that takes no time."""
LONGEST_SECONDS = 30.0
"""After which the best choice found so far is taken."""
STEPS_DOWN = {"fp32": 0.0, "fp16": 1.0, "bf16": 1.5, "int8": 2.0, "fp8": 2.5}
"""Steps of each precision below FP32, those of fewer significant bits lower: ties go up."""
SECONDS_UNIT = 1e-6
"""HiGHS is given microseconds: its tolerances are absolute."""
OUTSIDE = ""
"""Name of what is no stage: it leaves the network's inputs and reads its outputs, in FP32."""


class Choice(NamedTuple):
    """A precision that a stage may have."""

    precision: str
    seconds: float
    """Of one run."""
    noise: float
    """Noise over signal, in power, that it adds at the network's outputs."""


@dataclass(frozen=True)
class Tensor:
    """An activation between stages."""

    name: str
    """Its name in the network."""
    writer: str
    """The stage that leaves it, or OUTSIDE."""
    readers: tuple[str, ...]
    """The stages that read it, and OUTSIDE."""
    seconds: Mapping[tuple[str, str], float]
    """What it costs to change it from one precision to another, whatever the number of readers."""


@dataclass(frozen=True)
class Problem:
    """A network whose stages may each have one of several precisions."""

    choices: Mapping[str, Sequence[Choice]]
    """By stage; FP32 is among them."""
    tensors: Sequence[Tensor]
    """The activations."""

    @cached_property
    def by_precision(self) -> Mapping[str, Mapping[str, Choice]]:
        """The choices of each stage by precision."""
        return {
            stage: {choice.precision: choice for choice in choices}
            for stage, choices in self.choices.items()
        }

    def seconds(self, precisions: Mapping[str, str]) -> float:
        """Time of one run: stages and borders. A stage that is not named is in FP32."""
        own = sum(choice.seconds for choice in self._chosen(precisions))
        return own + sum(seconds for _, _, _, seconds in self.crossed(precisions))

    def noise(self, precisions: Mapping[str, str]) -> float:
        """Noise over signal of all stages together."""
        return sum(choice.noise for choice in self._chosen(precisions))

    def objective(self, precisions: Mapping[str, str]) -> float:
        """What the solver makes least: seconds, and a little for each step down."""
        penalties = sum(self.penalty(stage, precisions.get(stage, FP32)) for stage in self.choices)
        return self.seconds(precisions) + penalties

    def penalty(self, stage: str, precision: str) -> float:
        """Seconds that a precision must gain over FP32 before it is worth its noise."""
        in_fp32 = self.by_precision[stage][FP32].seconds
        return STEPS_DOWN[precision] * max(LEAST_GAIN * in_fp32, LEAST_PENALTY)

    def crossed(self, precisions: Mapping[str, str]) -> Iterator[tuple[Tensor, str, str, float]]:
        """Each border: the tensor, its precision, that of its readers, and the seconds."""
        for tensor in self.tensors:
            source = precisions.get(tensor.writer, FP32)
            targets = dict.fromkeys(precisions.get(reader, FP32) for reader in tensor.readers)
            for target in targets:
                if target != source:
                    yield tensor, source, target, tensor.seconds[source, target]

    def _chosen(self, precisions: Mapping[str, str]) -> Iterator[Choice]:
        for stage, choices in self.by_precision.items():
            yield choices[precisions.get(stage, FP32)]


def solved(problem: Problem, budget: float | None = None) -> dict[str, str]:
    """The precision of each stage for the least objective with noise of at most ``budget``.

    None is no limit. Raises RidgelineError if scipy is missing, or finds nothing.
    """
    return _Program(problem, budget).solution()


class _Program:
    """The mixed integer program of a problem.

    A binary x[stage, precision] says that a stage has a precision. A number y[tensor, source,
    target] says that a tensor is converted; with all x known its least value is 0 or 1.
    """

    def __init__(self, problem: Problem, budget: float | None) -> None:
        self.problem = problem
        self.budget = budget
        self.columns: dict[tuple[str, ...], int] = {}
        self.prices: list[float] = []
        self.entries: list[tuple[int, int, float]] = []
        """(row, column, factor) of the constraints."""
        self.lows: list[float] = []
        self.highs: list[float] = []
        self._choose()
        for place, tensor in enumerate(problem.tensors):
            self._convert(str(place), tensor)
        self._limit()

    def solution(self) -> dict[str, str]:
        """The choice, as HiGHS finds it."""
        solver, sparse, numpy = _scipy()
        shape = len(self.lows), len(self.prices)
        rows, columns, factors = zip(*self.entries, strict=True)
        matrix = sparse.csr_array((factors, (rows, columns)), shape=shape)
        is_binary = numpy.zeros(len(self.prices))
        for key, column in self.columns.items():
            is_binary[column] = len(key) == 2
        result = solver.milp(
            numpy.array(self.prices),
            constraints=solver.LinearConstraint(matrix, self.lows, self.highs),
            integrality=is_binary,
            bounds=solver.Bounds(0, 1),
            options={"mip_rel_gap": 0.0, "time_limit": LONGEST_SECONDS},
        )
        if result.x is None:
            raise RidgelineError(f"no choice of precisions was found: {result.message}")
        return self._read(result.x)

    def _read(self, values: np.ndarray) -> dict[str, str]:
        """The precision of each stage of which x is nearest to 1."""
        precisions = {}
        for stage in self.problem.choices:
            columns = {
                choice.precision: self.columns[stage, choice.precision]
                for choice in self.problem.choices[stage]
                if (stage, choice.precision) in self.columns
            }
            precisions[stage] = max(columns, key=lambda name: values[columns[name]])
        return precisions

    def _column(self, key: tuple[str, ...], seconds: float) -> int:
        """A new unknown with its price."""
        self.columns[key] = len(self.prices)
        self.prices.append(seconds / SECONDS_UNIT)
        return self.columns[key]

    def _row(self, terms: Mapping[int, float], low: float, high: float) -> None:
        """A new constraint: the sum of the terms lies between low and high."""
        row = len(self.lows)
        self.entries += [(row, column, factor) for column, factor in terms.items()]
        self.lows.append(low)
        self.highs.append(high)

    def _choose(self) -> None:
        """Each stage has one precision."""
        for stage, choices in self.problem.choices.items():
            terms = {}
            for choice in choices:
                if self.budget is not None and choice.noise > self.budget:
                    continue
                price = choice.seconds + self.problem.penalty(stage, choice.precision)
                terms[self._column((stage, choice.precision), price)] = 1.0
            self._row(terms, 1.0, 1.0)

    def _convert(self, place: str, tensor: Tensor) -> None:
        """A tensor is converted for each precision of its readers that it does not have.

        Two forms of the same: the sum over sources keeps the relaxation tight, the pairs price
        each source by itself.
        """
        targets: dict[str, list[str]] = {}
        for reader in dict.fromkeys(tensor.readers):
            for precision in self._precisions(reader):
                targets.setdefault(precision, []).append(reader)
        for target, readers in targets.items():
            sources = [source for source in self._precisions(tensor.writer) if source != target]
            conversions = {}
            for source in sources:
                key = place, source, target
                conversions[source] = self._column(key, tensor.seconds[source, target])
            if not sources:
                continue
            for reader in readers:
                terms = dict.fromkeys(conversions.values(), 1.0)
                self._need(terms, (reader, target), (tensor.writer, target), 0.0)
                if len(sources) > 1:
                    for source, column in conversions.items():
                        self._need({column: 1.0}, (reader, target), (tensor.writer, source), 1.0)

    def _need(
        self,
        terms: dict[int, float],
        reads: tuple[str, str],
        writes: tuple[str, str],
        both: float,
    ) -> None:
        """Conversions are at least x[reads] - x[writes], or with ``both`` x[reads] + x[writes] - 1.

        What is OUTSIDE is always in FP32, and has no unknown.
        """
        least = -both
        sign_of_writer = -1.0 if both else 1.0
        for key, sign in ((reads, -1.0), (writes, sign_of_writer)):
            column = self.columns.get(key)
            if column is not None:
                terms[column] = terms.get(column, 0.0) + sign
            elif key == (OUTSIDE, FP32):
                least -= sign
        self._row(terms, least, float("inf"))

    def _precisions(self, stage: str) -> list[str]:
        """The precisions that a stage may have within the budget."""
        if stage == OUTSIDE:
            return [FP32]
        return [
            choice.precision
            for choice in self.problem.choices[stage]
            if (stage, choice.precision) in self.columns
        ]

    def _limit(self) -> None:
        """The noise of all stages stays within the budget."""
        if not self.budget:
            return  # with a budget of 0 no choice with noise has an unknown
        terms = {}
        for stage, choices in self.problem.choices.items():
            for choice in choices:
                column = self.columns.get((stage, choice.precision))
                if column is not None and choice.noise:
                    terms[column] = choice.noise / self.budget
        if terms:
            self._row(terms, 0.0, 1.0)


def load_ahead() -> None:
    """Load the solver, which takes a second, while something else goes on."""

    def load() -> None:
        with suppress(RidgelineError):  # it is told where the solver is needed
            _scipy()

    Thread(target=load, name="load the solver").start()


def _scipy() -> tuple[Any, Any, Any]:
    """(scipy.optimize, scipy.sparse, numpy). Raises RidgelineError if scipy is missing."""
    try:
        import numpy
        from scipy import optimize, sparse
    except ImportError:
        raise RidgelineError("a plan needs scipy: pip install -e '.[plan]'") from None
    return optimize, sparse, numpy
