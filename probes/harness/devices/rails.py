"""What a Jetson draws, by its own power monitors: TI's INA3221 and INA238, through sysfs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from probes.harness.devices.reading import number, read

CHIP = re.compile(r"ina\d+x?")
"""The name of a power monitor in sysfs."""
UNUSED = ("", "NC", "sum of shunt voltages")
"""Labels of channels that measure no rail."""
WHOLE = ("VDD_IN", "POM_5V_IN", "5V_IN", "VIN")
"""Rails that feed all others of a module (Jetson Linux Developer Guide, Software-Based Power
Consumption Modeling): where a module has one, it is the total."""
FED_BY_ANOTHER = ("VDDQ_VDD2_1V8AO",)
"""Rails that another measured one feeds, and that a sum must not count twice: the memory of an AGX
Orin hangs on VIN_SYS_5V0 (same guide)."""
MOST_CHANNELS = 8
HWMON = (
    "sys/class/hwmon/hwmon*",
    "sys/bus/i2c/drivers/ina*/*/hwmon/hwmon*",
    "sys/bus/i2c/devices/*/hwmon/hwmon*",
)
"""Where the monitors' folders may be since JetPack 5; a container may show some of these only."""


@dataclass(frozen=True)
class Power:
    """What a board draws at one moment."""

    rails: dict[str, float] = field(default_factory=dict)
    """W by the name of the rail, in the order of the monitors; empty if none can be read."""
    total_w: float | None = None
    """W of the whole module; None if unknown."""
    total_of: tuple[str, ...] = ()
    """The rails whose sum the total is."""


def read_power(root: Path = Path("/")) -> Power:
    """What the board below ``root`` draws now; an empty ``Power`` where no monitor can be read.

    A read asks the monitors over I2C, which takes a millisecond or more.
    """
    rails: dict[str, float] = {}
    for pattern in HWMON:
        if not rails:
            rails = dict(_from_hwmon(sorted(root.glob(pattern))))
    rails = rails or dict(_from_iio(root))
    total_of = tuple(name for name in WHOLE if name in rails)[:1]
    if not total_of:
        total_of = tuple(name for name in rails if name not in FED_BY_ANOTHER)
    total_w = sum(rails[name] for name in total_of) if total_of else None
    return Power(rails, total_w, total_of)


def _from_hwmon(folders: Iterable[Path]) -> Iterator[tuple[str, float]]:
    """Name and W of each rail as JetPack 5 and newer show them."""
    for folder in folders:
        if not CHIP.fullmatch(read(folder / "name")):
            continue
        for channel in range(1, MOST_CHANNELS + 1):
            name = read(folder / f"in{channel}_label")
            if not name and channel == 1:  # a monitor of one rail has one label
                name = read(folder / "label")
            watts = _hwmon_watts(folder, channel)
            if name not in UNUSED and watts is not None:
                yield name, watts


def _hwmon_watts(folder: Path, channel: int) -> float | None:
    """W of a channel: as the monitor says (uW), or its voltage (mV) times its current (mA)."""
    microwatts = number(folder / f"power{channel}_input")
    if microwatts is not None:
        return microwatts * 1e-6
    millivolts = number(folder / f"in{channel}_input")
    milliamperes = number(folder / f"curr{channel}_input")
    if millivolts is None or milliamperes is None:
        return None
    return millivolts * milliamperes * 1e-6


def _from_iio(root: Path) -> Iterator[tuple[str, float]]:
    """Name and W of each rail as JetPack 4 shows them, in mW."""
    for folder in sorted((root / "sys/bus/i2c/drivers/ina3221x").glob("*/iio[:_]device*")):
        for channel in range(MOST_CHANNELS):
            name = read(folder / f"rail_name_{channel}")
            milliwatts = number(folder / f"in_power{channel}_input")
            if name not in UNUSED and milliwatts is not None:
                yield name, milliwatts * 1e-3
