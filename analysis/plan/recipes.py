"""The recipes that are worth a run: the simple ones that people try, and ours at several budgets.

All of it is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from analysis.plan.borders import BF16, FP8, FP16, FP32, INT8
from analysis.plan.costs import Costs
from analysis.plan.scales import BORDERS
from analysis.plan.sensitivity import noise_of
from analysis.plan.solve import OUTSIDE, Choice, Problem, Tensor, solved
from probes.records.precision import DEVIATION, ErrorRow, Recipe, StageRow

FIRST_AND_LAST = "first and last in floats"
SENSITIVE = "sensitive in floats"
OURS = "plan"
"""Names of recipes; that of ours is followed by a number."""
SENSITIVE_SHARE = 0.15
"""Of the stages, those of most noise that the recipe SENSITIVE keeps in floats: 8 of 54 kept the
direction classifier's accuracy (facts of precision, 2026)."""
MOST_PLANS = 4
"""Of ours in the first turn, by the times of stages alone; a second turn knows more."""
BUDGETS = 10
"""Noise budgets that are solved for; plans that come out alike are one."""
LEAST_STEP = 0.01
"""Share of its time that a plan must spare over the next more careful one: less cannot be timed."""
LEAST_BUDGET = 1e-4
"""The first budget over the noise of the fastest choice there is."""
HALF_WAY = 0.25
"""Of the noise of a recipe that loses too much, where none is known that does not: 6 dB less."""
Choices = frozenset[tuple[str, str]]
"""The stages that are not in FP32, each with its precision."""
NEGLIGIBLE_NOISE = 1e-6
"""No budget is below this, 60 dB, that has one above it: so little noise changes no answer."""


