"""Facts that decide something are fields of a row, also of a row that an older version wrote as a
sentence.
"""

from __future__ import annotations

import json
from pathlib import Path

from probes.records.measurement import Measurement
from probes.records.run import Run, read_run
from tests.devices import GPU, measurement

OLDER = "emulated with IMMA.8816.S8.S8; not quiet"


def read_back(folder: Path, row: Measurement) -> Measurement:
    Run(GPU, "2030-01-02T03:04:05Z", {}, {}, measurements=[row]).save(folder)
    (found,) = read_run(folder).measurements
    return found


def test_a_row_of_an_older_run_that_says_emulated_is_emulated(tmp_path: Path) -> None:
    row = measurement("compute/int4/mma-int32", params='{"chains": 4}', reason=OLDER)
    found = read_back(tmp_path, row)
    assert found.emulated
    assert json.loads(found.params) == {"chains": 4, "emulated": True}
    assert found.reason == OLDER


def test_a_remark_decides_nothing_once_a_row_is_read() -> None:
    assert not measurement("compute/int4/mma-int32", reason=OLDER).emulated
    assert measurement("compute/int4/mma-int32", params='{"emulated": true}').emulated


def test_a_row_with_another_remark_is_read_as_it_was(tmp_path: Path) -> None:
    row = measurement("compute/fp32", reason="not emulated with anything")
    assert read_back(tmp_path, row) == row
