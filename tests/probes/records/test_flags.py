"""Facts that decide something are fields of a row, also of a row that an older version wrote as a
sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from probes.records.measurement import Measurement
from probes.records.run import Run, read_run
from tests.devices import GPU, measurement

OLDER = "emulated with IMMA.8816.S8.S8; not quiet"


def read_back(folder: Path, row: Measurement) -> Measurement:
    Run(GPU, "2030-01-02T03:04:05Z", {}, {}, measurements=[row]).save(folder)
    (found,) = read_run(folder).measurements
    return found


def test_a_row_of_an_older_run_that_says_emulated_is_emulated(tmp_path: Path) -> None:
    row = measurement("compute/int4/mma-int32", reason=OLDER, schema_version=1)
    found = read_back(tmp_path, row)
    assert found.emulated
    assert found.reason == OLDER


def test_facts_that_older_runs_kept_in_params_become_columns(tmp_path: Path) -> None:
    params = '{"emulated": true, "x": 4096}'
    found = read_back(tmp_path, measurement("compute/fp32", params=params, schema_version=1))
    assert (found.x, found.emulated) == (4096, True)


@pytest.mark.parametrize("facts", [{"x": 4096.0}, {"emulated": True}])
def test_columns_of_facts_are_read_back(tmp_path: Path, facts: dict[str, Any]) -> None:
    row = measurement("compute/fp32", **facts)
    assert read_back(tmp_path, row) == row


def test_a_remark_decides_nothing_once_a_row_is_read() -> None:
    assert not measurement("compute/int4/mma-int32", reason=OLDER).emulated


def test_a_row_with_another_remark_is_read_as_it_was(tmp_path: Path) -> None:
    row = measurement("compute/fp32", reason="not emulated with anything")
    assert read_back(tmp_path, row) == row
