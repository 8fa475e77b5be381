"""All importers say alike in which precision layers compute."""

from __future__ import annotations

import pytest

from probes.importers.layer_row import precision_of


@pytest.mark.parametrize(
    ("dtypes", "precision"),
    [
        (["fp32", "int64", "bool", "int32", "fp32"], "fp32"),
        (["int8", "fp16", "", "string"], "fp16+int8"),
        (["int64", "bool"], "bool+int64"),
        ([""], "fp32"),
    ],
)
def test_types_of_shapes_and_conditions_are_no_precision(dtypes: list[str], precision: str) -> None:
    assert precision_of(dtypes) == precision
