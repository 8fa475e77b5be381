"""The plain table: what it says is what the row says, and a wrong cell is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probes.importers.plain import read as plain
from probes.records.measurement import OK, RidgelineError

DATA = Path(__file__).parent / "data"


def test_every_line_is_a_layer() -> None:
    conv, relu, mystery = plain.read(DATA / "plain.csv", "CPU", "now")
    assert (conv.flops, conv.bytes, conv.seconds_median, conv.dtype) == (
        2.36e8,
        1605632.0,
        4.1e-5,
        "fp16",
    )
    assert (conv.ceiling, conv.kernel, conv.backend, conv.status) == (
        "layer/convolution",
        "Conv",
        "csv",
        OK,
    )
    assert (json.loads(relu.params)["layer"], relu.dtype) == ("relu, first", "fp16")
    assert (mystery.flops, mystery.ceiling) == (None, "layer/other")
    assert json.loads(mystery.params) == {
        "layer": "mystery",
        "op": "Custom",
        "family": "other",
        "network": "plain",
        "provider": "csv",
        "working_set": 4096.0,
        "textbook_bytes": None,
        "warm": True,
        "launches": 1,
        "precision": "fp16+int8",
    }


def test_four_columns_are_enough_and_further_ones_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    path.write_text(
        "\ufeffSeconds,name,FLOPs,bytes,warm,working_set,note\n1e-3,a,5,7,false,99,mine\n",
        encoding="utf-8",
    )
    (row,) = plain.read(path, "CPU", "now", network="net")
    params = json.loads(row.params)
    assert (row.flops, row.dtype, row.reason) == (5.0, "fp32", "dtype not given: fp32 assumed")
    assert (params["network"], params["note"]) == ("net", "mine")
    assert (params["warm"], params["working_set"]) == (False, 99.0)


def test_a_file_is_one_network_of_one_precision_unless_its_columns_say_otherwise(
    tmp_path: Path,
) -> None:
    path = tmp_path / "n.csv"
    lines = [
        "a,1,2,3,fp16,,",
        "b,1,2,3,,,",
        "c,1,2,3,int64,,",
        "d,1,2,3,int8,other,",
        "e,1,2,3,fp32,other,mine",
    ]
    path.write_text("\n".join(["name,flops,bytes,seconds,dtype,network,precision", *lines]))
    rows = plain.read(path, "CPU", "now")
    assert [row.dtype for row in rows] == ["fp16", "fp32", "int64", "int8", "fp32"]
    params_of_rows = [json.loads(row.params) for row in rows]
    networks = [params["network"] for params in params_of_rows]
    precisions = [params["precision"] for params in params_of_rows]
    assert networks == ["n", "n", "n", "other", "other"]
    assert precisions == ["fp16", "fp16", "fp16", "fp32+int8", "mine"]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_spreadsheet_with_decimal_commas_is_read(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "n.csv"
    header = delimiter.join(("name", "flops", "bytes", "seconds"))
    row_text = delimiter.join(("a, b", "1,5e9", "1e6", "0,5"))
    path.write_text(f"{header}\r\n{row_text}", encoding="utf-8-sig", newline="")
    (row,) = plain.read(path, "CPU", "now")
    assert (row.kernel, row.flops, row.bytes, row.seconds_median) == ("a, b", 1.5e9, 1e6, 0.5)


def test_columns_of_what_a_run_knows_itself_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    path.write_text(
        "name,flops,bytes,seconds,layer,device,started,tool,reason\na,1,2,3,l,d,s,t,r\n"
    )
    (row,) = plain.read(path, "CPU", "now")
    assert (json.loads(row.params)["layer"], row.device, row.started) == ("a", "CPU", "now")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,flops,bytes,seconds,flops\na,1,2,3,4\n", "line 1: two columns are called flops"),
        ('name,flops,bytes,seconds\na,"1,000",2,3\n', "line 2: flops is '1,000', not a number"),
        ("name,flops,bytes\na,1,2\n", "line 1: no column seconds"),
        ("name,flops,bytes,seconds\na,1,2,3\nb,x,2,3\n", "line 3: flops is 'x', not a number"),
        ("name,flops,bytes,seconds\na,1,-2,3\n", "line 2: bytes is '-2'"),
        ("name,flops,bytes,seconds\na,1,2,0\n", "line 2: seconds is '0', not a time above zero"),
        ("name,flops,bytes,seconds\na,1,nan,1\n", "line 2: bytes is 'nan'"),
        ("name,flops,bytes,seconds\na,1,2,\n", "line 2: no seconds"),
        ("name,flops,bytes,seconds\na,1,2\n", "line 2: too few cells"),
        ("name,flops,bytes,seconds\na,1,2,3,4\n", "line 2: too many cells"),
        ("name,flops,bytes,seconds,dtype\na,1,2,3,fp12\n", "line 2: dtype is 'fp12', not one of"),
        ('name,flops,bytes,seconds\na,1,2,3\n"b"c,1,2,3\n', "line 3: ',' expected after"),
        ('name,flops,bytes,seconds\na,1,2,3\n"b\nc"d,1,2,3\n', "line 4: ',' expected after"),
        ("name,flops,bytes,seconds\n", "no layer follows the header"),
        ("", "line 1: no column name, flops, bytes, seconds"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "n.csv"
    path.write_text(text)
    with pytest.raises(RidgelineError) as error:
        plain.read(path, "CPU", "now")
    assert says in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match="cannot be read: no such file"):
        plain.read(tmp_path / "none.csv", "CPU", "now")
