"""What the probes ask for: arrays past every cache, and every case that a device has."""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace

import pytest

from analysis.theory.peaks import peak_for
from kernels.base import Work
from kernels.device import Device
from probes import bandwidth
from probes.harness.case import all_probes, choose
from probes.records.measurement import RidgelineError
from probes.records.tag import parse_tag
from tests.devices import CPU, GPU

MIB, GIB = 1 << 20, 1 << 30
QUANTITIES = (
    *("arithmetic", "bandwidth", "compute", "latency", "transfer"),
    *("overhead", "layer", "recipe"),
)


@pytest.mark.parametrize(
    ("device", "least", "most"),
    [
        (replace(CPU, last_cache_bytes=32 * MIB), 256 * MIB, 257 * MIB),
        (
            replace(CPU, last_cache_bytes=384 * MIB, memory_free_bytes=8 * GIB),
            2140 * MIB,
            2143 * MIB,
        ),
        (replace(CPU, last_cache_bytes=None), 64 * MIB, 65 * MIB),
        (replace(GPU, last_cache_bytes=60 * MIB), 4 * GIB, 4 * GIB + MIB),
        (replace(GPU, last_cache_bytes=60 * MIB, memory_free_bytes=2 * GIB), 545 * MIB, 547 * MIB),
        (replace(GPU, last_cache_bytes=4 * MIB, memory_free_bytes=4 * GIB), 512 * MIB, 513 * MIB),
    ],
    ids=["cpu", "huge cache", "unknown cache", "large gpu", "gpu with 2 GiB free", "jetson"],
)
def test_arrays_are_past_the_last_cache(device: Device, least: int, most: int) -> None:
    assert least <= bandwidth.array_bytes(device) <= most


@pytest.mark.parametrize("device", [CPU, GPU], ids=["cpu", "gpu"])
@pytest.mark.parametrize("name", all_probes())
def test_every_case_has_work_a_backend_and_a_tag(name: str, device: Device) -> None:
    for case in all_probes()[name].cases(device):
        work = case.kernel.work(case.dtype, **case.params)
        counted = case.tag.counts
        if case.tag.quantity == "layer":
            assert work.bytes > 0, "a layer may compute nothing, but it moves something"
        elif counted:
            assert getattr(work, counted) > 0
        else:
            assert work == Work()
        assert case.backend in case.kernel.backends
        assert case.kernel.memory_bytes(case.dtype, case.params) >= 0
        assert case.tag.quantity in QUANTITIES
        assert parse_tag(case.ceiling) == case.tag, "what is written is read back as it was"


@pytest.mark.parametrize("dtype", ["fp64", "fp32"])
def test_the_main_precisions_have_a_known_peak(dtype: str) -> None:
    for device in (CPU, GPU):
        assert peak_for(f"compute/{dtype}", device, 2e9) is not None


def test_an_old_gpu_skips_what_it_lacks_with_the_reason() -> None:
    cases = all_probes()["compute"].cases(replace(GPU, arch="7.5"))
    skips = [case.skip for case in cases if case.dtype == "bf16"]
    assert skips == ["sm_75 has no bf16 multiply-add (since 8.0)"]


def test_probes_are_chosen_by_name() -> None:
    assert [probe.name for probe in choose(["compute", "bandwidth"])] == ["compute", "bandwidth"]
    assert {"bandwidth", "compute"} <= {probe.name for probe in choose(None)}
    with pytest.raises(RidgelineError, match="no probe is called 'speed'"):
        choose(["speed"])


@pytest.mark.parametrize("name", all_probes())
def test_every_probe_asks_a_question(name: str) -> None:
    assert all_probes()[name].question.endswith("?")


@pytest.mark.parametrize("name", all_probes())
def test_every_probe_is_a_command_of_its_own(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--bogus"])
    monkeypatch.delitem(sys.modules, f"probes.{name}")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"probes.{name}", run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "run_all.py: unrecognized arguments: --bogus; see --help\n"
