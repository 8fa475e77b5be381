"""A Jetson is a CUDA device with one memory, a module that tells its rates, and a power mode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.model.judge import judged
from analysis.theory.peaks import DRAM, peaks
from kernels.device import Device
from probes.harness.devices import cpu, jetson
from probes.records.measurement import FAILED
from tests.devices import CPU, GPU, measurement
from tests.probes.harness.devices.boards import (
    AGX_ORIN,
    AGX_XAVIER,
    BOARDS,
    NANO_SUPER,
    NX_SUPER,
    THOR,
    XAVIER_NX,
    Tree,
)
from tests.probes.harness.devices.trees import EMC, release, write

RATED = {  # GB/s of the data sheet, GPU's MHz, module
    "Orin Nano 8GB, MAXN_SUPER": (102.4, 1020, "p3767-0005"),
    "Orin Nano 8GB, 15W of Super software": (68.3, 1020, "p3767-0005"),
    "Orin Nano 8GB, JetPack 5": (68.3, 624.75, "p3767-0003"),
    "Orin Nano 4GB, 25W": (51.2, 1020, "p3767-0004"),
    "Orin NX 16GB, MAXN_SUPER": (102.4, 1173, "p3767-0000"),
    "Orin NX 16GB, 15W": (102.4, 1173, "p3767-0000"),
    "Orin NX 8GB, JetPack 6.0": (102.4, 765, "p3767-0001"),
    "AGX Orin 64GB, MAXN": (204.8, 1300.5, "p3701-0005"),
    "AGX Orin 64GB, 15W": (204.8, 1300.5, "p3701-0005"),
    "AGX Orin 32GB, 40W": (204.8, 930.75, "p3701-0004"),
    "Xavier NX, 15W and 6 cores": (59.7, 1109.25, "p3668-0001"),
    "Xavier NX, 20W and 6 cores": (59.7, 1109.25, "p3668-0001"),
    "AGX Xavier, 15W": (136.5, 1377, "p2888-0004"),
    "AGX Thor, 120W": (273.1, 1575, "p3834-0008"),
    "T4000": (273.1, 1530, "p3834-0000"),
    "TX2, JetPack 4": (59.7, 1300.5, "p3310-1000"),
}
CAPPED = {  # what holds each back, and the mode that lifts it
    "Orin Nano 8GB, 15W of Super software": (
        "15W (id 0): GPU at 612 of 1020 MHz, memory at 2133 of 3200 MHz (68.3 of 102.4 GB/s), "
        "CPU at 1498 of 1728 MHz",
        "-m 2 (MAXN_SUPER)",
    ),
    "Orin NX 16GB, 15W": (
        "15W (id 2): GPU at 612 of 1173 MHz, 4 of 8 SMs off, CPU at 1421 of 1984 MHz, 4 of 8 CPU "
        "cores off",
        "-m 0 (MAXN_SUPER)",
    ),
    "AGX Orin 64GB, 15W": (
        "MODE_15W (id 1): GPU at 408 of 1300 MHz, 10 of 16 SMs off, memory at 2133 of 3200 MHz "
        "(136.5 of 204.8 GB/s), CPU at 1114 of 2202 MHz, 8 of 12 CPU cores off",
        "-m 0 (MAXN)",
    ),
    "AGX Orin 32GB, 40W": (
        "MODE_40W (id 3): GPU at 816 of 931 MHz, CPU at 1498 of 2189 MHz",
        "-m 0 (MAXN)",
    ),
    "Xavier NX, 15W and 6 cores": (
        "MODE_15W_6CORE (id 2): memory at 1600 of 1866 MHz (51.2 of 59.7 GB/s), CPU at 1421 of "
        "1907 MHz",
        "-m 8 (MODE_20W_6CORE)",
    ),
    "AGX Xavier, 15W": (
        "MODE_15W (id 2): GPU at 676 of 1377 MHz, 2 of 8 SMs off, memory at 1333 of 2133 MHz "
        "(85.3 of 136.5 GB/s), CPU at 1190 of 2266 MHz, 4 of 8 CPU cores off",
        "-m 0 (MAXN)",
    ),
    "AGX Thor, 120W": ("120W (id 1): GPU at 1386 of 1575 MHz", "-m 0 (MAXN)"),
}
CANDIDATES = {  # in a container: least and most GB/s that the memory may have, None if known
    "Orin Nano 8GB, MAXN_SUPER": None,
    "Orin Nano 8GB, 15W of Super software": (68.3, 102.4),
    "AGX Orin 64GB, MAXN": None,
    "Orin NX 16GB, 15W": None,
    "Xavier NX, 15W and 6 cores": (59.7, 85.3),
    "AGX Thor, 120W": None,
    "TX2, JetPack 4": (51.2, 59.7),
}


class Monitor:
    """jetson-stats' monitor of a board whose memory runs at 2133 MHz."""

    nvpmodel = "30W"
    memory: dict[str, Any] = {"RAM": {"tot": 1}, "EMC": {"cur": 2133000, "max": 3199000, "val": 5}}  # noqa: RUF012

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def absent() -> Any:
    """The monitor where jetson-stats is not installed."""
    raise ModuleNotFoundError("No module named 'jtop'", name="jtop")


