"""What a run knows of a network in lower precision: its stages, ranges and errors, and the plan.

Four files of a run's folder hold it: ``stages.csv``, ``ranges.csv``, ``errors.csv`` and
``plan.json``. Standard library only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from probes.records import given
from probes.records.measurement import FAILED, OK, SKIPPED, RidgelineError
from probes.records.stored import schema_problem
from probes.records.table import Limits, damage_sentences, read_table

PLAN_SCHEMA = 1
"""What this program writes; a higher one is refused."""
STAGES_FILE, RANGES_FILE, ERRORS_FILE = "stages.csv", "ranges.csv", "errors.csv"
PLAN_FILE = "plan.json"
RANKING, TEST = "ranking", "test"
"""Which inputs an error was found on: those that rank stages and plans, or those that judge one."""
INT8 = "int8"
"""A precision, and the recipe that gives it to all stages that can have it."""
PRECISIONS = ("fp32", "fp16", "bf16", INT8, "fp8")
"""All that a stage of a recipe can have."""
CHANNEL, TENSOR, BLOCK = "channel", "tensor", "block"
"""What has a scale of its own in quantized weights."""
MOST_DB = 300.0
"""Stands for a signal-to-noise ratio of infinity: no number differs."""
ACCURACY, TOP1, DEVIATION = "accuracy", "top1", "deviation"
"""What a loss counts: labels missed more often, answers that differ from those of FP32, or the RMS
of the difference over the RMS of the answer in FP32."""


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """An operation of a network that can have a precision of its own: a row of ``stages.csv``."""

    schema_version: int
    """Which columns there are, and what they mean."""
    network: str
    """Name of the network."""
    stage: str
    """Name of the node that does its work."""
    op: str
    """What that does, by ONNX's name."""
    nodes: str
    """Names of all its nodes in order, as a JSON list: a Relu that ends it has none of its own."""
    reads: str
    """Elements of each float activation that it reads, by name, as a JSON object."""
    writes: str
    """Elements of the float activation that it leaves, by name, likewise."""
    weights: int
    """Elements of its weights."""
    flops: float | None
    """Operations of one run; None is unknown."""
    precisions: str
    """Those that it can have, as a JSON list; ``fp32`` comes first."""
    passes: bool
    """True if it passes numbers on as they are: a Reshape, a MaxPool. It has no error of its own,
    and runs on the integers where its neighbours do."""

    @cached_property
    def node_names(self) -> tuple[str, ...]:
        """Names of all its nodes in order."""
        return tuple(json.loads(self.nodes))

    @cached_property
    def read_elements(self) -> dict[str, int]:
        """Elements of each float activation that it reads, by name."""
        return dict(json.loads(self.reads))

    @cached_property
    def written_elements(self) -> dict[str, int]:
        """Elements of the float activation that it leaves, by name."""
        return dict(json.loads(self.writes))

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """The precisions that it can have."""
        return tuple(json.loads(self.precisions))


@dataclass(frozen=True, kw_only=True)
class RangeRow:
    """What inputs showed of one activation: a row of ``ranges.csv``.

    The row of all inputs has the histogram; rows of fewer inputs, or of other batches, show what
    these change.
    """

    schema_version: int
    """Which columns there are, and what they mean."""
    network: str
    """Name of the network."""
    tensor: str
    """Name of the activation."""
    inputs: int
    """Calibration inputs that were fed."""
    batch: int
    """How many of them the histogram was given at a time: the first batch sets its bins."""
    symmetric: bool
    """True if its integers lie around zero (int8); False if they have a zero point (uint8)."""
    least: float
    """Least number seen."""
    most: float
    """Largest number seen."""
    thresholds: str
    """Ends of the range by calibration method, as a JSON object: ``{"entropy": [-1.5, 1.5]}``."""
    clipped: str
    """Share of the numbers that lie outside of that range, by method, as a JSON object."""
    histogram: str = ""
    """Counts in bins of equal width from ``least`` to ``most``, as a JSON list."""

    @cached_property
    def threshold_of(self) -> dict[str, tuple[float, float]]:
        """Ends of the range, by method."""
        stored = json.loads(self.thresholds)
        return {method: (float(low), float(high)) for method, (low, high) in stored.items()}

    @cached_property
    def clipped_share_of(self) -> dict[str, float]:
        """Share of the numbers outside of the range, by method."""
        return dict(json.loads(self.clipped))

    @cached_property
    def counts(self) -> list[float]:
        """The histogram; empty in a row that shows less."""
        return list(json.loads(self.histogram or "[]"))


