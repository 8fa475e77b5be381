"""Nsight Compute's tables: counted work, units, and a clear line where something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probes.importers.ncu import read as ncu
from probes.importers.ncu.counters import number, operations
from probes.records.measurement import RidgelineError

DATA = Path(__file__).parent / "data"


def test_the_raw_page_has_a_row_of_units_and_equal_launches_are_summed() -> None:
    axpy, gemm = ncu.read(DATA / "ncu_raw.csv", "GPU", "now")
    assert (axpy.kernel, axpy.dtype, axpy.flops) == ("axpy", "fp32", 2 * 2 * 1048576)
    assert axpy.bytes == pytest.approx(2 * (8.39e6 + 4194.30e3))
    assert axpy.seconds_median == pytest.approx(10.36e-6)
    assert json.loads(axpy.params)["launches"] == 2
    assert (gemm.kernel, gemm.dtype, gemm.flops) == (
        "sm90_gemm",
        "fp16",
        17179869184 + 1024 + 2 * 2048 + 512,
    )
    assert gemm.seconds_median == pytest.approx(1.024e-3)


def test_a_file_is_one_network_of_the_types_it_computes_in() -> None:
    rows = ncu.read(DATA / "ncu_raw.csv", "GPU", "now")
    assert {json.loads(row.params)["precision"] for row in rows} == {"fp16+fp32"}
    rows = ncu.read(DATA / "ncu_long.csv", "GPU", "now")
    assert {json.loads(row.params)["precision"] for row in rows} == {"fp64"}, (
        "the other kernel computes nothing"
    )


def test_a_table_with_a_row_for_each_metric_is_read() -> None:
    dgemm, zero = ncu.read(DATA / "ncu_long.csv", "GPU", "now")
    assert (dgemm.dtype, dgemm.flops, dgemm.bytes, dgemm.seconds_median) == (
        "fp64",
        2.5e6,
        1.5e9,
        2.5e-3,
    )
    assert (zero.kernel, zero.flops, zero.bytes, zero.seconds_median) == (
        "zero",
        0.0,
        4096.0,
        pytest.approx(3.2e-6),
    )


def test_the_details_page_has_time_and_throughput_but_no_operations() -> None:
    (copy,) = ncu.read(DATA / "ncu_details.csv", "GPU", "now")
    assert copy.bytes == pytest.approx(3e12 * 100e-6)
    assert (copy.flops, copy.reason) == (None, "FLOPs not counted; type not counted: fp32 assumed")


def test_a_summary_per_kernel_counts_its_invocations(tmp_path: Path) -> None:
    header = (
        '"Process ID","Kernel Name","Invocations","Section Name",'
        '"Metric Name","Metric Unit","Minimum","Maximum","Average"'
    )
    lines = [
        header,
        '"1","k","4","c","gpu__time_duration.sum","us","1","9","2"',
        '"1","k","4","c","dram__bytes.sum","Kbyte","1","9","5"',
    ]
    path = tmp_path / "summary.csv"
    path.write_text("\n".join(lines))
    (row,) = ncu.read(path, "GPU", "now")
    assert (row.seconds_median, row.bytes) == (pytest.approx(8e-6), pytest.approx(20e3))


def test_tensor_cores_in_use_but_not_counted_are_unknown_not_zero() -> None:
    scalar = {
        "gpu__time_duration.sum": 1.0,
        "sm__sass_thread_inst_executed_op_ffma_pred_on.sum": 8.0,
    }
    assert operations(scalar) == {"fp32": 16.0}
    assert operations({**scalar, "sm__inst_executed_pipe_tensor_op_hmma.sum": 5.0}) is None
    assert operations({"gpu__time_duration.sum": 1.0}) is None


def test_counts_per_cycle_are_counted_out_and_parts_of_a_total_are_not_added() -> None:
    metrics = {
        "gpu__time_duration.sum": 2.0,
        "smsp__cycles_elapsed.avg.per_second": 1e9,
        "smsp__sass_thread_inst_executed_op_hfma_pred_on.sum.per_cycle_elapsed": 3.0,
        "sm__ops_path_tensor_src_int8.sum": 70.0,
        "sm__ops_path_tensor_src_int8_sparsity_on.sum": 30.0,
        "sm__ops_path_tensor_src_int8_sparsity_off.sum": 40.0,
    }
    assert operations(metrics) == {"fp16": 12e9, "int8": 70.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234,567", 1234567),
        ("1,234.5", 1234.5),
        ("9,05", 9.05),
        ("1.234,5", 1234.5),
        ("1.234.567", 1234567),
        ("1\u202f234,5", 1234.5),
        ("1\u00a0234", 1234),
        ("1’234.5", 1234.5),
        ("n/a", None),
        ("7 (3; 4)", 7),
    ],
)
def test_numbers_are_read_as_ncu_writes_them(text: str, value: float | None) -> None:
    assert number(Path("f"), 1, "m", text) == value


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"5.24"', '"n/a"', "line 7: no gpu__time_duration.sum of void axpy"),
        ('"5.24"', '"fast"', "line 7: gpu__time_duration.sum is 'fast', not a number"),
        ('"us"', '"fortnight"', "line 6: gpu__time_duration.sum has the unit 'fortnight'"),
        (',"5.24","0","0","0","0","1,048,576","0"', "", "line 7: 13 cells, not 20"),
        (
            '"5.24"',
            '"-5.24"',
            "line 7: gpu__time_duration.sum is '-5.24', not a number of zero or more",
        ),
        (
            '"5.24"',
            '"inf"',
            "line 7: gpu__time_duration.sum is 'inf', not a number of zero or more",
        ),
        ('"us"', '""', "line 6: no unit of gpu__time_duration.sum"),
        ('"Kernel Name"', '"Kernel"', "holds no table of Nsight Compute: no column 'Kernel Name'"),
    ],
)
def test_a_malformed_table_is_one_line_with_its_row(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = tmp_path / "ncu.csv"
    path.write_text((DATA / "ncu_raw.csv").read_text().replace(old, new))
    with pytest.raises(RidgelineError) as error:
        ncu.read(path, "GPU", "now")
    assert says in str(error.value)


def test_a_refused_profile_says_why(tmp_path: Path) -> None:
    path = tmp_path / "ncu.csv"
    path.write_text("==ERROR== ERR_NVGPUCTRPERM - The user does not have permission\n")
    with pytest.raises(RidgelineError, match="ERR_NVGPUCTRPERM"):
        ncu.read(path, "GPU", "now")


@pytest.mark.parametrize(
    ("time", "moved", "commas"),
    [
        ("117.344", "27.595.520", True),
        ("117,344", "27,595,520", False),
        ("117.344,00", "27.595.520", True),
        ("117,344.00", "27,595,520", False),
    ],
)
def test_the_language_of_a_table_tells_what_a_point_is(
    tmp_path: Path, time: str, moved: str, commas: bool
) -> None:
    share = "65,77" if commas else "65.77"
    head = '"ID","Kernel Name","Grid Size","CC","Metric Name","Metric Unit","Metric Value"\n'
    lines = [
        f'"0","sgemm","(128, 1, 1)","8.9","gpu__time_duration.sum","ns","{time}"\n',
        f'"0","sgemm","(128, 1, 1)","8.9","dram__bytes.sum","byte","{moved}"\n',
        f'"0","sgemm","(128, 1, 1)","8.9","sm__throughput.avg.pct","%","{share}"\n',
    ]
    (tmp_path / "tall.csv").write_text(head + "".join(lines))
    (tmp_path / "wide.csv").write_text(
        '"ID","Kernel Name","CC","gpu__time_duration.sum","dram__bytes.sum","sm__throughput.pct"\n'
        f'"","","","ns","byte","%"\n"0","sgemm","8.9","{time}","{moved}","{share}"\n'
    )
    for name in ("tall.csv", "wide.csv"):
        (row,) = ncu.read(tmp_path / name, "device", "now")
        assert (row.seconds_median, row.bytes) == (pytest.approx(117344e-9), 27595520)
