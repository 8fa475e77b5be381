"""What the doctor says of made-up GPUs, and of drivers that hang, crash or raise."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import run_all
from kernels.device import Device
from probes.command.doctor import gpu, look
from probes.command.doctor.finding import FINE, LACKS, SPOILS, STOPS, Finding, code
from probes.command.doctor.place import Place
from probes.harness.devices import jetson
from probes.records.measurement import RidgelineError
from tests.devices import CPU, GPU
from tests.probes.harness.devices.boards import BOARDS
from tests.probes.harness.devices.trees import write

H100_ON_PCI = {
    "sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n",
    "sys/bus/pci/devices/0000:01:00.0/class": "0x030200\n",
}
JETSON = {"proc/device-tree/compatible": "nvidia,p3767-0005\0nvidia,tegra234"}


def place(root: Path, spec: str | None = None) -> Place:
    """A machine below ``root`` on which all else is well."""
    return Place(
        root=root,
        out=root,
        spec=spec,
        environment={"HOME": str(root)},
        installed=lambda module: True,
        free_bytes=lambda folder: 10 << 30,
        detect_cpu=lambda: CPU,
    )


@pytest.fixture(autouse=True)
def no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else runs on this machine, as far as these tests are concerned."""
    monkeypatch.setattr(look.host, "load", lambda lap: [])


def works(place: Place) -> Any:
    """A GPU on which all is well."""

    def ask(step: str) -> list[Finding]:
        return [Finding(FINE, look.DEVICE, "Made-up GPU")] if step == "driver" else []

    return ask


def no_driver(place: Place) -> Any:
    """A machine without a driver."""

    def ask(step: str) -> list[Finding]:
        why = "no NVIDIA driver on this machine (libcuda.so.1 is not found): use --device cpu"
        return [gpu.no_driver(why, place.root)]

    return ask


def hangs(place: Place) -> Any:
    """A driver that never answers."""

    def ask(step: str) -> list[Finding]:
        time.sleep(60)
        return []

    return ask


def crashes(place: Place) -> Any:
    """A driver that takes its process down."""

    def ask(step: str) -> list[Finding]:
        os._exit(11)

    return ask


def raises(place: Place) -> Any:
    """A library that raises what nobody expects."""

    def ask(step: str) -> list[Finding]:
        raise TypeError("not today")

    return ask


def test_a_gpu_that_works_is_named(tmp_path: Path) -> None:
    report = look.look(place(tmp_path), works)
    assert report.device == "CUDA device 0 (Made-up GPU)"
    assert code(report.findings) == 0


def test_without_a_gpu_the_cpu_is_ready_unless_a_gpu_was_asked_for(tmp_path: Path) -> None:
    report = look.look(place(tmp_path), no_driver)
    assert (report.device, code(report.findings)) == ("the CPU", 0)
    report = look.look(place(tmp_path, "0"), no_driver)
    assert code(report.findings) == 1
    (stops,) = [finding for finding in report.findings if finding.weight == STOPS]
    assert stops.way_out == "use --device cpu"


@pytest.mark.parametrize(
    ("tree", "way_out"),
    [
        (H100_ON_PCI, "install NVIDIA's driver"),
        ({**H100_ON_PCI, ".dockerenv": ""}, "--gpus all"),
        ({**JETSON, ".dockerenv": ""}, "--runtime nvidia"),
    ],
)
def test_a_gpu_that_stands_there_and_has_no_driver_stops_a_run(
    tree: dict[str, str], way_out: str, tmp_path: Path
) -> None:
    report = look.look(place(write(tmp_path, tree)), no_driver)
    (stops,) = [finding for finding in report.findings if finding.weight == STOPS]
    assert way_out in stops.way_out


@pytest.mark.parametrize(
    ("asks", "words"),
    [(hangs, "gave no answer"), (crashes, "ended with code 11"), (raises, "TypeError: not today")],
)
def test_whatever_a_driver_does_it_is_one_line_within_three_seconds(
    asks: Any, words: str, tmp_path: Path
) -> None:
    begin = time.monotonic()
    report = look.look(place(tmp_path, "0"), asks)
    assert time.monotonic() - begin < 3
    (finding,) = [finding for finding in report.findings if words in finding.value]
    assert finding.weight == SPOILS


def test_a_check_that_raises_is_a_line_too() -> None:
    def broken() -> Any:
        raise ValueError("odd file")

    (finding,) = look.safely("memory", broken)
    assert (finding.weight, finding.what) == (SPOILS, "memory")
    assert "odd file" in finding.value


def test_a_device_that_is_none_is_refused_like_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match="banana"):
        look.look(place(tmp_path, "banana"), works)


def test_a_device_file_that_this_user_may_not_open_names_the_groups(tmp_path: Path) -> None:
    write(tmp_path, {"dev/nvmap": "", "dev/nvhost-gpu": ""})
    shut = replace(place(tmp_path), may_use=lambda path, mode: path.name != "nvmap")
    (finding,) = gpu.permissions(shut)
    assert (finding.weight, finding.what) == (STOPS, "/dev/nvmap")
    assert "usermod -aG video,render" in finding.way_out
    assert not list(gpu.permissions(place(tmp_path)))


