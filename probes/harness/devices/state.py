"""A Jetson's state at a moment: power mode, clocks and their caps, power, heat and fan.

Nothing is changed here. What cannot be read is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from probes.harness.devices import board as boards
from probes.harness.devices import frequencies, nvpmodel
from probes.harness.devices.board import Board
from probes.harness.devices.frequencies import Clock
from probes.harness.devices.nvpmodel import Mode
from probes.harness.devices.rails import read_power
from probes.harness.devices.reading import list_text, number, read
from probes.records.jetsons import SMS_OF_TPC, TPCS

COLDEST_C, HOTTEST_C = -50.0, 150.0
"""Temperatures beyond these are no temperatures: some zones report constants."""
ON, OFF, PARTLY = "on", "off", "partly"
"""What jetson_clocks may be."""


def read_state(root: Path = Path("/"), board: Board | None = None) -> dict[str, Any]:
    """The state of the Jetson below ``root``, as JSON; empty if it is none.

    board: what ``board.find`` says of it, and of the GPU's driver, if that was asked.
    """
    board = board or boards.find(root)
    if board is None:
        return {}
    gpu = frequencies.gpu(root)
    emc = frequencies.emc(root)
    cpus = frequencies.cpus(root)
    mode = current_mode(root, board)
    power = read_power(root)
    celsius_by_zone, unread = temperatures(root)
    facts = {
        "power_mode": {"id": mode.number, "name": mode.name} if mode else None,
        "sms": _sms(root, board, mode),
        "gpu": _as_json(gpu),
        "emc": _as_json(with_mode(emc, mode)),
        "cpu": _cpu(root, cpus),
        "jetson_clocks": jetson_clocks(gpu, cpus.values(), frequencies.is_emc_locked(root)),
        "power": {
            "total_w": power.total_w,
            "total_of": list(power.total_of),
            "rails_w": power.rails,
        }
        if power.rails
        else None,
        "temperatures_c": celsius_by_zone,
        "unread_temperatures": unread,
        "fan": _fan(root),
        "throttling": _throttling(root),
        "overcurrent_events": _overcurrent_events(root),
    }
    return {name: value for name, value in facts.items() if value not in (None, {}, [])}


def current_mode(root: Path, board: Board) -> Mode | None:
    """The power mode that is set; None if unknown. Its name may be empty."""
    number_now = nvpmodel.current(root)
    if number_now is None:
        return None
    table = mode_table(root, board)
    return table.get(number_now, Mode(number_now, ""))


def mode_table(root: Path, board: Board) -> dict[int, Mode]:
    """The board's power modes by number: its own table, or else the names that its release ships.

    Empty if neither is known.
    """
    table = nvpmodel.modes(root)
    if table or not board.release:
        return table
    names_of_modules = {
        tuple(modes.names for modes in module.modes if board.release >= modes.since)[-1:]
        for module in board.modules
    }
    if len(names_of_modules) != 1:
        return {}
    named = {}
    for names in names_of_modules.pop():
        for mode_number, name in enumerate(names):
            named[mode_number] = Mode(mode_number, name)
    return named


def with_mode(clock: Clock, mode: Mode | None) -> Clock:
    """The memory's clock with the cap that its power mode's table gives it, if none can be read."""
    if clock.cap or mode is None or not mode.emc_hz or mode.emc_hz >= nvpmodel.NO_CAP_HZ:
        return clock
    return Clock(clock.now, clock.least, mode.emc_hz, clock.highest)


def _as_json(clock: Clock) -> dict[str, float]:
    """What is known of a clock, in Hz."""
    facts = {
        "now_hz": clock.now,
        "least_hz": clock.least,
        "cap_hz": clock.cap,
        "highest_hz": clock.highest,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _sms(root: Path, board: Board, mode: Mode | None) -> dict[str, int]:
    """SMs that are on by the mask that is set, else by the mode's table, and how many there are."""
    mask = frequencies.tpc_pg_mask(root)
    if mask is None and mode is not None:
        mask = mode.tpc_pg_mask
    module = board.module
    if mask is None or module is None or module.chip not in TPCS:
        return {} if mask is None else {"tpc_pg_mask": mask}
    on = SMS_OF_TPC * (TPCS[module.chip] - mask.bit_count())
    return {"on": max(0, min(module.sms, on)), "of": module.sms, "tpc_pg_mask": mask}


