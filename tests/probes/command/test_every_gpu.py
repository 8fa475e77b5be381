"""Every GPU of a machine is measured by a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from probes.command import every_gpu
from probes.command.every_gpu import at_once, command_of, gpus, one_after_the_other
from probes.records.measurement import RidgelineError

KNOWN = ["--device", "--together", "--out", "--only", "--quick"]


def no_driver() -> int:
    raise RidgelineError("no NVIDIA driver on this machine: use --device cpu")


def test_without_a_gpu_one_line_says_so() -> None:
    with pytest.raises(RidgelineError, match="no NVIDIA driver on this machine: --device cpu"):
        gpus(no_driver)
    with pytest.raises(RidgelineError, match="there is no GPU here"):
        gpus(lambda: 0)
    assert gpus(lambda: 3) == [0, 1, 2]


def test_each_gpu_has_its_own_command(tmp_path: Path) -> None:
    words = ["--quick", "--device=all", "--together", "--out", "x", "--only", "compute"]
    command = command_of(2, words, KNOWN, tmp_path)
    assert command[2:] == [
        *("--quick", "--only", "compute"),
        *("--device", "cuda:2", "--out", str(tmp_path)),
    ]


def test_processes_go_one_after_the_other_or_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import sys; print(sys.argv[1]); sys.exit(int(sys.argv[1]))"

    def made_up(gpu: int, argv: object, known: object, out: object) -> list[str]:
        return [sys.executable, "-c", program, str(gpu)]

    monkeypatch.setattr(every_gpu, "command_of", made_up)
    runs = list(one_after_the_other([0, 1], [], KNOWN, tmp_path))
    assert [(run.gpu, run.code, run.folder.name) for run in runs] == [
        (0, 0, "gpu-0"),
        (1, 1, "gpu-1"),
    ]
    assert [run.code for run in at_once([1, 0], [], KNOWN, tmp_path)] == [1, 0]
    assert (tmp_path / "gpu-1.log").read_text() == "1\n"