def never_asked() -> Any:
    """A monitor that must not be asked."""
    raise AssertionError("everything is in sysfs")


def enrich(root: Path, tree: Tree, monitor: Any = absent, **user: bool) -> Device:
    """The driver's device with what the files of this board, written below ``root``, say of it."""
    return jetson.enrich(tree.driver, tree.write(root, **user), monitor)


@pytest.mark.parametrize("as_root", [False, True], ids=["user", "root"])
@pytest.mark.parametrize("name", BOARDS)
def test_theory_is_the_modules_whatever_the_driver_says(
    tmp_path: Path, name: str, as_root: bool
) -> None:
    rated, mhz, module = RATED[name]
    device = enrich(tmp_path, BOARDS[name], as_root=as_root)
    dram = peaks(device)[DRAM]
    assert (dram.value or 0) / 1e9 == pytest.approx(rated, abs=0.06)
    assert dram.source.startswith("NVIDIA Jetson")
    assert (device.clock_hz, device.facts["module"]) == (mhz * 1e6, module)
    assert device.features == ("integrated", "jetson")
    assert device.facts["driver_version"] == BOARDS[name].driver.facts["driver_version"]


@pytest.mark.parametrize("name", BOARDS)
def test_what_holds_a_board_back_is_one_line_with_the_command_that_lifts_it(
    tmp_path: Path, name: str
) -> None:
    warnings = enrich(tmp_path, BOARDS[name]).warnings
    if name in CAPPED:
        caps, command = CAPPED[name]
        line = f"held back by power mode {caps}; to lift it: sudo nvpmodel {command}"
        assert warnings == (line,)
    else:
        assert not any("to lift it" in warning for warning in warnings)


@pytest.mark.parametrize("name", BOARDS)
def test_no_row_below_a_modules_rate_fails_in_a_container(tmp_path: Path, name: str) -> None:
    rated, _, _ = RATED[name]
    device = enrich(tmp_path, BOARDS[name], container=True)
    assert not any(fact in device.facts for fact in ("l4t", "jetson", "module", "power_mode"))
    rows = [measurement("bandwidth/dram/copy", share * rated * 1e9) for share in (0.5, 0.99)]
    assert [row.status for row in judged(rows, device)] == ["ok", "ok"]
    too_fast = measurement("bandwidth/dram/copy", 300e9)
    assert judged([too_fast], device)[0].status == FAILED, "no module is so fast"


@pytest.mark.parametrize("name", CANDIDATES)
def test_where_several_modules_fit_theory_is_a_range(tmp_path: Path, name: str) -> None:
    device = enrich(tmp_path, BOARDS[name], container=True)
    dram = peaks(device)[DRAM]
    expected = CANDIDATES[name]
    if expected is None:
        assert (dram.value or 0) / 1e9 == pytest.approx(RATED[name][0], abs=0.06)
    else:
        least, most = expected
        assert dram.value is None
        assert dram.formula == f"{least} to {most} GB/s by power mode and module"
    hint = device.warnings[-1]
    assert "docker run -v /proc/device-tree" in hint
    assert "-v /etc/nv_tegra_release" in hint


def test_an_orin_in_a_bare_container_fails_no_sound_row(tmp_path: Path) -> None:
    device = jetson.enrich(AGX_ORIN.driver, tmp_path, absent)
    row = measurement("bandwidth/dram/copy", 153e9)
    assert judged([row], device)[0].status == "ok"
    compute = measurement("compute/fp32", 5.2e12, clock_hz=1.3e9)
    assert judged([compute], device)[0].status == "ok"


def test_a_board_passed_into_a_container_is_known(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {"run/device-tree/compatible": "nvidia,p3767-0001\0nvidia,tegra234\0"},
    )
    device = jetson.enrich(NX_SUPER.driver, root, absent)
    assert device.facts["module_name"] == "Jetson Orin NX 8GB"
    assert not any("docker" in warning for warning in device.warnings)