@dataclass(frozen=True)
class Model:
    """A network as recipes are made of it: stages, their costs, and their errors."""

    stages: Sequence[StageRow]
    """In the network's order."""
    costs: Costs
    """Of stages and borders."""
    errors: Mapping[tuple[str, str], ErrorRow] = field(default_factory=dict)
    """Of each stage alone, by (stage, precision)."""

    @cached_property
    def problem(self) -> Problem:
        """What the solver is asked: the choices with a known time and a known error."""
        return Problem(
            {stage.stage: self._choices(stage) for stage in self.stages}, self._tensors()
        )

    @cached_property
    def runnable(self) -> frozenset[str]:
        """Precisions that a plan may use: those in which the provider was seen to compute.

        Where it was timed in no narrow one, all are: nothing but predictions is known then.
        """
        timed = set()
        for stage in self.stages:
            for precision in stage.choices:
                cost = self.costs.of(stage.stage, precision)
                if cost.measured and cost.has_kernel and not stage.passes:
                    timed.add(precision)
        if timed - {FP32}:
            return frozenset({FP32, *timed})
        return frozenset(precision for stage in self.stages for precision in stage.choices)

    def noise(self, stage: StageRow, precision: str) -> float | None:
        """The noise that a stage adds in a precision; None where that was not found."""
        return noise_of(stage, precision, self.errors)

    def predicted_seconds(self, precisions: Mapping[str, str]) -> float | None:
        """Time of one run, as stages and borders add up; None where one is unknown."""
        parts = self.parts(precisions)
        return None if parts is None else sum(parts.values())

    def border_seconds(self, precisions: Mapping[str, str]) -> float | None:
        """Time of all conversions of one run; None where one is unknown.

        A stage without a kernel pays for its own in its cost.
        """
        total = 0.0
        for tensor, source, target in self.crossings(precisions):
            seconds = self.costs.borders.cost(source, target, self.elements[tensor.name]).seconds
            if seconds is None:
                return None
            total += seconds
        return total

    def parts(self, precisions: Mapping[str, str]) -> dict[str, float] | None:
        """Seconds of a choice by part, see ``analysis.plan.scales``; None where one is unknown."""
        seconds_of_borders = self.border_seconds(precisions)
        if seconds_of_borders is None:
            return None
        parts = {BORDERS: seconds_of_borders}
        for stage in self.stages:
            precision = precisions.get(stage.stage, FP32)
            seconds = self.costs.of(stage.stage, precision).seconds
            if seconds is None:
                return None
            parts[precision] = parts.get(precision, 0.0) + seconds
        return parts

    def crossings(self, precisions: Mapping[str, str]) -> list[tuple[Tensor, str, str]]:
        """Each border of a choice: the tensor, its precision, and that of its readers."""
        return [
            (tensor, source, target)
            for tensor, source, target, _ in self.problem.crossed(precisions)
        ]

    def predicted_noise(self, precisions: Mapping[str, str]) -> float | None:
        """Noise over signal, as the errors of stages add up; None where one is unknown."""
        total = 0.0
        for stage in self.stages:
            noise = self.noise(stage, precisions.get(stage.stage, FP32))
            if noise is None:
                return None
            total += noise
        return total

    @cached_property
    def elements(self) -> dict[str, int]:
        """Elements of each activation, by name."""
        counts: dict[str, int] = {}
        for stage in self.stages:
            counts |= stage.read_elements
            counts |= stage.written_elements
        return counts

    def _choices(self, stage: StageRow) -> list[Choice]:
        """FP32, and each runnable precision of known time and noise that it has a kernel for.

        Where its time in FP32 is not known, no gain is: it stays in FP32.
        """
        in_fp32 = self.costs.of(stage.stage, FP32).seconds
        choices = [Choice(FP32, in_fp32 or 0.0, 0.0)]
        if in_fp32 is None:
            return choices
        for precision in stage.choices:
            cost = self.costs.of(stage.stage, precision)
            noise = self.noise(stage, precision)
            is_known = cost.allowed and noise is not None
            if precision != FP32 and precision in self.runnable and is_known:
                choices.append(Choice(precision, cost.seconds or 0.0, noise or 0.0))
        return choices

    def _tensors(self) -> list[Tensor]:
        """The activations with who leaves and who reads them, and what each change costs."""
        writers = {name: stage.stage for stage in self.stages for name in stage.written_elements}
        readers: dict[str, list[str]] = {name: [] for name in self.elements}
        for stage in self.stages:
            for name in stage.read_elements:
                readers[name].append(stage.stage)
        precisions = {FP32}
        for stage in self.stages:
            precisions |= set(stage.choices)
        pairs = [
            (source, target)
            for source in sorted(precisions)
            for target in sorted(precisions)
            if source != target
        ]
        tensors = []
        for name, elements in self.elements.items():
            seconds = {}
            for source, target in pairs:
                seconds[source, target] = self._border(source, target, elements)
            read_by = tuple(dict.fromkeys(readers[name])) or (OUTSIDE,)
            tensors.append(Tensor(name, writers.get(name, OUTSIDE), read_by, seconds))
        return tensors

    def _border(self, source: str, target: str, elements: int) -> float:
        """Seconds of a conversion; of an unknown one none, which the prediction then says."""
        return self.costs.borders.cost(source, target, elements).seconds or 0.0


def is_simple(name: str) -> bool:
    """True for a recipe that no solver made: one that people try, or that a network came with."""
    return not name.startswith(OURS)


def recipes(model: Model, loss_asked: float, loss_of: str) -> list[Recipe]:
    """The recipes to run: the simple ones, then ours from the most careful on.

    Two recipes of the same precisions are one: the first speaks.
    """
    named = _distinct(simple(model))
    choices = [recipe.precisions for recipe in ours(model, _budget_of(loss_asked, loss_of))]
    return [*named, *_numbered(model, choices, named)]


def _distinct(proposals: Iterable[Recipe]) -> list[Recipe]:
    """The first of all recipes of the same precisions."""
    by_precisions: dict[Choices, Recipe] = {}
    for recipe in proposals:
        by_precisions.setdefault(_choices_of(recipe.precisions), recipe)
    return list(by_precisions.values())


