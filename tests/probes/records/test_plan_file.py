"""A plan in a file is read as it was written, and one that was damaged by hand is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probes.records.measurement import RidgelineError
from probes.records.precision import ACCURACY, Plan, Recipe, read_plan

PLAN = Plan(
    network="net",
    provider="cpu",
    loss_asked=0.01,
    loss_of=ACCURACY,
    method="minmax",
    ranges={"x": (-1.0, 1.0)},
    recipes=[
        Recipe(name="fp32", precisions={}, predicted_seconds=1e-3, predicted_noise=0.0),
        Recipe(name="int8", precisions={"conv": "int8"}),
    ],
    chosen="int8",
    looks=1,
)
OTHERS: tuple[Any, ...] = (
    None,
    "x",
    "",
    -1,
    float("inf"),
    float("nan"),
    [],
    {},
    True,
    [[1]],
    {"a": "b"},
    {"a": 3},
)
"""Values of other types, or of no sense."""


def fitting(field: str, value: Any) -> bool:
    """True if a plan can have this value in that field."""
    texts = ("network", "provider", "method", "granularity", "weights", "ranked_by")
    if field in texts or field == "name":
        return isinstance(value, str) and (field in texts or bool(value))
    if field in ("factors", "channels") and value == {"a": 3}:
        return True
    empty: dict[str, Any] = {
        "chosen": "",
        "recipes": None,
        "ranges": {},
        "factors": {},
        "precisions": {},
        "channels": {},
        "operations": None,
        "predicted_seconds": None,
        "predicted_noise": None,
    }
    return field in empty and value == empty[field] and value is not True


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(PLAN.as_json(), encoding="utf-8")
    assert read_plan(path) == PLAN


@pytest.mark.parametrize("value", OTHERS, ids=repr)
def test_a_damaged_field_is_one_clear_line(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    whole = json.loads(PLAN.as_json())
    places = [(field, whole) for field in list(whole)]
    places += [(field, whole["recipes"][1]) for field in list(whole["recipes"][1])]
    for field, holder in places:
        if fitting(field, value) or (field == "schema_version" and value is True):
            continue
        before = holder[field]
        holder[field] = value
        path.write_text(json.dumps(whole), encoding="utf-8")
        holder[field] = before
        with pytest.raises(RidgelineError) as refusal:
            read_plan(path)
        line = str(refusal.value)
        assert str(path) in line and "\n" not in line, (field, value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 100_000, "{", "\x00", '{"q": 1}'])
def test_what_is_no_plan_is_one_clear_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RidgelineError) as refusal:
        read_plan(path)
    assert "\n" not in str(refusal.value)


def test_no_two_recipes_have_one_name_and_the_chosen_one_is_there(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    whole = json.loads(PLAN.as_json())
    path.write_text(json.dumps({**whole, "recipes": whole["recipes"] * 2}), encoding="utf-8")
    with pytest.raises(RidgelineError, match="two recipes have one name"):
        read_plan(path)
    path.write_text(json.dumps({**whole, "chosen": "fp16"}), encoding="utf-8")
    with pytest.raises(RidgelineError, match="there is no recipe 'fp16'"):
        read_plan(path)