def test_words_of_a_vendors_own_board_do_not_hide_the_module(tmp_path: Path) -> None:
    words = "acme,edge-box lenovo,thinkedge-se70 nvidia,p3668-0003 nvidia,tegra194"
    device = enrich(tmp_path, replace(XAVIER_NX, compatible=words, model="ACME Edge Box"))
    assert (device.name, device.facts["module"]) == ("ACME Edge Box", "p3668-0003")


def test_the_file_of_a_device_tree_tells_a_module_that_compatible_does_not(tmp_path: Path) -> None:
    tree = replace(AGX_XAVIER, compatible="nvidia,p2888 nvidia,tegra194")
    folder = "proc/device-tree/nvidia,dtsfilename"
    name = "/dvs/git/kernel-dts/tegra194-p2888-0006-p2822-0000.dts"
    device = jetson.enrich(tree.driver, write(tree.write(tmp_path), {folder: name}), absent)
    assert device.facts["module_name"] == "Jetson AGX Xavier 8GB"


@pytest.mark.parametrize(("tree", "chip"), [(NANO_SUPER, "tegra234"), (THOR, "tegra264")])
def test_a_module_that_has_no_row_has_no_guessed_theory(
    tmp_path: Path, tree: Tree, chip: str
) -> None:
    words = f"nvidia,p9999-0000 nvidia,{chip}"
    device = enrich(tmp_path, replace(tree, compatible=words, l4t=(40, "1.0"), model="New"))
    assert f"nvidia,p9999-0000 nvidia,{chip}" in device.warnings[-1]
    dram = peaks(device)[DRAM]
    assert dram.value is None
    assert (dram.limit or 0) / 1e9 >= 204


def test_a_memory_that_runs_faster_than_its_cap_says_is_rated_so(tmp_path: Path) -> None:
    tree = replace(BOARDS["Orin Nano 8GB, 15W of Super software"], emc_mhz=(3199, 3199))
    dram = peaks(enrich(tmp_path, tree, as_root=True))[DRAM]
    assert (dram.value or 0) / 1e9 == pytest.approx(102.4)


@pytest.mark.parametrize(
    ("text", "l4t", "jetpack"),
    [
        (release(36, "4.0"), "36.4.0", "6.1"),
        (release(36, "4.2"), "36.4.2", "6.1 rev. 1"),
        (release(36, "4.4"), "36.4.4", "6.2.1"),
        (release(35, "6.3"), "35.6.3", "5"),
        (release(35, "6.4"), "35.6.4", "5.1.6"),
        (release(39, "0.0"), "39.0.0", "7"),
        (release(32, "5"), "32.5.0", "4.5"),
        (release(99, "1.0"), "99.1.0", None),
        ("garbage", None, None),
    ],
)
def test_jetpack_is_known_by_its_release(
    tmp_path: Path, text: str, l4t: str | None, jetpack: str | None
) -> None:
    root = write(AGX_ORIN.write(tmp_path), {"etc/nv_tegra_release": text})
    facts = jetson.enrich(AGX_ORIN.driver, root, absent).facts
    assert (facts.get("l4t"), facts.get("jetpack")) == (l4t, jetpack)


def test_root_needs_no_monitor(tmp_path: Path) -> None:
    facts = enrich(tmp_path, AGX_XAVIER, never_asked, as_root=True).facts
    assert (facts["emc_clock_hz"], facts["emc_clock_cap_hz"]) == (1333e6, 1333e6)
    assert facts["emc_clock_max_hz"] == 2133e6


def test_a_thor_shows_its_memorys_clock_to_all(tmp_path: Path) -> None:
    root = write(
        THOR.write(tmp_path),
        {
            "sys/class/devfreq/bwmgr/cur_freq": "665600000\n",
            "sys/class/devfreq/bwmgr/max_freq": "4266000000\n",
        },
    )
    facts = jetson.enrich(THOR.driver, root, never_asked).facts
    assert (facts["emc_clock_hz"], facts["emc_clock_max_hz"]) == (665.6e6, 4266e6)
    write(root, {"sys/class/devfreq/bwmgr/max_freq": "3200000000\n"})
    warnings = jetson.enrich(THOR.driver, root, never_asked).warnings
    assert "memory at 3200 of 4266 MHz (204.8 of 273.1 GB/s)" in warnings[0]