def _cpu(root: Path, cpus: Mapping[int, Clock]) -> dict[str, Any]:
    """Which CPUs are on, and the clocks that they share or have apart."""
    if not cpus:
        return {}
    present = frequencies.present_cpus(root)
    governors = {
        read(root / f"{frequencies.CPUS}/cpu{cpu}/cpufreq/scaling_governor") for cpu in cpus
    }
    facts: dict[str, Any] = {
        "online": list_text(list(cpus)),
        "on": len(cpus),
        "of": max(len(present), len(cpus)),
        "governors": sorted(governors - {""}),
    }
    for name, values in (
        ("now_hz", [clock.now for clock in cpus.values()]),
        ("cap_hz", [clock.cap for clock in cpus.values()]),
        ("highest_hz", [clock.highest for clock in cpus.values()]),
    ):
        known = [value for value in values if value is not None]
        if known:
            facts[name] = {"least": min(known), "most": max(known)}
    return {name: value for name, value in facts.items() if value}


def jetson_clocks(gpu: Clock, cpus: Iterable[Clock], is_emc_locked: bool | None) -> str | None:
    """Whether the clocks are held at their caps, as jetson_clocks does; None if unknown."""
    pins = [gpu.is_pinned, is_emc_locked, *(clock.is_pinned for clock in cpus)]
    known = [pin for pin in pins if pin is not None]
    if not known:
        return None
    if all(known):
        return ON
    return PARTLY if any(known) else OFF


def temperatures(root: Path) -> tuple[dict[str, float], list[str]]:
    """Degrees Celsius by zone, and the zones that cannot be read (those of a rail that is off)."""
    zones: dict[str, float] = {}
    unread = []
    folders = list((root / "sys/class/thermal").glob("thermal_zone*"))
    folders = folders or list((root / "sys/devices/virtual/thermal").glob("thermal_zone*"))
    for folder in sorted(folders, key=_place):
        name = read(folder / "type") or folder.name
        thousandths = number(folder / "temp")
        if thousandths is not None and COLDEST_C <= thousandths / 1e3 <= HOTTEST_C:
            zones[name] = thousandths / 1e3
        else:
            unread.append(name)
    return zones, unread


def _place(folder: Path) -> tuple[int, str]:
    digits = re.search(r"\d+$", folder.name)
    return int(digits[0]) if digits else 0, folder.name


def _fan(root: Path) -> dict[str, int]:
    """The fan's pulse width (0 to 255) and turns a minute."""
    facts: dict[str, int | None] = {
        "pwm": number(root / "sys/devices/pwm-fan/cur_pwm"),
        "rpm": number(root / "sys/devices/pwm-fan/rpm_measured"),
    }
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        name = read(folder / "name")
        if "fan" not in name and "tach" not in name:
            continue
        for fact, file in (("pwm", "pwm1"), ("rpm", "fan1_input"), ("rpm", "rpm")):
            value = number(folder / file)
            if facts[fact] is None and value is not None:
                facts[fact] = value
    return {name: value for name, value in facts.items() if value is not None}


def _throttling(root: Path) -> list[str]:
    """Names of the alerts by which heat or current holds clocks down now."""
    active = []
    for folder in sorted((root / "sys/class/thermal").glob("cooling_device*"), key=_place):
        name = read(folder / "type")
        if "throttle-alert" in name and (number(folder / "cur_state") or 0) > 0:
            active.append(name)
    return active


def _overcurrent_events(root: Path) -> dict[str, int]:
    """How often each over-current alarm has throttled the board since it started, by its name."""
    events = {}
    for file in sorted((root / "sys/class/hwmon").glob("hwmon*/oc*_event_cnt")):
        count = number(file)
        if count is not None:
            events[file.name.partition("_")[0]] = count
    return events
