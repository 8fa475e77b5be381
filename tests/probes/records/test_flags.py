"""A fact that decides something is a field of its row, however an older version wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from probes.records.measurement import Measurement
from probes.records.run import Run, read_run
from tests.devices import GPU, measurement

OLDER_REASON = "emulated with IMMA.8816.S8.S8; not quiet"
"""A reason that an older version wrote, in which a fact stands as a sentence."""


def read_back(folder: Path, row: Measurement) -> Measurement:
    """The row as it is read from a run that holds it."""
    Run(GPU, "2030-01-02T03:04:05Z", {}, {}, measurements=[row]).save(folder)
    (stored,) = read_run(folder).measurements
    return stored


def test_a_row_of_an_older_run_that_says_emulated_is_emulated(tmp_path: Path) -> None:
    row = measurement("compute/int4/mma-int32", reason=OLDER_REASON, schema_version=1)
    stored = read_back(tmp_path, row)
    assert stored.emulated
    assert stored.reason == OLDER_REASON


def test_facts_that_older_runs_kept_in_params_become_columns(tmp_path: Path) -> None:
    params = '{"emulated": true, "x": 4096}'
    row = measurement("compute/fp32", params=params, schema_version=1)
    stored = read_back(tmp_path, row)
    assert (stored.x, stored.emulated) == (4096, True)


@pytest.mark.parametrize("facts", [{"x": 4096.0}, {"emulated": True}])
def test_columns_of_facts_are_read_back(tmp_path: Path, facts: dict[str, Any]) -> None:
    row = measurement("compute/fp32", **facts)
    assert read_back(tmp_path, row) == row


def test_a_remark_decides_nothing_once_a_row_is_read() -> None:
    assert not measurement("compute/int4/mma-int32", reason=OLDER_REASON).emulated


def test_a_row_with_another_remark_is_read_as_it_was(tmp_path: Path) -> None:
    row = measurement("compute/fp32", reason="not emulated with anything")
    assert read_back(tmp_path, row) == row
