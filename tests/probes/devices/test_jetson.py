"""A Jetson is a CUDA device with one memory, a power mode, and clocks in sysfs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from probes.harness.devices.jetson import enrich
from tests.devices import CPU, GPU
from tests.probes.devices.trees import JETSONS, write

TEGRA = replace(GPU, name="Tegra", clock_hz=None, memory_clock_hz=None, features=("integrated",))


@pytest.mark.parametrize(
    ("which", "name", "jetpack", "mode", "gpu_max"),
    [
        ("xavier", "Jetson-AGX", "5.1.2", "MODE_15W", 1377e6),
        ("orin", "NVIDIA Jetson AGX Orin Developer Kit", "6.1", "MAXN", 1300.5e6),
        ("nano", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", "6.2", "25W", 1020e6),
        ("thor", "NVIDIA Jetson AGX Thor Developer Kit", "7.0", "MAXN", 1575e6),
    ],
)
def test_facts(tmp_path: Path, which: str, name: str, jetpack: str, mode: str, gpu_max: float) -> None:
    device = enrich(TEGRA, write(tmp_path, JETSONS[which]))
    assert device.name == name
    assert (device.facts["jetpack"], device.facts["power_mode"]) == (jetpack, mode)
    assert device.clock_hz == gpu_max
    assert {"jetson", "integrated"} <= set(device.features)


def test_l4t_release_is_read_in_full(tmp_path: Path) -> None:
    assert enrich(TEGRA, write(tmp_path, JETSONS["orin"])).facts["l4t"] == "36.4.0"


def test_memory_clock_is_the_controllers_where_root_can_read_it(tmp_path: Path) -> None:
    device = enrich(TEGRA, write(tmp_path, JETSONS["xavier"]))
    assert device.memory_clock_hz == 2133e6
    assert device.facts["emc_clock_hz"] == 1333e6


def test_memory_clock_is_unknown_otherwise_and_says_why(tmp_path: Path) -> None:
    device = enrich(TEGRA, write(tmp_path, JETSONS["orin"]))
    assert device.memory_clock_hz is None
    assert "root" in device.facts["emc_clock"]


@pytest.mark.parametrize(
    ("which", "said"),
    [
        (
            "xavier",
            [
                "power mode is MODE_15W",
                "GPU clock is capped at 670 MHz of 1377 MHz",
                "memory clock is capped at 1333 MHz",
            ],
        ),
        ("nano", ["power mode is 25W", "capped at 918 MHz of 1020 MHz"]),
        ("orin", []),
        ("thor", []),
    ],
)
def test_what_holds_the_clocks_down_is_a_warning(tmp_path: Path, which: str, said: list[str]) -> None:
    warnings = enrich(TEGRA, write(tmp_path, JETSONS[which])).warnings
    assert len(warnings) == len(said)
    assert all(text in warning for text, warning in zip(said, warnings, strict=True))


def test_other_machines_are_left_alone(tmp_path: Path) -> None:
    assert enrich(GPU, tmp_path) is GPU
    assert enrich(CPU, write(tmp_path, JETSONS["orin"])) is CPU