class Management:
    """A made-up pynvml: a card of 700 W that is held at 400, and that nobody may use."""

    def nvmlDeviceGetComputeMode(self, handle: Any) -> int:
        return 2

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: Any) -> int:
        return 400_000

    def nvmlDeviceGetPowerManagementDefaultLimit(self, handle: Any) -> int:
        return 700_000


def states(device: Device, root: Path, opened: Any = None) -> dict[str, Finding]:
    """What is found of a device, by the thing."""
    return {each.what: each for each in gpu.state(device, place(root), opened)}


def test_limits_of_the_card_are_told_with_the_commands_that_lift_them(tmp_path: Path) -> None:
    found = states(GPU, tmp_path, (Management(), None))
    assert found["compute mode"].weight == STOPS
    assert found["power limit"].way_out == "as root: nvidia-smi -pl 700"
    assert found["power"].weight == LACKS


@pytest.mark.parametrize(
    ("warning", "way_out"),
    [
        ("the GPU's clock is held down: software power cap", "nvidia-smi -pl"),
        ("the GPU's clock is held down: hardware thermal slowdown", "cool it"),
        ("MIG is on: this is a slice of a GPU", "-mig 0"),
        ("2 other processes use this GPU: numbers may be low", "nvidia-smi names them"),
        (
            "the power mode is 15W: peaks are lower than in MAXN (sudo nvpmodel -m 0)",
            "sudo nvpmodel -m 0",
        ),
    ],
)
def test_what_the_device_warns_of_has_a_way_out(warning: str, way_out: str, tmp_path: Path) -> None:
    finding = states(replace(GPU, warnings=(warning,)), tmp_path)["GPU"]
    assert finding.weight == SPOILS
    assert way_out in finding.way_out


@pytest.mark.parametrize("container", [False, True], ids=["", "in a container"])
@pytest.mark.parametrize("as_root", [False, True], ids=["user", "root"])
@pytest.mark.parametrize("name", BOARDS)
def test_each_board_has_lines_with_ways_out(
    name: str, as_root: bool, container: bool, tmp_path: Path
) -> None:
    tree = BOARDS[name]
    root = tree.write(tmp_path, as_root, container)
    device = jetson.enrich(tree.driver, root, monitor=no_monitor)
    at_board = replace(place(root), detect_cpu=lambda: jetson.enrich_cpu(CPU, root))
    findings = [each for check in look.host.CHECKS for each in check(at_board)]
    findings += look.host.held_back(at_board)
    findings += gpu.state(device, at_board, None)
    for finding in findings:
        assert finding.value, finding
        assert not finding.value.endswith((";", ":", ",", " to")), finding
    held = [each for each in findings if each.value.startswith("held back by power mode")]
    assert all(each.way_out.startswith("sudo nvpmodel -m ") for each in held)
    if container:
        hidden = [each for each in findings if each.way_out.startswith("docker run ")]
        assert hidden
    powers = [each for each in findings if each.what == "power"]
    assert powers[0].weight == FINE
    assert powers[0].value.startswith("module (")


def no_monitor() -> Any:
    raise ModuleNotFoundError("jtop")


def test_a_board_that_was_throttled_says_so(tmp_path: Path) -> None:
    root = BOARDS["AGX Orin 64GB, MAXN"].write(tmp_path)
    write(
        root,
        {
            "sys/class/thermal/cooling_device3/type": "hot-surface-throttle-alert\n",
            "sys/class/thermal/cooling_device3/cur_state": "1\n",
            "sys/class/hwmon/hwmon9/oc3_event_cnt": "12\n",
        },
    )
    values = [finding.value for finding in look.host.board(place(root))]
    assert values[0] == "clocks are held down: hot-surface-throttle-alert"
    assert values[1] == "over-current alarm oc3 held it down 12 times since it started"


def test_cupy_compiler_and_disassembler_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        gpu, "why_no_cupy", lambda device: "CuPy is not installed: pip install -e '.[cu13]'"
    )
    old = SimpleNamespace(name="NVRTC 11.8", knows=lambda arch: arch != "110")
    monkeypatch.setattr(gpu, "compilers", lambda: (old,))
    monkeypatch.setattr(gpu, "disassembler", lambda: None)
    thor = replace(GPU, arch="11.0", facts={"driver_version": "13.0"})
    found = {each.what: each for each in gpu.libraries(thor)}
    assert found["CuPy"].line.endswith("CuPy: CuPy is not installed -> pip install -e '.[cu13]'")
    assert found["NVRTC"].weight == STOPS
    assert "compute capability 11.0" in found["NVRTC"].value
    assert found["nvdisasm"].weight == LACKS
    monkeypatch.setattr(gpu, "compilers", lambda: ())
    found = {each.what: each for each in gpu.libraries(GPU)}
    assert "not installed" in found["NVRTC"].value


def test_the_command_prints_the_answer_first_and_takes_few_options(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code_of_cpu = run_all.main(["--doctor", "--device", "cpu", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert code_of_cpu == 0
    assert lines[0].startswith("Ready")
    assert not any(line.startswith("fine") for line in lines)
    run_all.main(["--doctor", "--device", "cpu", "--all"])
    assert any(line.startswith("fine") for line in capsys.readouterr().out.splitlines())
    assert run_all.main(["--doctor", "--quick"]) == 2
    assert "--quick has no effect with --doctor" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
