"""A Jetson's state is read whole where it shows, and without what it hides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from probes.harness.devices import frequencies, nvpmodel
from probes.harness.devices.frequencies import Clock
from probes.harness.devices.nvpmodel import Mode
from probes.harness.devices.state import jetson_clocks, read_state
from tests.probes.harness.devices.boards import AGX_ORIN, BOARDS, NX_SUPER, XAVIER_NX
from tests.probes.harness.devices.trees import write


@pytest.mark.parametrize("container", [False, True], ids=["host", "container"])
@pytest.mark.parametrize("as_root", [False, True], ids=["user", "root"])
@pytest.mark.parametrize("name", BOARDS)
def test_every_board_has_a_state_for_every_user(
    tmp_path: Path, name: str, as_root: bool, container: bool
) -> None:
    tree = BOARDS[name]
    state = read_state(tree.write(tmp_path, as_root, container))
    now, cap = tree.gpu_mhz
    assert (state["gpu"]["now_hz"], state["gpu"]["cap_hz"]) == (now * 1e6, cap * 1e6)
    on, there = tree.cpus
    assert (state["cpu"]["on"], state["cpu"]["of"]) == (on, there)
    assert state["cpu"]["cap_hz"]["most"] == tree.cpu_khz[0] * 1e3
    assert state["temperatures_c"] == {"cpu-thermal": 48.5, "gpu-thermal": 46.25}
    assert state["unread_temperatures"] == ["cv0-thermal"]
    assert state["fan"] == {"pwm": 58, "rpm": 1786}
    assert state["power"]["rails_w"].keys() == {rail for rail, _, _ in tree.rails}
    assert state["jetson_clocks"] == "off"
    mode = None if container else {"id": tree.mode, "name": tree.modes[tree.mode].name}
    assert state.get("power_mode") == mode


def test_the_memorys_cap_is_that_of_the_modes_table_where_it_cannot_be_read(
    tmp_path: Path,
) -> None:
    assert read_state(XAVIER_NX.write(tmp_path))["emc"] == {"cap_hz": 1600e6}


def test_sms_are_counted_by_the_mask_that_is_set(tmp_path: Path) -> None:
    tree = BOARDS["Orin NX 16GB, 15W"]
    assert read_state(tree.write(tmp_path))["sms"] == {"on": 4, "of": 8, "tpc_pg_mask": 252}


def test_what_holds_the_clocks_down_now_is_named(tmp_path: Path) -> None:
    files = {
        "sys/class/thermal/cooling_device3/type": "gpu-throttle-alert\n",
        "sys/class/thermal/cooling_device3/cur_state": "1\n",
        "sys/class/thermal/cooling_device4/type": "cpu-throttle-alert\n",
        "sys/class/thermal/cooling_device4/cur_state": "0\n",
        "sys/class/thermal/cooling_device5/type": "pwm-fan\n",
        "sys/class/thermal/cooling_device5/cur_state": "3\n",
        "sys/class/hwmon/hwmon7/oc1_event_cnt": "2\n",
    }
    state = read_state(write(AGX_ORIN.write(tmp_path), files))
    assert state["throttling"] == ["gpu-throttle-alert"]
    assert state["overcurrent_events"] == {"oc1": 2}


def test_what_is_no_jetson_has_no_state(tmp_path: Path) -> None:
    assert read_state(write(tmp_path, {"sys/class/thermal/thermal_zone0/temp": "40000"})) == {}


PINNED, FREE, HIDDEN = Clock(1e9, 1e9, 1e9), Clock(3e8, 3e8, 1e9), Clock()


@pytest.mark.parametrize(
    ("gpu", "cpus", "emc", "expected"),
    [
        (PINNED, [PINNED, PINNED], True, "on"),
        (PINNED, [PINNED], None, "on"),
        (FREE, [FREE], False, "off"),
        (PINNED, [FREE], None, "partly"),
        (HIDDEN, [HIDDEN], None, None),
    ],
)
def test_jetson_clocks_is_known_by_what_it_does(
    gpu: Clock, cpus: list[Clock], emc: bool | None, expected: str | None
) -> None:
    assert jetson_clocks(gpu, cpus, emc) == expected


def names(*texts: str) -> list[Mode]:
    """Modes of which only the names are known."""
    return [Mode(number, text) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("table", "now", "expected"),
    [
        (names("15W", "25W", "MAXN_SUPER", "7W"), 1, 2),
        (names("MAXN_SUPER", "10W", "15W", "25W", "40W"), 4, 0),
        (names("MAXN", "MODE_15W"), 0, None),
        (names("15W", "7W"), 0, None),
        (names("15W", "7W"), 1, 0),
        (names("MODE_15W_2CORE", "MODE_15W_6CORE", "MODE_20W_2CORE", "MODE_20W_6CORE"), 1, 3),
        (names("MODE_20W_2CORE", "MODE_20W_6CORE"), 1, None),
    ],
)
def test_without_clocks_in_the_table_names_tell_the_fastest_mode(
    table: list[Mode], now: int, expected: int | None
) -> None:
    better = nvpmodel.best(table, table[now], "cuda")
    assert (better.number if better else None) == expected


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
@pytest.mark.parametrize("name", BOARDS)
def test_no_better_mode_is_worse_than_the_present(tmp_path: Path, name: str, kind: str) -> None:
    table = nvpmodel.modes(BOARDS[name].write(tmp_path))
    for mode in table.values():
        better = nvpmodel.best(table.values(), mode, kind)
        if better:
            speeds = (better.gpu_speed, better.emc_hz, better.cpu_speed)
            present = (mode.gpu_speed, mode.emc_hz, mode.cpu_speed)
            pairs = zip(speeds, present, strict=True)
            assert all((new or 0.0) >= 0.74 * (old or 0.0) for new, old in pairs)


def test_a_table_is_found_where_nvpmodel_says_it_is(tmp_path: Path) -> None:
    root = NX_SUPER.write(tmp_path)
    table = (root / "etc/nvpmodel.conf").read_text()
    (root / "etc/nvpmodel.conf").unlink()
    moved = "etc/nvpmodel/nvpmodel_p3767_0000_super.conf"
    write(root, {moved: table, "var/lib/nvpmodel/conf_file_path": f"/{moved}\n"})
    assert nvpmodel.modes(root)[2].name == "15W"


def test_a_link_to_a_table_of_the_board_is_followed_below_its_root(tmp_path: Path) -> None:
    root = NX_SUPER.write(tmp_path)
    table = root / "etc/nvpmodel.conf"
    moved = "etc/nvpmodel/nvpmodel_p3767_0000.conf"
    write(root, {moved: table.read_text()})
    table.unlink()
    table.symlink_to(f"/{moved}")
    assert nvpmodel.modes(root)[4].name == "40W"


@pytest.mark.parametrize("text", ["240\n", "0xf0\n"])
def test_a_mask_is_read_in_any_base(tmp_path: Path, text: str) -> None:
    folder = "sys/devices/platform/bus@0/17000000.gpu"
    assert frequencies.tpc_pg_mask(write(tmp_path, {f"{folder}/tpc_pg_mask": text})) == 240


@pytest.mark.parametrize(
    "folder",
    [
        "sys/class/devfreq/17000000.gpu",
        "sys/devices/gpu.0/devfreq/57000000.gpu",
        "sys/devices/17000000.ga10b/devfreq/17000000.ga10b",
        "sys/devices/platform/17000000.gpu/devfreq_dev",
        "sys/devices/platform/bus@0/17000000.gpu/devfreq/17000000.gpu",
        "sys/class/devfreq/gpu-gpc-0",
    ],
)
def test_the_gpus_clock_is_found_wherever_a_release_has_it(tmp_path: Path, folder: str) -> None:
    files: dict[str, Any] = {f"{folder}/cur_freq": "306000000\n", f"{folder}/max_freq": "1e9\n"}
    root = write(tmp_path, files)
    assert frequencies.gpu(root) == Clock(now=306e6)
    assert replace(frequencies.gpu(root), now=None) == Clock()