@dataclass(frozen=True, kw_only=True)
class ErrorRow:
    """What one stage, or a whole recipe, in lower precision does to answers: a row of
    ``errors.csv``.

    It is computed exactly: no kernel that saturates took part.
    """

    schema_version: int
    """Which columns there are, and what they mean."""
    network: str
    """Name of the network."""
    stage: str = ""
    """The only stage in lower precision; empty for a recipe."""
    recipe: str = ""
    """Name of the recipe that was applied; empty for a stage."""
    precision: str = ""
    """That of the stage; empty for a recipe."""
    method: str = ""
    """How ranges were calibrated; empty where no integer takes part."""
    granularity: str = ""
    """``channel``, ``tensor`` or ``block``: what has a scale of its own in the weights."""
    inputs_of: str = RANKING
    """``ranking`` or ``test``."""
    inputs: int = 0
    """How many inputs were fed."""
    status: str = OK
    """``ok``, ``skipped`` or ``failed``."""
    reason: str = ""
    """Why it was skipped or failed."""
    own_sqnr_db: float | None = None
    """Signal-to-noise ratio at the stage's own output, when its inputs are those of FP32."""
    own_cosine: float | None = None
    """Cosine of the angle between the stage's output and that of FP32."""
    sqnr_db: float | None = None
    """Signal-to-noise ratio at the network's outputs."""
    cosine: float | None = None
    """Cosine of the angle between the network's outputs and those of FP32."""
    answers: int = 0
    """Answers that were compared: one an input, or one a position of a sequence; 0 where the
    network names no class."""
    same: int | None = None
    """Of these, how many name the class that FP32 names."""
    labelled: int = 0
    """Answers whose true class is known."""
    right_in_fp32: int | None = None
    """Of the labelled ones, those that FP32 gets right."""
    gained: int | None = None
    """Those right now and wrong in FP32."""
    lost: int | None = None
    """Those wrong now and right in FP32."""

    @property
    def agreement(self) -> float | None:
        """Share of answers that are those of FP32; None where no classes are compared."""
        return self.same / self.answers if self.answers and self.same is not None else None

    @property
    def accuracy(self) -> float | None:
        """Share of labelled answers that are right; None without labels."""
        if not self.labelled or self.right_in_fp32 is None:
            return None
        return (self.right_in_fp32 + (self.gained or 0) - (self.lost or 0)) / self.labelled

    @property
    def loss_of(self) -> str:
        """What ``loss`` counts: ``accuracy``, ``top1`` or ``deviation``."""
        if self.labelled:
            return ACCURACY
        return TOP1 if self.answers else DEVIATION

    @property
    def loss(self) -> float | None:
        """What is lost against FP32, as a share (0.01 is 1 %); negative where it got better.

        Of accuracy: the difference of the two accuracies. Of top1: the share of answers that
        differ. Of deviation: RMS of the difference over RMS of the answer.
        """
        if self.status != OK:
            return None
        if self.labelled:
            return ((self.lost or 0) - (self.gained or 0)) / self.labelled
        if self.agreement is not None:
            return 1 - self.agreement
        return None if self.sqnr_db is None else 10 ** (-self.sqnr_db / 20)

    @property
    def noise(self) -> float | None:
        """Noise over signal, in power, at the network's outputs: what adds up over stages."""
        return None if self.sqnr_db is None else 10 ** (-self.sqnr_db / 10)