def _choices_of(precisions: Mapping[str, str]) -> Choices:
    """What two recipes have in common that are the same; a stage in FP32 need not be named."""
    return frozenset(pair for pair in precisions.items() if pair[1] != FP32)


def _numbered(
    model: Model, choices: Iterable[Mapping[str, str]], known: Sequence[Recipe]
) -> list[Recipe]:
    """Recipes of ours of these choices, without those that are known, and numbered on."""
    tried = {_choices_of(recipe.precisions) for recipe in known}
    count = sum(not is_simple(recipe.name) for recipe in known)
    numbered: list[Recipe] = []
    for precisions in choices:
        if _choices_of(precisions) in tried:
            continue
        tried.add(_choices_of(precisions))
        count += 1
        numbered.append(_recipe(model, f"{OURS} {count}", precisions))
    return numbered


def refined(
    model: Model,
    known: Sequence[Recipe],
    losses: Mapping[str, float],
    loss_asked: float,
    fastest: float,
) -> list[Recipe]:
    """More recipes of ours, by what the known ones took and lost as wholes; maybe none.

    The fastest choices with as much noise as a recipe had that keeps the loss, and halfway to the
    next one that does not; where all keep it, the fastest choice of all.

    model: its costs are those in a whole. losses: what was lost on the ranking inputs, by recipe.
    fastest: seconds that the fastest recipe within the loss took; no slower one is worth a run.
    """
    noises = {recipe.name: recipe.predicted_noise for recipe in known}
    kept = [noises[name] or 0.0 for name, loss in losses.items() if loss <= loss_asked]
    most_kept = max(kept, default=0.0)
    lost = [
        noise
        for name, loss in losses.items()
        if loss > loss_asked and (noise := noises[name]) is not None and noise > most_kept
    ]
    budgets: list[float | None] = [most_kept] if most_kept else []
    if not lost:
        budgets.append(None)
    elif most_kept:
        budgets.append(math.sqrt(most_kept * min(lost)))
    else:
        budgets.append(HALF_WAY * min(lost))
    problem = model.problem
    choices = [solved(problem, budget) for budget in budgets]
    return _numbered(model, _worth_a_run(problem, choices, fastest), known)


def _budget_of(loss_asked: float, loss_of: str) -> float | None:
    """The noise that is the loss asked; None where the loss counts answers."""
    return loss_asked**2 if loss_of == DEVIATION else None


def simple(model: Model) -> list[Recipe]:
    """The recipes that people try first."""
    proposals = [_recipe(model, FP32, {})]
    other_types = [precision for precision in (FP16, BF16, FP8) if _has_kernels(model, precision)]
    proposals += [_recipe(model, name, _all_in(model, name)) for name in other_types]
    everywhere = _all_in(model, INT8)
    computing = [stage for stage in model.stages if not stage.passes and INT8 in stage.choices]
    if not computing:
        return proposals
    proposals.append(_recipe(model, INT8, everywhere))
    floats = _fastest_floats(model)
    weighted = [stage.stage for stage in computing if stage.weights]
    ends = {*weighted[:1], *weighted[-1:]}
    if ends:
        proposals.append(_recipe(model, FIRST_AND_LAST, _held(everywhere, ends, floats)))
    sensitive = set(most_sensitive(model))
    if sensitive:
        proposals.append(_recipe(model, SENSITIVE, _held(everywhere, sensitive, floats)))
    return proposals


def most_sensitive(model: Model) -> list[str]:
    """The stages of most noise in INT8, the worst first: a share of all that have some."""
    noises = {}
    for stage in model.stages:
        noise = model.noise(stage, INT8) if INT8 in stage.choices else None
        if noise and not stage.passes:
            noises[stage.stage] = noise
    worst_first = sorted(noises, key=lambda name: (-noises[name], name))
    count = max(1, round(SENSITIVE_SHARE * len(worst_first))) if worst_first else 0
    return worst_first[:count]


