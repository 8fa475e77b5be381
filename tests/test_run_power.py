"""A whole run on a machine with a sensor of power, and on one without."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernels.device import Device
from probes.harness import bench
from probes.harness.devices import power
from tests.runs import SMALL, facts, main, only_run, table


class Sensor:
    """It always tells 50 W, and is as quick as no sensor is."""

    source = "a made-up sensor"
    settle_seconds = window_seconds = 0.001

    def start(self) -> None: ...

    def stop(self) -> power.Draw:
        return power.Draw(50.0)

    def watts(self) -> float:
        return 50.0


@pytest.mark.usefixtures("even_clock")
def test_power_of_each_load_is_in_the_tables_and_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(device: Device) -> power.Found:
        return power.Found(Sensor())

    monkeypatch.setattr(bench.power, "sensor_of", found)
    monkeypatch.setattr("probes.harness.session.MOST_COMPANY", 10.0)
    assert main(*SMALL, "--out", str(tmp_path)) == 0
    folder = only_run(tmp_path)
    assert facts(folder)["power"] == {"source": "a made-up sensor", "idle_w": 50.0}
    rows = [row for row in table(folder, "measurements.csv") if row["power_w"]]
    assert {row["ceiling"] for row in rows} >= {"compute/fp32", "compute/fp64"}
    for row in rows:
        assert float(row["power_w"]) == 50
        assert float(row["joules"]) == pytest.approx(0.05)  # a repetition takes 1 ms
    ceilings = {row["tag"]: row for row in table(folder, "ceilings.csv")}
    fp32 = ceilings["compute/fp32"]
    assert float(fp32["per_watt"]) == pytest.approx(float(fp32["rate"]) / 50)
    assert (folder / "energy.png").exists()
    assert 'id="energy"' in (folder / "report.html").read_text()
    out = capsys.readouterr().out
    assert "FLOP/s/W" in out
    assert "Energy: " in out
    assert "(a made-up sensor)" in out


@pytest.mark.usefixtures("even_clock")
def test_without_a_sensor_nothing_is_guessed_and_the_page_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(device: Device) -> power.Found:
        return power.Found(why_not="nobody tells")

    monkeypatch.setattr(bench.power, "sensor_of", none)
    assert main(*SMALL, "--out", str(tmp_path)) == 0
    folder = only_run(tmp_path)
    assert facts(folder)["power"] == {"why_unknown": "nobody tells"}
    assert not any(row["power_w"] for row in table(folder, "measurements.csv"))
    assert not (folder / "energy.png").exists()
    assert "Power is unknown: nobody tells." in (folder / "report.html").read_text()
    assert "per watt" not in capsys.readouterr().out