def least_noisy(errors: Iterable[ErrorRow]) -> ErrorRow | None:
    """The row of all in INT8 with least noise on the ranking inputs; None if none could be run.

    Not the one that loses fewest answers: of few inputs hardly any is lost. One scale a tensor
    counts only where nothing finer was tried.
    """
    ranked = []
    for row in errors:
        is_of_method = row.recipe == INT8 and bool(row.method) and row.inputs_of == RANKING
        if is_of_method and row.status == OK and row.sqnr_db is not None:
            ranked.append(row)
    finest = [row for row in ranked if row.granularity != TENSOR] or ranked
    return max(finest, key=lambda row: row.sqnr_db or 0.0, default=None)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A precision for each stage of a network, under a name."""

    name: str
    """``int8``, ``first and last in floats``, ``plan 3``; unique in its plan."""
    precisions: Mapping[str, str]
    """Precision by stage; a stage that is not named is in FP32."""
    weights: str = ""
    """What was pruned before: ``2:4``, ``4x4 75 %``, ``channels 25 %``; empty for the weights as
    they were trained."""
    channels: Mapping[str, int] = field(default_factory=dict)
    """How many channels are left in each group of which some are cut out, by its name."""
    ranked_by: str = ""
    """By what those were ranked: ``l1`` or ``batchnorm``."""
    operations: int | None = None
    """Operations that the runtime plans for a network with fewer channels, found before it was
    timed; None if unknown. Those that belong to no layer change layouts."""
    predicted_seconds: float | None = None
    """Time of one run, as the times of its stages and borders add up, each times its factor where
    that was known by then; None where one is unknown."""
    predicted_noise: float | None = None
    """Noise over signal, in power, as the errors of its stages add up."""

    @property
    def slug(self) -> str:
        """Its name as tags and files hold it."""
        return "-".join(re.findall(r"[a-z0-9.]+", self.name.lower()))


@dataclass(kw_only=True)
class Plan:
    """Which precision each stage of a network should have: ``plan.json``."""

    schema_version: int = PLAN_SCHEMA
    """Which fields there are, and what they mean."""
    network: str
    """Name of the network."""
    provider: str
    """What runs it."""
    loss_asked: float
    """The most that may be lost, as a share."""
    loss_of: str
    """What is lost: ``accuracy``, ``top1`` or ``deviation``."""
    method: str
    """How the ranges of activations were calibrated: the method that lost least."""
    granularity: str = CHANNEL
    """What has a scale of its own in the weights."""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Ends of the range of each activation, by name."""
    recipes: list[Recipe] = field(default_factory=list)
    """All that were to be run."""
    factors: Mapping[str, float] = field(default_factory=dict)
    """What a part of the network takes in the whole over what it takes alone: all stages of a
    precision, by its name, and all ``borders``. Empty where too few recipes were timed to tell."""
    chosen: str = ""
    """Name of the fastest recipe within the loss; empty before they were run."""
    looks: int = 0
    """How many recipes were held against the test inputs until one was within the loss."""

    def recipe(self, name: str) -> Recipe:
        """The recipe of this name. Raises KeyError if there is none."""
        for recipe in self.recipes:
            if recipe.name == name:
                return recipe
        raise KeyError(name)

    def as_json(self) -> str:
        """The text of ``plan.json``."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


STAGE_LIMITS: Limits = {"schema_version": (1, 1e6), "weights": (1, 1e18), "flops": (1e-9, 1e24)}
RANGE_LIMITS: Limits = {
    "schema_version": (1, 1e6),
    "inputs": (1, 1e12),
    "batch": (1, 1e12),
    "least": (-1e39, 1e39),
    "most": (-1e39, 1e39),
}
ERROR_LIMITS: Limits = {
    "schema_version": (1, 1e6),
    "inputs": (1, 1e12),
    "own_sqnr_db": (-MOST_DB, MOST_DB),
    "own_cosine": (-1.001, 1.001),
    "sqnr_db": (-MOST_DB, MOST_DB),
    "cosine": (-1.001, 1.001),
    "answers": (1, 1e15),
    "same": (1, 1e15),
    "labelled": (1, 1e15),
    "right_in_fp32": (1, 1e15),
    "gained": (1, 1e15),
    "lost": (1, 1e15),
}
"""Of the cells of each table: the least, and the largest number."""


@dataclass
class Precision:
    """All that a run knows of a network in lower precision."""

    stages: list[StageRow] = field(default_factory=list)
    """In the network's order."""
    ranges: list[RangeRow] = field(default_factory=list)
    """Of its activations."""
    errors: list[ErrorRow] = field(default_factory=list)
    """Of its stages and recipes."""
    plan: Plan | None = None
    """None until it is made."""


def read_precision(folder: Path, guards: bool, damage: list[str]) -> Precision | None:
    """What a run's folder holds of a network in lower precision; None if it holds nothing.

    What is damaged is left out, and named in ``damage``.
    """
    if not (folder / STAGES_FILE).exists():
        return None
    known = Precision()
    tables: tuple[tuple[str, type, Limits, list[Any]], ...] = (
        (STAGES_FILE, StageRow, STAGE_LIMITS, known.stages),
        (RANGES_FILE, RangeRow, RANGE_LIMITS, known.ranges),
        (ERRORS_FILE, ErrorRow, ERROR_LIMITS, known.errors),
    )
    for name, row_type, limits, rows in tables:
        if not (folder / name).exists():
            continue
        try:
            table = read_table(folder / name, row_type, limits, guards, row_problem)
        except RidgelineError as error:
            damage.append(str(error))
            continue
        damage += damage_sentences(folder / name, table)
        rows += table.rows
    if (folder / PLAN_FILE).exists():
        try:
            known.plan = read_plan(folder / PLAN_FILE)
        except RidgelineError as error:
            damage.append(str(error))
    return known


