"""The state of a board is noted once a second, and its span is kept."""

from __future__ import annotations

from pathlib import Path

from probes.harness.board import BoardWatch, frequency_of
from probes.harness.devices import cpu, jetson
from tests.devices import GPU
from tests.probes.harness.devices.boards import BOARDS, NX_SUPER
from tests.probes.harness.devices.trees import write

NODE = NX_SUPER.gpu_node


def absent() -> None:
    """The monitor where jetson-stats is not installed."""
    raise ModuleNotFoundError("No module named 'jtop'", name="jtop")


def test_what_changes_is_kept_as_its_least_and_its_most(tmp_path: Path) -> None:
    root = NX_SUPER.write(tmp_path)
    device = jetson.enrich(NX_SUPER.driver, root, absent)
    time = [0.0]
    watch = BoardWatch(device, root, lambda: time[0])
    watch.look()
    for seconds, mhz, heat in ((0.5, 5, 99000), (1.5, 1173, 71500), (3.0, 612, 60000)):
        time[0] = seconds
        write(root, {f"{NODE}/cur_freq": f"{mhz}000000"})
        write(root, {"sys/class/thermal/thermal_zone0/temp": f"{heat}\n"})
        watch.look()
    during = watch.during()
    assert during["looks"] == 3, "one came too soon"
    assert during["gpu_hz"] == {"least": 306e6, "most": 1173e6}
    assert during["hottest_c"] == {"least": 48.5, "most": 71.5}
    assert during["power_w"] == {"least": 5.0, "most": 5.0}


def test_the_sms_that_are_on_are_those_that_the_driver_sees(tmp_path: Path) -> None:
    tree = BOARDS["AGX Orin 64GB, 15W"]
    root = tree.write(tmp_path)
    watch = BoardWatch(jetson.enrich(tree.driver, root, absent), root)
    assert watch.read()["sms"] == {"on": 6, "of": 16, "tpc_pg_mask": 248}
    assert watch.read()["gpu"]["highest_hz"] == 1300.5e6
    assert watch.read()["emc"]["highest_hz"] == 3200e6


def test_the_clock_that_has_to_settle_is_the_devices(tmp_path: Path) -> None:
    root = NX_SUPER.write(tmp_path)
    of_gpu = frequency_of(jetson.enrich(NX_SUPER.driver, root, absent), root)
    assert of_gpu is not None
    assert of_gpu() == (306e6, 1173e6)
    of_cpu = frequency_of(cpu.detect(root, allowed=range(8)), root)
    assert of_cpu is not None
    assert of_cpu() == (729.6e6, 1984e6)


def test_other_devices_have_neither(tmp_path: Path) -> None:
    root = NX_SUPER.write(tmp_path)
    watch = BoardWatch(GPU, root)
    watch.look()
    assert (watch.read(), watch.during(), frequency_of(GPU, root)) == ({}, {}, None)
