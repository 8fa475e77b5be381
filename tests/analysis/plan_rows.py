"""Made-up stages, times, ranges and errors of a network, as a run of the planner leaves them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from probes.records.measurement import Measurement
from probes.records.precision import (
    ERRORS_FILE,
    PLAN_FILE,
    PLAN_SCHEMA,
    RANGES_FILE,
    RANKING,
    STAGES_FILE,
    TEST,
    ErrorRow,
    Plan,
    Precision,
    RangeRow,
    Recipe,
    StageRow,
)
from probes.records.run import Run
from probes.records.table import csv_text
from tests.analysis.layer_rows import run_of
from tests.devices import measurement

NETWORK = "ch_ppocr_mobile_v2.0_cls_mobile"
PROVIDER = "cuda"
METHODS = (
    "minmax",
    "entropy",
    "percentile-99.9",
    "percentile-99.99",
    "percentile-99.999",
    "mse",
)
METHOD = "percentile-99.99"
BINS = 2048
INPUTS = (1, 2, 4, 8, 16)
LONG = "features/block_{}/inverted_residual/depthwise_separable/conv_{}/Conv_output_0"
TEST_ANSWERS, RANKING_ANSWERS = 600, 200
LOSS_ASKED = 0.01
SIMPLE = ("fp32", "fp16", "int8", "first and last in floats", "sensitive in floats")
SQNR_OF_PLANS = (40.0, 30.0, 22.0, 16.0)
"""Of each of our recipes: the least ratio of a stage that it quantizes, in dB."""


@dataclass
class Made:
    """A made-up network of so many stages."""

    count: int
    """Its stages."""
    plans: int = len(SQNR_OF_PLANS)
    """Recipes of our own."""
    seed: int = 1
    """Of its numbers."""
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    """Time of one run of each stage in each precision."""
    sqnr_db: dict[str, float] = field(default_factory=dict)
    """Of each stage alone in INT8."""

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        for i in range(self.count):
            in_fp32 = float(10 ** random.uniform(-5.3, -3.8))
            name = stage_name(i)
            self.seconds[name, "fp32"] = in_fp32
            self.seconds[name, "fp16"] = in_fp32 * float(random.uniform(0.55, 1.05))
            self.seconds[name, "int8"] = in_fp32 * float(random.uniform(0.25, 1.15))
            harm = 18 if i % 5 == 0 else 0
            self.sqnr_db[name] = float(random.uniform(22, 58)) - harm

    @property
    def names(self) -> list[str]:
        """Names of its stages."""
        return [stage_name(i) for i in range(self.count)]

    def stage_rows(self) -> list[StageRow]:
        """One after another; every fifth has a long name, and every ninth passes numbers on."""
        rows = []
        for i, name in enumerate(self.names):
            row = StageRow(
                schema_version=PLAN_SCHEMA,
                network=NETWORK,
                stage=name,
                op="MaxPool" if passes(i) else "Conv",
                nodes=json.dumps([name]),
                reads=json.dumps({tensor_name(i): 4096}),
                writes=json.dumps({tensor_name(i + 1): 4096}),
                weights=0 if passes(i) else 1000 + i,
                flops=1e6 * (i + 1),
                precisions=json.dumps(["fp32", "fp16", "int8"]),
                passes=passes(i),
            )
            rows.append(row)
        return rows

    def layer_rows(self) -> list[Measurement]:
        """A row of each stage in each precision, as networks have them."""
        rows = []
        for (name, precision), seconds in self.seconds.items():
            facts = {
                "network": NETWORK,
                "layer": name,
                "op": "Conv",
                "family": "convolution",
                "provider": PROVIDER,
                "precision": precision,
                "warm": True,
                "working_set": 1e5,
                "launches": 1,
                "in_channels": 64,
                "out_channels": 64,
                "groups": 64 if len(name) > 20 else 1,
                "window": [3, 3],
            }
            row = measurement(
                "layer/convolution",
                kernel="Conv",
                backend=PROVIDER,
                dtype=precision,
                params=json.dumps(facts),
                flops=1e6,
                bytes=1e5,
                seconds_median=seconds,
            )
            rows.append(row)
        return rows

    def recipes(self) -> list[Recipe]:
        """The simple ones, and ours."""
        everywhere = dict.fromkeys(self.names, "int8")
        first, last = self.names[0], self.names[-1]
        by_harm = sorted(self.names, key=lambda name: self.sqnr_db[name])
        sensitive = set(by_harm[: max(1, self.count // 7)])
        chosen: list[dict[str, str]] = [
            {},
            dict.fromkeys(self.names, "fp16"),
            everywhere,
            {name: "fp16" if name in (first, last) else "int8" for name in self.names},
            {name: "fp16" if name in sensitive else "int8" for name in self.names},
        ]
        for least in SQNR_OF_PLANS[: self.plans]:
            precisions = {name: self._best(name, least) for name in self.names}
            chosen.append(precisions)
        names = [*SIMPLE, *(f"plan {number}" for number in range(1, self.plans + 1))]
        return [self._recipe(*each) for each in zip(names, chosen, strict=True)]

    def _best(self, name: str, least: float) -> str:
        allowed = ["fp32", "fp16"] + ["int8"] * (self.sqnr_db[name] >= least)
        return min(allowed, key=lambda precision: self.seconds[name, precision])

    def _recipe(self, name: str, precisions: dict[str, str]) -> Recipe:
        noise = 0.0
        for stage, precision in precisions.items():
            if precision == "int8":
                noise += 10 ** (-self.sqnr_db[stage] / 10)
        return Recipe(
            name=name,
            precisions=precisions,
            predicted_seconds=self._seconds(precisions) * 1.03,
            predicted_noise=noise,
        )

    def _seconds(self, precisions: dict[str, str]) -> float:
        return sum(self.seconds[name, precisions.get(name, "fp32")] for name in self.names)

    def recipe_rows(self) -> list[Measurement]:
        """A row of each recipe as a whole network."""
        random = np.random.default_rng(self.seed + 1)
        rows = []
        for recipe in self.recipes():
            seconds = (recipe.predicted_seconds or 0.0) * float(random.uniform(0.9, 1.12))
            facts = {"recipe": recipe.name, "network": NETWORK, "provider": PROVIDER}
            row = measurement(
                f"recipe/{recipe.slug}",
                kernel="network",
                backend=PROVIDER,
                dtype="fp32",
                params=json.dumps(facts),
                flops=None,
                bytes=None,
                seconds_median=seconds,
                seconds_low=seconds * 0.985,
                seconds_high=seconds * 1.02,
            )
            rows.append(row)
        return rows

    def error_rows(self, deviation: bool = False) -> list[ErrorRow]:
        """Of each stage alone in INT8 and FP16, and of each recipe on both kinds of inputs."""
        rows = []
        for name, ratio in self.sqnr_db.items():
            rows.append(_error(stage=name, precision="int8", sqnr_db=ratio, method=METHOD))
            rows.append(_error(stage=name, precision="fp16", sqnr_db=ratio + 40))
        for recipe in self.recipes():
            noise = recipe.predicted_noise or 1e-9
            for inputs_of, answers in ((RANKING, RANKING_ANSWERS), (TEST, TEST_ANSWERS)):
                labels: dict[str, int] = {}
                if not deviation:
                    lost = round(answers * min(0.5, noise * 0.3))
                    labels = {
                        "labelled": answers,
                        "right_in_fp32": answers * 39 // 40,
                        "lost": lost,
                        "gained": lost // 4 + (inputs_of == TEST),
                    }
                ratio = -10 * math.log10(noise * 1.2)
                row = _error(
                    recipe=recipe.name,
                    inputs_of=inputs_of,
                    inputs=answers,
                    sqnr_db=ratio,
                    method=METHOD,
                    **labels,
                )
                rows.append(row)
        return rows

    def plan(self, chosen: str = "plan 3", loss_of: str = "accuracy") -> Plan:
        """The plan, with this recipe chosen."""
        names = [recipe.name for recipe in self.recipes()]
        return Plan(
            network=NETWORK,
            provider=PROVIDER,
            loss_asked=LOSS_ASKED,
            loss_of=loss_of,
            method=METHOD,
            recipes=self.recipes(),
            chosen=chosen if chosen in names else names[-1] if chosen else "",
            looks=2,
        )

    def known(self, deviation: bool = False) -> Precision:
        """All that a run knows of it."""
        return Precision(
            stages=self.stage_rows(),
            ranges=range_rows(self.count),
            errors=self.error_rows(deviation),
            plan=self.plan(loss_of="deviation" if deviation else "accuracy"),
        )

    def run(self) -> Run:
        """The run that timed it."""
        return run_of(*self.layer_rows(), *self.recipe_rows())


def save(known: Precision, folder: Path) -> None:
    """Write the files of a run that hold this; none that would be empty."""
    tables: Sequence[tuple[str, type, Sequence[Any]]] = (
        (STAGES_FILE, StageRow, known.stages),
        (RANGES_FILE, RangeRow, known.ranges),
        (ERRORS_FILE, ErrorRow, known.errors),
    )
    for name, row_type, rows in tables:
        if rows:
            (folder / name).write_text(csv_text(rows, row_type), encoding="utf-8")
    if known.plan:
        (folder / PLAN_FILE).write_text(known.plan.as_json(), encoding="utf-8")


def passes(i: int) -> bool:
    """True for a stage that only passes numbers on."""
    return i % 9 == 8


def stage_name(i: int) -> str:
    """Name of a stage."""
    return LONG.format(i, i) if i % 5 == 0 else f"Conv_{i}"


def tensor_name(i: int) -> str:
    """Name of the activation that a stage reads."""
    return f"{stage_name(i)}:in"


def _error(**cells: Any) -> ErrorRow:
    known = {"granularity": "channel", "inputs": 16, **cells}
    return ErrorRow(schema_version=PLAN_SCHEMA, network=NETWORK, **known)


def range_rows(count: int, seed: int = 0) -> list[RangeRow]:
    """What 1 to 16 inputs show of the activations of so many stages."""
    random = np.random.default_rng(seed)
    rows = []
    for i in range(count + 1):
        values = random.standard_t(2 + i % 7, 20000) * 10 ** random.uniform(-1, 2)
        if i % 3 == 0:
            values = np.maximum(values, 0)  # after a Relu
        for inputs in INPUTS:
            seen = values[: len(values) * inputs // INPUTS[-1]]
            rows.append(_range_row(i, seen, inputs, 1))
        rows.append(_range_row(i, values, INPUTS[-1], INPUTS[-1]))
    return rows


def _range_row(i: int, seen: np.ndarray, inputs: int, batch: int) -> RangeRow:
    least, most = float(seen.min()), float(seen.max())
    is_all = (inputs, batch) == (INPUTS[-1], 1)
    counts, _ = np.histogram(seen, BINS, (least, most))
    thresholds = {"minmax": (least, most)}
    for method, share in zip(METHODS[1:], (0.995, 0.999, 0.9999, 0.99999, 0.998), strict=True):
        end = float(np.quantile(np.abs(seen), share)) * (1 + 0.02 * math.log2(batch))
        thresholds[method] = (max(least, -end), min(most, end))
    if not is_all:
        del thresholds["entropy"]  # it takes long, and is found of all inputs only
    clipped = {
        method: float(np.mean((seen < low) | (seen > high)))
        for method, (low, high) in thresholds.items()
    }
    return RangeRow(
        schema_version=PLAN_SCHEMA,
        network=NETWORK,
        tensor=tensor_name(i),
        inputs=inputs,
        batch=batch,
        symmetric=True,
        least=least,
        most=most,
        thresholds=json.dumps(thresholds),
        clipped=json.dumps(clipped),
        histogram=json.dumps(counts.tolist()) if is_all else "",
    )
