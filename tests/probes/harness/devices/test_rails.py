"""What a board draws is read from its power monitors, whatever of them is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.harness.devices.rails import Power, read_power
from tests.probes.harness.devices.trees import ina3221, write

ORIN_NANO = {
    **ina3221(1, ("VDD_IN", 5032, 1040), ("VDD_CPU_GPU_CV", 5032, 160), ("VDD_SOC", 5032, 296)),
    "sys/class/hwmon/hwmon1/in7_label": "sum of shunt voltages\n",
    "sys/class/hwmon/hwmon1/in7_input": "760\n",
    "sys/class/hwmon/hwmon0/name": "pwmfan\n",
    "sys/class/hwmon/hwmon0/in1_label": "VDD_IN\n",
}
AGX_ORIN = {
    **ina3221(
        3, ("VDD_GPU_SOC", 19000, 200), ("VDD_CPU_CV", 19000, 100), ("VIN_SYS_5V0", 5000, 900)
    ),
    **ina3221(4, ("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 5000, 300), ("NC", 0, 0)),
}
THOR = {
    **ina3221(1, ("VDD_GPU", 19000, -20), ("VDD_CPU_SOC_MSS", 19000, 300)),
    "sys/class/hwmon/hwmon5/name": "ina238\n",
    "sys/class/hwmon/hwmon5/label": "VIN\n",
    "sys/class/hwmon/hwmon5/in1_input": "19000\n",
    "sys/class/hwmon/hwmon5/power1_input": "23000000\n",
}
IIO = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
NANO_OF_JETPACK_4 = {
    f"{IIO}/rail_name_0": "POM_5V_IN\n",
    f"{IIO}/in_power0_input": "2840\n",
    f"{IIO}/rail_name_1": "POM_5V_GPU\n",
    f"{IIO}/in_power1_input": "120\n",
}


@pytest.mark.parametrize(
    ("files", "total_w", "total_of", "rails"),
    [
        (ORIN_NANO, 5.2333, ("VDD_IN",), ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]),
        (
            AGX_ORIN,
            3.8 + 1.9 + 4.5,
            ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
            ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"],
        ),
        (THOR, 23.0, ("VIN",), ["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN"]),
        (NANO_OF_JETPACK_4, 2.84, ("POM_5V_IN",), ["POM_5V_IN", "POM_5V_GPU"]),
    ],
    ids=["one rail feeds all", "no such rail", "a monitor with power", "JetPack 4"],
)
def test_the_total_counts_every_watt_once(
    tmp_path: Path,
    files: dict[str, str],
    total_w: float,
    total_of: tuple[str, ...],
    rails: list[str],
) -> None:
    power = read_power(write(tmp_path, files))
    assert power.total_w == pytest.approx(total_w, rel=1e-4)
    assert (power.total_of, list(power.rails)) == (total_of, rails)


def test_rails_are_found_by_their_driver_too(tmp_path: Path) -> None:
    driver = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon"
    files = {name.replace("sys/class/hwmon", driver): text for name, text in ORIN_NANO.items()}
    assert list(read_power(write(tmp_path, files)).rails) == [
        "VDD_IN",
        "VDD_CPU_GPU_CV",
        "VDD_SOC",
    ]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"sys/class/hwmon/hwmon0/name": "ina3221\n"},
        {"sys/class/hwmon/hwmon0/name": "ina3221", "sys/class/hwmon/hwmon0/in1_label": "VDD_IN"},
        {**ina3221(1, ("VDD_IN", 5000, 1)), "sys/class/hwmon/hwmon1/curr1_input": "32 mA ma\n"},
    ],
    ids=["nothing", "no channel", "no numbers", "garbage"],
)
def test_what_cannot_be_read_is_unknown(tmp_path: Path, files: dict[str, str]) -> None:
    assert read_power(write(tmp_path, files)) == Power()