def ours(model: Model, budget_asked: float | None = None) -> list[Recipe]:
    """The fastest choices at budgets of noise up to that of the fastest of all, least noise first.

    budget_asked: one more budget, if the loss asked is a noise.
    """
    problem = model.problem
    fastest = solved(problem)
    most = problem.noise(fastest)
    if not most:
        return [_recipe(model, OURS, choice) for choice in _worth_a_run(problem, [fastest])]
    least = max(most * LEAST_BUDGET, min(most, NEGLIGIBLE_NOISE))
    budgets = [most * (least / most) ** (1 - place / (BUDGETS - 1)) for place in range(BUDGETS - 1)]
    choices: list[dict[str, str]] = []
    for budget in budgets:
        choice = solved(problem, budget)
        if choice not in choices:
            choices.append(choice)
    needed = [fastest]
    if budget_asked and budget_asked < most:
        needed.append(solved(problem, budget_asked))
    every = sorted([*choices, *needed], key=problem.noise)
    steps = _worth_a_run(problem, every)
    kept = [choice for choice in steps if choice in needed]
    others = [choice for choice in steps if choice not in needed]
    kept = sorted([*kept, *_spread(others, MOST_PLANS - len(kept))], key=problem.noise)
    return [_recipe(model, OURS, choice) for choice in kept]


def _worth_a_run(
    problem: Problem, choices: Sequence[dict[str, str]], known_seconds: float = math.inf
) -> list[dict[str, str]]:
    """Those that are noticeably faster than all before them: FP32, and what takes known seconds."""
    kept = []
    least = min(problem.seconds({}), known_seconds)
    for choice in choices:
        seconds = problem.seconds(choice)
        if seconds <= (1 - LEAST_STEP) * least:
            kept.append(choice)
            least = seconds
    return kept


def _spread(choices: Sequence[dict[str, str]], most: int) -> list[dict[str, str]]:
    """At most so many of them, evenly taken, the first and the last among them."""
    if len(choices) <= most:
        return list(choices)
    step = (len(choices) - 1) / (most - 1)
    return [choices[round(place * step)] for place in range(most)]


def _has_kernels(model: Model, precision: str) -> bool:
    """True if some stage that computes can run in a precision, as far as is known."""
    return precision in model.runnable and any(
        precision in stage.choices and model.costs.of(stage.stage, precision).allowed
        for stage in model.stages
        if not stage.passes
    )


def _all_in(model: Model, precision: str) -> dict[str, str]:
    """Every stage that can in one precision, whether it has a kernel or not."""
    return {stage.stage: precision for stage in model.stages if precision in stage.choices}


def _fastest_floats(model: Model) -> dict[str, str]:
    """The precision of each stage where a simple recipe keeps it in floats: FP16 where it wins."""
    in_half = _all_in(model, FP16)
    if not _has_kernels(model, FP16):
        return {}
    halved = model.predicted_seconds(in_half)
    single = model.predicted_seconds({})
    return in_half if halved is not None and single is not None and halved < single else {}


def _held(
    everywhere: Mapping[str, str], stages: set[str], floats: Mapping[str, str]
) -> dict[str, str]:
    """A choice with these stages, and those that cannot be in INT8, in floats."""
    choice = {stage: precision for stage, precision in floats.items() if stage not in everywhere}
    for stage, precision in everywhere.items():
        choice[stage] = floats.get(stage, FP32) if stage in stages else precision
    return choice


def _recipe(model: Model, name: str, precisions: Mapping[str, str]) -> Recipe:
    """A recipe with its predictions; stages in FP32 are not named."""
    narrowed = {stage: precision for stage, precision in precisions.items() if precision != FP32}
    return Recipe(
        name=name,
        precisions=narrowed,
        predicted_seconds=model.predicted_seconds(narrowed),
        predicted_noise=model.predicted_noise(narrowed),
    )
