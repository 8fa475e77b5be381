"""A run on disk reads back as it was, and says plainly what is wrong where it does not."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kernels.device import Cache
from probes.records.measurement import FAILED, Measurement, Moment, RidgelineError
from probes.records.run import (
    PARTIAL,
    Run,
    new_folder,
    read_moments,
    read_run,
    remove_parts,
    replace_file,
)
from probes.records.table import csv_text
from tests.devices import CPU, GPU, measurement


def saved(folder: Path) -> Run:
    """A run of three rows, which is written to ``folder``."""
    rows = [
        measurement("compute/fp32", 6.5e13),
        measurement("bandwidth/dram/copy", status=FAILED, reason='out[3] is "1",\nshould be 2; ü'),
        measurement("bandwidth/dram/read", seconds_low=None, seconds_high=None, clock_hz=None),
    ]
    run = Run(GPU, "2030-01-02T03:04:05Z", {"quick": True}, {"python": "3.12"}, measurements=rows)
    run.save(folder)
    return run


def test_a_run_reads_back_as_it_was(tmp_path: Path) -> None:
    run = saved(tmp_path)
    assert read_run(tmp_path) == run
    assert read_run(tmp_path).status == PARTIAL


def test_the_columns_of_the_table_stay_as_they_are(tmp_path: Path) -> None:
    saved(tmp_path)
    header = (tmp_path / "measurements.csv").read_text().splitlines()[0]
    assert header == (
        "schema_version,device,started,probe,kernel,backend,dtype,ceiling,params,status,reason,flops,bytes,"
        "seconds_median,seconds_best,seconds_low,seconds_high,samples,dropped,clock_hz,instruction,trusted,doubt,x,emulated,power_w,joules"
    )


def test_what_is_unknown_is_an_empty_cell(tmp_path: Path) -> None:
    saved(tmp_path)
    assert read_run(tmp_path).measurements[2].spread is None
    assert "None" not in (tmp_path / "measurements.csv").read_text()


def test_keys_of_a_newer_minor_version_are_ignored(tmp_path: Path) -> None:
    run = saved(tmp_path)
    path = tmp_path / "run.json"
    facts = json.loads(path.read_text())
    facts["later"] = facts["device"]["later"] = 1
    path.write_text(json.dumps(facts))
    assert read_run(tmp_path) == run


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match=rf"{tmp_path} is not a run of Ridgeline"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"device": 3}', '{"schema_version": 1, "device": {}}']
)
def test_damaged_facts_are_one_clear_line(tmp_path: Path, text: str) -> None:
    saved(tmp_path)
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RidgelineError, match=r"run\.json") as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_schema_of_the_future_is_refused(tmp_path: Path) -> None:
    run = saved(tmp_path)
    dataclasses.replace(run, schema_version=99).save(tmp_path)
    with pytest.raises(
        RidgelineError, match=r"schema 99 is of a newer Ridgeline than this one, .* update this one"
    ):
        read_run(tmp_path)
    dataclasses.replace(run, schema_version=-1).save(tmp_path)
    with pytest.raises(RidgelineError, match="schema -1 is older than any that Ridgeline wrote"):
        read_run(tmp_path)


def test_a_truncated_table_names_its_line_and_keeps_the_others(tmp_path: Path) -> None:
    run = saved(tmp_path)
    path = tmp_path / "measurements.csv"
    path.write_text(path.read_text()[:-70])  # cuts the last row in its middle
    damaged = read_run(tmp_path)
    assert damaged.measurements == run.measurements[:2]
    assert re.fullmatch(
        r"measurements\.csv line 5 is damaged and left out: \d+ cells, not 27", damaged.damage[0]
    )


def test_rows_that_are_not_wanted_are_passed_over_even_if_they_are_damaged(tmp_path: Path) -> None:
    run = saved(tmp_path)
    path = tmp_path / "measurements.csv"
    path.write_text(path.read_text().replace("0.000998", "soon", 1))
    others = read_run(tmp_path, lambda tag: tag.startswith("bandwidth/"))
    assert others.measurements == run.measurements[1:]
    assert others.damage == []


def test_text_where_a_number_belongs_names_its_line_and_column(tmp_path: Path) -> None:
    run = saved(tmp_path)
    path = tmp_path / "measurements.csv"
    path.write_text(path.read_text().replace("0.000998", "soon", 1))
    damaged = read_run(tmp_path)
    assert damaged.measurements == run.measurements[1:]
    sentence = (
        "measurements.csv line 2 is damaged and left out: seconds_low is 'soon', not a number "
        "from 1e-15 to 1e+09"
    )
    assert damaged.damage == [sentence]


def test_params_that_are_null_are_unknown_and_that_is_told(tmp_path: Path) -> None:
    run = saved(tmp_path)
    path = tmp_path / "measurements.csv"
    path.write_text(path.read_text().replace("{}", "null"))
    damaged = read_run(tmp_path)
    assert [row.params for row in damaged.measurements] == ["", "", ""]
    assert [row.value for row in damaged.measurements] == [row.value for row in run.measurements]
    assert damaged.damage == [
        "measurements.csv lines 2 to 3, 5 are read as if params were empty: it is 'null'"
    ]


def test_the_guards_of_names_are_taken_off_unless_an_older_version_wrote_the_run(
    tmp_path: Path,
) -> None:
    names = ["=1+1", "'=1+1", "'plain", "\t=a", "-2"]
    rows = [measurement("layer/matmul", kernel=name) for name in names]
    Run(GPU, "2030-01-02T03:04:05Z", {}, {}, measurements=rows).save(tmp_path)
    assert [row.kernel for row in read_run(tmp_path).measurements] == names
    path = tmp_path / "run.json"
    facts = json.loads(path.read_text())
    del facts["guard"]
    path.write_text(json.dumps(facts))
    cells = [row.kernel for row in read_run(tmp_path).measurements]
    assert cells == ["'=1+1", "''=1+1", "'plain", "'\t=a", "'-2"], "as the cells stand"


def test_the_curve_of_a_sustained_load_is_read_like_a_table(tmp_path: Path) -> None:
    run = saved(tmp_path)
    assert read_moments(tmp_path, run) == []
    moment = Moment(
        schema_version=1,
        device="GPU",
        started="now",
        tag="compute/fp32/sustained",
        seconds=0.1,
        rate=6e13,
        clock_hz=1.9e9,
        power_w=None,
        temperature_c=60.0,
    )
    without_rate = dataclasses.replace(moment, rate=float("nan"))
    text = csv_text([moment, without_rate, moment], Moment)
    (tmp_path / "sustained.csv").write_text(text)
    assert read_moments(tmp_path, run) == [moment, moment]
    assert run.damage == [
        (
            "sustained.csv line 3 is damaged and left out: rate is 'nan', not a number from "
            "1e-09 to 1e+30"
        )
    ]
    (tmp_path / "sustained.csv").write_text("tag\n")
    assert read_moments(tmp_path, run) == []
    assert "is no table of a run: line 1 has no column schema_version" in run.damage[1]


def test_a_failed_write_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    replace_file(path, "old")

    def write_to_full_disk(path: Path, data: bytes) -> int:
        with open(path, "wb") as out:
            out.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_to_full_disk)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["x.csv"]
    assert path.read_text() == "old"


def names_in(folder: Path) -> set[str]:
    """The names of all files of a folder."""
    return {path.name for path in folder.iterdir()}


def is_dead(process: int) -> bool:
    """True if a process has ended and nobody has waited for it."""
    state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
    return state.startswith(" Z")


def test_what_a_killed_process_was_writing_is_removed_by_the_next_run_there(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as writer:
        abandoned = [
            "measurements.csv.part",
            "report.html.999999999.part",
            f"run.json.{os.getpid()}.part",
        ]
        being_written = f"roofline.png.{writer.pid}.part"
        not_ours = ["notes.part", "a.csv.part.csv", "thesis.txt.1.part"]
        for name in (*abandoned, being_written, *not_ours):
            (tmp_path / name).write_text("half")
        remove_parts(tmp_path)
        assert names_in(tmp_path) == {being_written, *not_ours}, "one process still writes"
        writer.kill()
        while not is_dead(writer.pid):
            time.sleep(0.01)
        remove_parts(tmp_path)
        assert names_in(tmp_path) == set(not_ours), "others' files are theirs"


def test_a_warning_may_name_a_path_that_is_no_text(tmp_path: Path) -> None:
    run = saved(tmp_path)
    run.warnings.append("cannot read " + os.fsdecode(b"net\xff"))
    run.save(tmp_path)
    assert read_run(tmp_path).warnings == ["cannot read net\ufffd"]


def test_runs_started_in_the_same_second_have_a_folder_each(tmp_path: Path) -> None:
    folders = [new_folder(tmp_path, GPU, "2030-01-02T03:04:05Z") for _ in range(3)]
    assert [folder.name for folder in folders] == [
        "20300102T030405Z",
        "20300102T030405Z-2",
        "20300102T030405Z-3",
    ]
    assert all(folder.is_dir() and folder.parent == tmp_path / "made-up-gpu" for folder in folders)


@pytest.mark.parametrize("where", ["file", "file/below", "link"])
def test_a_place_where_no_folder_can_be_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at" / "all")
    with pytest.raises(RidgelineError, match=f"cannot write to --out {tmp_path / where}"):
        new_folder(tmp_path / where, GPU, "2030-01-02T03:04:05Z")


@pytest.mark.parametrize("letter", ["g", "é", "機"])
def test_a_device_of_a_long_name_has_a_folder(letter: str, tmp_path: Path) -> None:
    assert new_folder(tmp_path, replace(GPU, name=letter * 900), "2030-01-02T03:04:05Z").is_dir()


def test_rates_follow_from_the_facts() -> None:
    row: Measurement = measurement("compute/fp32", 6.5e13)
    assert row.rate == pytest.approx(6.5e13)
    assert row.spread == pytest.approx(0.002)
    assert dataclasses.replace(row, status=FAILED).rate is None
    assert measurement("bandwidth/dram/copy", flops=0.0, rate=4e12).rate == pytest.approx(4e12)


def test_what_a_row_says_follows_its_tag() -> None:
    latency = measurement("latency/l2", flops=0.0, bytes=0.0)
    assert (latency.rate, latency.value) == (None, 1e-3)
    assert dataclasses.replace(latency, status=FAILED).value is None
    point = measurement("sweep/bandwidth/working-set/read", rate=4e12, x=65536.0)
    assert (point.quantity, point.value, point.x) == ("bandwidth", pytest.approx(4e12), 65536.0)
    assert measurement("layer/conv", rate=3e9).value == pytest.approx(3e9)


@pytest.mark.parametrize(
    ("shared_by", "units"), [("0", 1), ("0-1", 2), ("0,2", 1), ("8-15", 1), ("", 1)]
)
def test_caches_say_how_many_of_our_cores_share_them(shared_by: str, units: int) -> None:
    rows = [
        {"level": 2, "type": "Unified", "size_bytes": 1 << 20, "shared_by": shared_by},
        {"level": 1, "type": "Instruction", "size_bytes": 1 << 15, "shared_by": "0"},
        {"level": 1, "type": "Data", "size_bytes": 1 << 15, "shared_by": "0"},
    ]
    device = dataclasses.replace(CPU, facts={"cpus": [0, 1], "caches": rows})
    assert device.caches == (Cache("l1", 1 << 15, 1), Cache("l2", 1 << 20, units))


def test_a_gpu_has_one_l2_and_an_l1_for_each_multiprocessor() -> None:
    device = dataclasses.replace(GPU, facts={"shared_bytes_per_multiprocessor": 200_000})
    assert device.caches == (Cache("l1", 200_000, 1), Cache("l2", 50 << 20, 100))
    assert dataclasses.replace(device, arch="10.0").caches == device.caches
    assert dataclasses.replace(device, arch="6.1").caches == (Cache("l2", 50 << 20, 100),), (
        "its L1 is another memory"
    )
    assert dataclasses.replace(GPU, last_cache_bytes=None).caches == ()
