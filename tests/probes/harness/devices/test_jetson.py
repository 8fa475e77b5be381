"""A Jetson is a CUDA device with one memory, a power mode, and clocks in sysfs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernels.device import Device
from probes.harness.devices import jetson
from tests.devices import CPU, GPU
from tests.probes.harness.devices.trees import EMC, JETSONS, release, write

TEGRA = replace(
    GPU,
    name="Orin",
    arch="8.7",
    clock_hz=1.049e9,
    memory_clock_hz=612e6,
    memory_bus_bits=256,
    features=("integrated",),
    facts={"driver_version": "12.6"},
)
"""What the CUDA driver says of an Orin's GPU."""


class Board:
    """jetson-stats' monitor of a board whose memory runs at 3199 MHz."""

    nvpmodel = "MODE_30W"
    memory: dict[str, Any] = {"RAM": {"tot": 1}, "EMC": {"cur": 3199000, "max": 3199000, "val": 5}}  # noqa: RUF012

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def absent() -> Any:
    """The monitor where jetson-stats is not installed."""
    raise ModuleNotFoundError("No module named 'jtop'", name="jtop")


def never_asked() -> Any:
    """A monitor that must not be asked."""
    raise AssertionError("everything is in sysfs")


def enrich(root: Path, board: str, device: Device = TEGRA, monitor: Any = absent) -> Device:
    """The device with what the files of this board, written below ``root``, say of it."""
    return jetson.enrich(device, write(root, JETSONS[board]), monitor)


@pytest.mark.parametrize(
    ("board", "name", "jetpack", "mode", "gpu_max"),
    [
        ("xavier", "Jetson-AGX", "5.1.2", "MODE_15W", 1377e6),
        ("orin", "NVIDIA Jetson AGX Orin Developer Kit", "6.1", "MAXN", 1300.5e6),
        (
            "nano",
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
            "6.2",
            "25W",
            1020e6,
        ),
        ("thor", "NVIDIA Jetson AGX Thor Developer Kit", "7.0", "MAXN", 1575e6),
    ],
)
def test_a_board_has_its_name_release_power_mode_and_clock(
    tmp_path: Path, board: str, name: str, jetpack: str, mode: str, gpu_max: float
) -> None:
    device = enrich(tmp_path, board)
    assert (device.name, device.facts["jetson"]) == (name, name)
    assert (device.facts["jetpack"], device.facts["power_mode"]) == (jetpack, mode)
    assert device.clock_hz == gpu_max, (
        "the GPU's own clock, neither the driver's 1049 MHz nor another unit's"
    )
    assert device.features == ("integrated", "jetson")
    assert device.facts["driver_version"] == "12.6", "what the driver said is kept"


@pytest.mark.parametrize(
    ("text", "l4t", "jetpack"),
    [
        (release(36, "4.0"), "36.4.0", "6.1"),
        (release(36, "4.4"), "36.4.4", "6.2.1"),
        (release(32, "5"), "32.5.0", "4.5"),
        (release(99, "1.0"), "99.1.0", None),
    ],
)
def test_jetpack_is_known_by_its_exact_release_only(
    tmp_path: Path, text: str, l4t: str, jetpack: str | None
) -> None:
    root = write(tmp_path, {**JETSONS["orin"], "etc/nv_tegra_release": text})
    facts = jetson.enrich(TEGRA, root, absent).facts
    assert (facts["l4t"], facts.get("jetpack")) == (l4t, jetpack)


@pytest.mark.parametrize(
    ("board", "highest_hz", "current_hz"), [("xavier", 2133e6, 1333e6), ("thor", 4266e6, 665.6e6)]
)
def test_the_memory_clock_is_that_of_the_memorys_controller(
    tmp_path: Path, board: str, highest_hz: float, current_hz: float
) -> None:
    device = enrich(tmp_path, board, monitor=never_asked)
    assert (device.memory_clock_hz, device.facts["emc_clock_hz"]) == (highest_hz, current_hz)


def test_the_drivers_memory_clock_is_never_taken_for_the_controllers(tmp_path: Path) -> None:
    device = enrich(tmp_path, "orin")
    assert device.memory_clock_hz is None
    assert "run as root" in device.facts["emc_clock"]


def test_jetson_stats_says_what_sysfs_does_not(tmp_path: Path) -> None:
    device = enrich(tmp_path, "orin", monitor=Board)
    assert (device.memory_clock_hz, device.facts["emc_clock_hz"]) == (3199e6, 3199e6)
    assert device.facts["power_mode"] == "MAXN", "the board's own word goes first"
    assert "emc_clock" not in device.facts


def test_jetson_stats_knows_the_power_mode_where_its_file_is_hidden(tmp_path: Path) -> None:
    files = {path: text for path, text in JETSONS["orin"].items() if "nvpmodel/status" not in path}
    device = jetson.enrich(TEGRA, write(tmp_path, files), Board)
    assert device.facts["power_mode"] == "MODE_30W"
    assert "peaks are lower than in MAXN (sudo nvpmodel -m 0)" in device.warnings[0]


@pytest.mark.parametrize(
    ("board", "texts"),
    [
        (
            "xavier",
            [
                "power mode is MODE_15W: peaks are lower than in MAXN (sudo nvpmodel -m 0)",
                "GPU clock is capped at 670 MHz of 1377 MHz",
                "memory clock is capped at 1333 MHz of 2133 MHz",
            ],
        ),
        (
            "nano",
            [
                "power mode is 25W: peaks are lower than in MAXN_SUPER (sudo nvpmodel -m 2)",
                "GPU clock is capped at 918 MHz of 1020 MHz",
            ],
        ),
        ("orin", []),
        ("thor", []),
    ],
)
def test_what_holds_the_clocks_down_is_a_warning(
    tmp_path: Path, board: str, texts: list[str]
) -> None:
    warnings = enrich(tmp_path, board).warnings
    assert len(warnings) == len(texts)
    assert all(text in warning for text, warning in zip(texts, warnings, strict=True))


@pytest.mark.parametrize(
    ("mode_id", "is_warned"),
    [(0, False), (1, True)],
    ids=["the fastest of its board", "a slower one"],
)
def test_a_board_without_maxn_has_its_most_watts_as_the_fastest(
    tmp_path: Path, mode_id: int, is_warned: bool
) -> None:
    table = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=7W >\n"
    files = {
        "proc/device-tree/model": "Jetson\0",
        "etc/nvpmodel.conf": table,
        "var/lib/nvpmodel/status": f"pmode:{mode_id:04d}",
        f"{EMC}/rate": "1",
        f"{EMC}/max_rate": "1",
    }
    warnings = jetson.enrich(TEGRA, write(tmp_path, files)).warnings
    assert any("peaks are lower than in 15W" in warning for warning in warnings) == is_warned


@pytest.mark.parametrize(
    ("driver", "arch", "bits"), [("11.4", "8.7", None), ("12.6", "8.7", 256), ("11.4", "7.2", 256)]
)
def test_the_drivers_word_for_the_buss_width_is_taken_but_where_it_is_known_to_be_wrong(
    tmp_path: Path, driver: str, arch: str, bits: int | None
) -> None:
    device = replace(TEGRA, arch=arch, facts={"driver_version": driver})
    assert enrich(tmp_path, "orin", device).memory_bus_bits == bits


def test_other_devices_are_left_alone(tmp_path: Path) -> None:
    assert jetson.enrich(TEGRA, tmp_path / "no Jetson") is TEGRA
    assert enrich(tmp_path, "orin", GPU) is GPU, "a discrete GPU in a Jetson's slot"
    assert enrich(tmp_path, "orin", CPU) is CPU