def test_jetson_stats_says_what_sysfs_does_not(tmp_path: Path) -> None:
    files = AGX_ORIN.write(tmp_path)
    (files / "var/lib/nvpmodel/status").unlink()
    facts = jetson.enrich(AGX_ORIN.driver, files, Monitor).facts
    assert facts["emc_clock_hz"] == 2133e6
    assert (facts["power_mode"], facts["power_mode_id"]) == ("MODE_30W", 2)
    assert "emc_clock" not in facts


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ModuleNotFoundError("No module named 'jtop'", name="jtop"), "install jetson-stats"),
        (
            RuntimeError("Mismatch version jtop service: [4.2.7] and client: [4.3.1]."),
            "the same version",
        ),
        (PermissionError("/run/jtop.sock"), "mend jetson-stats (PermissionError"),
    ],
)
def test_why_the_memorys_clock_is_unknown_is_told(
    tmp_path: Path, error: Exception, advice: str
) -> None:
    def failing() -> Any:
        raise error

    note = enrich(tmp_path, AGX_ORIN, failing).facts["emc_clock"]
    assert note.startswith("not readable: run as root, or ")
    assert advice in note


def test_a_table_of_modes_that_is_hidden_is_known_by_the_release(tmp_path: Path) -> None:
    root = NANO_SUPER.write(tmp_path)
    (root / "etc/nvpmodel.conf").unlink()
    device = jetson.enrich(NANO_SUPER.driver, root, absent)
    assert (device.facts["power_mode"], device.facts["power_mode_id"]) == ("MAXN_SUPER", 2)


def test_of_a_mode_that_is_known_by_its_name_only_no_clock_is_claimed(tmp_path: Path) -> None:
    tree = BOARDS["Orin Nano 4GB, 25W"]
    root = tree.write(tmp_path)
    (root / "etc/nvpmodel.conf").unlink()
    assert jetson.enrich(tree.driver, root, absent).warnings == (
        "power mode 25W (id 1) is not this board's fastest; to lift it: sudo nvpmodel -m 2 "
        "(MAXN_SUPER)",
    )


def test_odd_files_are_taken_for_unknown(tmp_path: Path) -> None:
    odd = {
        "etc/nvpmodel.conf": "< POWER_MODEL NAME=X >\nGPU MAX_FREQ\n<<<\nID=\n",
        "var/lib/nvpmodel/status": "pmode:garbage",
        "sys/class/devfreq/17000000.gpu/max_freq": "9223372036854775807\n",
        "sys/class/devfreq/17000000.gpu/cur_freq": "",
        "sys/class/devfreq/17000000.gpu/available_frequencies": "a b\n",
        "sys/kernel/nvpmodel_clk_cap/emc": "0\n",
        "sys/devices/platform/gpu.0/tpc_pg_mask": "none\n",
        f"{EMC}/rate": "-1\n",
        "sys/devices/system/cpu/online": "\n",
    }
    device = jetson.enrich(AGX_ORIN.driver, write(AGX_ORIN.write(tmp_path), odd), absent)
    assert (device.memory_clock_hz, device.clock_hz) == (3.2e9, 1.3e9)
    assert "power_mode" not in device.facts


def test_other_devices_are_left_alone(tmp_path: Path) -> None:
    root = AGX_ORIN.write(tmp_path)
    assert jetson.enrich(GPU, root) is GPU, "a discrete GPU in a Jetson's slot"
    assert jetson.enrich(CPU, root) is CPU
    gb10 = replace(GPU, arch="12.1", features=("integrated",))
    assert jetson.enrich(gb10, tmp_path / "no Jetson") is gb10


def test_the_cpu_has_the_boards_name_modes_and_memory(tmp_path: Path) -> None:
    tree = BOARDS["Orin Nano 8GB, JetPack 5"]
    device = cpu.detect(tree.write(tmp_path), allowed=range(6))
    assert device.name == "NVIDIA Orin Nano Developer Kit CPU", "not 'ARMv8 Processor rev 0 (v8l)'"
    assert (device.facts["power_mode"], device.facts["power_mode_id"]) == ("15W", 0)
    assert (peaks(device)[DRAM].value or 0) / 1e9 == pytest.approx(68.3, abs=0.06)
    warnings = cpu.detect(XAVIER_NX.write(tmp_path / "nx"), allowed=range(6)).warnings
    assert warnings[-1].endswith("to lift it: sudo nvpmodel -m 8 (MODE_20W_6CORE)")


def test_the_cpu_in_a_container_has_a_range(tmp_path: Path) -> None:
    device = cpu.detect(THOR.write(tmp_path, container=True), allowed=range(14))
    assert (device.name, "jetson" in device.features) == ("neoverse-v3ae", True)
    orin = cpu.detect(AGX_ORIN.write(tmp_path / "orin", container=True), allowed=range(12))
    dram = peaks(orin)[DRAM]
    assert dram.value is None
    assert (dram.limit or 0) / 1e9 == pytest.approx(204.8)