def row_problem(row: StageRow | RangeRow | ErrorRow) -> str:
    """Why no run can have this row, though each of its cells is right; empty if it can."""
    if why := schema_problem(row.schema_version):
        return why
    try:
        if isinstance(row, StageRow):
            _check_stage(row)
        elif isinstance(row, RangeRow):
            _check_range(row)
        elif row.status not in (OK, SKIPPED, FAILED):
            return f"status is {given.shortened(repr(row.status))}"
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return f"a cell of JSON is damaged: {given.shortened(str(error))}"
    return ""


def _check_stage(row: StageRow) -> None:
    """Raise ValueError, TypeError or AttributeError for JSON of another form."""
    texts = (*row.node_names, *row.choices)
    counts = (*row.read_elements.values(), *row.written_elements.values())
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("names are no texts")
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise ValueError("elements are no counts")


def _check_range(row: RangeRow) -> None:
    """Raise ValueError, TypeError or AttributeError for JSON of another form."""
    ends = [end for pair in row.threshold_of.values() for end in pair]
    numbers = (*ends, *row.clipped_share_of.values(), *row.counts)
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("a number is not finite")


def _check_plan(plan: Plan) -> None:
    """Raise ValueError for a field of a type or size that no plan has."""
    for what in ("network", "provider", "method", "granularity", "chosen"):
        if not isinstance(getattr(plan, what), str):
            raise ValueError(f"{what} is no text")
    if not isinstance(plan.schema_version, int):
        raise ValueError("schema_version is no whole number")
    if plan.loss_of not in (ACCURACY, TOP1, DEVIATION):
        raise ValueError(f"loss_of is {plan.loss_of!r}")
    if not _is_number(plan.loss_asked) or not 0 <= plan.loss_asked <= 1:
        raise ValueError("loss_asked is not between 0 and 1")
    if not isinstance(plan.looks, int) or isinstance(plan.looks, bool) or plan.looks < 0:
        raise ValueError("looks is no count")
    if not all(_is_number(end) for ends in plan.ranges.values() for end in ends):
        raise ValueError("an end of a range is not finite")
    if not all(_is_number(factor) for factor in plan.factors.values()):
        raise ValueError("a factor is not finite")
    for recipe in plan.recipes:
        _check_recipe(recipe)
    names = [recipe.name for recipe in plan.recipes]
    if len(set(names)) < len(names):
        raise ValueError("two recipes have one name")
    if plan.chosen and plan.chosen not in names:
        raise ValueError(f"there is no recipe {plan.chosen!r}, which is chosen")


def _check_recipe(recipe: Recipe) -> None:
    """Raise ValueError for a field of a type or size that no recipe has."""
    if not isinstance(recipe.name, str) or not recipe.name:
        raise ValueError("a recipe has no name")
    if not isinstance(recipe.weights, str):
        raise ValueError(f"weights of recipe {recipe.name} are no text")
    if not isinstance(recipe.ranked_by, str):
        raise ValueError(f"ranked_by of recipe {recipe.name} is no text")
    counts = recipe.channels.values()
    if not all(isinstance(count, int) and count > 0 for count in counts):
        raise ValueError(f"recipe {recipe.name} keeps numbers of channels that are none")
    operations = recipe.operations
    if operations is not None and not (type(operations) is int and operations >= 0):
        raise ValueError(f"recipe {recipe.name} has operations that are no count")
    if not all(precision in PRECISIONS for precision in recipe.precisions.values()):
        raise ValueError(f"recipe {recipe.name} has a precision that is none")
    for predicted in (recipe.predicted_seconds, recipe.predicted_noise):
        if predicted is not None and not (_is_number(predicted) and predicted >= 0):
            raise ValueError(f"recipe {recipe.name} has a prediction that is no number")


def _is_number(value: object) -> bool:
    """True for a finite number."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and math.isfinite(value)  # type: ignore[arg-type]


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises RidgelineError if it is none."""
    stored = given.parsed(path, given.text(path))
    try:
        recipes = [Recipe(**recipe) for recipe in stored.pop("recipes")]
        ranges = {
            name: (float(low), float(high)) for name, (low, high) in stored.pop("ranges").items()
        }
        plan = Plan(**stored, recipes=recipes, ranges=ranges)
        if why := schema_problem(plan.schema_version):
            raise RidgelineError(f"{path}: {why}")
        _check_plan(plan)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = given.shortened(f"{type(error).__name__}: {error}")
        raise RidgelineError(f"{path} is no plan of Ridgeline: {why}") from None
    return plan
