"""A made-up network of four stages for tests of a plan: every figure can be worked out by hand.

input -> conv (64 channels) -> pool (passes) -> depthwise -> fc -> output
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis.layers.place import placements
from analysis.model.ceilings import ceilings
from analysis.model.roofline import roofline
from analysis.plan.costs import Timings
from probes.records.measurement import Measurement
from probes.records.precision import RANKING, TEST, ErrorRow, Plan, Precision, RangeRow, StageRow
from tests import devices
from tests.devices import measurement

NETWORK, PROVIDER = "made-up", "cpu"
US = 1e-6
DRAM = 1e11
"""B/s."""
ROOFS = (
    measurement("compute/fp32", 1e12),
    measurement("compute/int8/vnni-int32", 4e12),
    measurement("bandwidth/dram/copy", DRAM),
)
SECONDS: Mapping[str, Mapping[str, float]] = {
    "conv": {"fp32": 52 * US, "int8": 21 * US},
    "pool": {"fp32": 5 * US, "int8": 2 * US},
    "depthwise": {"fp32": 20 * US, "int8": 20 * US},
    "fc": {"fp32": 40 * US, "int8": 10 * US},
}
DECIBELS = {"conv": 38.0, "depthwise": 4.1, "fc": 30.0}
"""Of each stage alone in INT8."""


def stage(name: str, op: str, reads: str, writes: str, **changed: Any) -> StageRow:
    """A row of a stage whose tensors have 1000 elements each."""
    values: dict[str, Any] = {
        "schema_version": 1,
        "network": NETWORK,
        "stage": name,
        "op": op,
        "nodes": json.dumps([name]),
        "reads": json.dumps({reads: 1000}),
        "writes": json.dumps({writes: 1000}),
        "weights": 500,
        "flops": 1e6,
        "precisions": '["fp32", "int8"]',
        "passes": False,
    }
    return StageRow(**(values | changed))


STAGES = (
    stage("conv", "Conv", "input", "a", nodes='["conv", "relu"]'),
    stage("pool", "MaxPool", "a", "b", weights=0, flops=0.0, passes=True),
    stage("depthwise", "Conv", "b", "c"),
    stage("fc", "Gemm", "c", "output"),
)


def layer(name: str, precision: str, seconds: float | None, **changed: Any) -> Measurement:
    """The row of a node; without seconds it was skipped."""
    facts = {
        "network": NETWORK,
        "layer": name,
        "family": "convolution",
        "provider": PROVIDER,
        "precision": precision,
        **changed.pop("params", {}),
    }
    if seconds is None:
        changed = {"status": "skipped", "seconds_low": None, "seconds_high": None} | changed
    row = measurement(
        "layer/convolution",
        kernel="Conv",
        backend=PROVIDER,
        dtype=precision,
        params=json.dumps(facts),
        flops=1e6,
        bytes=2500.0 * (4 if precision == "fp32" else 1),
        **({"seconds_median": seconds} | changed),
    )
    return replace(row, seconds_median=seconds)


def layers(seconds: Mapping[str, Mapping[str, float]] = SECONDS) -> list[Measurement]:
    """Rows of all stages."""
    return [
        layer(name, precision, time)
        for name, times in seconds.items()
        for precision, time in times.items()
    ]


def conversion(series: str, elements: float, seconds: float) -> Measurement:
    """A point of the time of a conversion."""
    return measurement(
        f"sweep/overhead/elements/{series}",
        backend=PROVIDER,
        flops=None,
        bytes=None,
        dtype="int8",
        seconds_median=seconds,
        x=elements,
    )


CONVERSIONS = (
    conversion("quantize", 100, 1 * US),
    conversion("quantize", 10000, 4 * US),
    conversion("dequantize", 1000, 1 * US),
)


def timings(rows: Sequence[Measurement]) -> Timings:
    """These rows, placed on the roofs."""
    every = [*ROOFS, *rows]
    tops = ceilings(every, devices.CPU)
    return Timings(
        provider=PROVIDER,
        rows=every,
        placements=placements(every, tops, devices.CPU),
        model=roofline(tops.values()),
        device=devices.CPU,
    )


def stage_error(name: str, decibels: float, precision: str = "int8", **changed: Any) -> ErrorRow:
    """The error of one stage alone."""
    values: dict[str, Any] = {
        "schema_version": 1,
        "network": NETWORK,
        "stage": name,
        "precision": precision,
        "method": "entropy",
        "granularity": "channel",
        "inputs": 16,
        "own_sqnr_db": decibels + 2,
        "sqnr_db": decibels,
        "answers": 16,
        "same": 16,
    }
    return ErrorRow(**(values | changed))


def recipe_error(
    recipe: str, inputs_of: str, gained: int = 0, lost: int = 0, **changed: Any
) -> ErrorRow:
    """The error of a recipe on 400 labelled inputs, 380 of them right in FP32."""
    values: dict[str, Any] = {
        "schema_version": 1,
        "network": NETWORK,
        "recipe": recipe,
        "method": "entropy",
        "granularity": "channel",
        "inputs_of": inputs_of,
        "inputs": 400,
        "sqnr_db": 30.0,
        "answers": 400,
        "same": 400 - gained - lost,
        "labelled": 400,
        "right_in_fp32": 380,
        "gained": gained,
        "lost": lost,
    }
    return ErrorRow(**(values | changed))


def both(recipe: str, ranking: int, test: int) -> list[ErrorRow]:
    """The errors of a recipe that gets so many of 400 wrong which FP32 gets right."""
    return [recipe_error(recipe, RANKING, lost=ranking), recipe_error(recipe, TEST, lost=test)]


def timed(recipe: str, seconds: float | None, **changed: Any) -> Measurement:
    """The row of the network in a recipe, known to 1 %; without seconds it was skipped."""
    params = {"network": NETWORK, "recipe": recipe, "provider": PROVIDER}
    if seconds is None:
        changed = {"status": "skipped", "reason": "no kernel"} | changed
    row = measurement(
        f"recipe/{recipe.replace(' ', '-')}",
        backend=PROVIDER,
        dtype="int8",
        flops=None,
        bytes=None,
        params=json.dumps(params),
        **{
            "seconds_median": seconds,
            "seconds_low": None if seconds is None else 0.99 * seconds,
            "seconds_high": None if seconds is None else 1.01 * seconds,
            **changed,
        },
    )
    return replace(row, seconds_median=seconds)


ERRORS = tuple(stage_error(name, decibels) for name, decibels in DECIBELS.items())


def known(errors: Sequence[ErrorRow] = ERRORS, plan: Plan | None = None) -> Precision:
    """What a run knows of the network."""
    return Precision(stages=list(STAGES), ranges=list(RANGES), errors=list(errors), plan=plan)


def range_row(tensor: str, inputs: int, end: float, symmetric: bool = False) -> RangeRow:
    """The range of an activation, up to ``end`` by entropy."""
    return RangeRow(
        schema_version=1,
        network=NETWORK,
        tensor=tensor,
        inputs=inputs,
        batch=1,
        symmetric=symmetric,
        least=0.0,
        most=9.0,
        thresholds=json.dumps({"minmax": [0.0, 9.0], "entropy": [-end if symmetric else 0, end]}),
        clipped=json.dumps({"minmax": 0.0, "entropy": 0.01}),
    )


RANGES = (
    range_row("a", 4, 5.0),
    range_row("a", 16, 6.0),
    range_row("a", 16, 7.0, symmetric=True),
)
