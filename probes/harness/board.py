"""The state of a Jetson before, during and after a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kernels.device import Device
from probes.harness.clocks.settling import Frequency
from probes.harness.devices import board as boards
from probes.harness.devices import frequencies
from probes.harness.devices.board import Board
from probes.harness.devices.limits import machine_memory
from probes.harness.devices.state import read_state

LOOK_SECONDS = 1.0
"""Between two looks: reading the power monitors takes some milliseconds."""


def board_of(device: Device, root: Path = Path("/")) -> Board | None:
    """The Jetson that a device is part of; None if it is part of none."""
    if "jetson" not in device.features:
        return None
    board = boards.find(root) or Board()
    if device.kind == "cuda":
        return board.with_gpu(device.arch, device.units, device.memory_bytes)
    return board.with_cpu(device.arch, machine_memory(root))


def frequency_of(device: Device, root: Path = Path("/")) -> Frequency | None:
    """What reads the clock of a Jetson's GPU or CPU, and its cap; None of other devices."""
    if "jetson" not in device.features:
        return None
    if device.kind == "cuda":
        return frequencies.gpu_now(root)

    def of_cpus() -> tuple[float | None, float | None]:
        clocks = frequencies.cpus(root).values()
        now = max((clock.now for clock in clocks if clock.now), default=None)
        cap = max((clock.cap for clock in clocks if clock.cap), default=None)
        return now, cap

    return of_cpus


class BoardWatch:
    """Reads a Jetson's state, and keeps the least and the most of what changes."""

    def __init__(
        self,
        device: Device,
        root: Path = Path("/"),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._root = root
        self._board = board_of(device, root)
        self._now = now
        self._looked = -LOOK_SECONDS
        self._spans: dict[str, list[float]] = {}
        self._throttling: set[str] = set()
        self._looks = 0

    def read(self) -> dict[str, Any]:
        """The state now, as JSON; empty of what is no Jetson."""
        if self._board is None:
            return {}
        state = read_state(self._root, self._board)
        module = self._board.module
        device = self._device
        for clock, highest in (
            ("gpu", device.facts.get("gpu_clock_max_hz")),
            ("emc", device.memory_clock_hz),
        ):
            if highest and clock in state:
                state[clock].setdefault("highest_hz", highest)
        if device.kind == "cuda" and module:
            mask = state.get("sms", {}).get("tpc_pg_mask")
            state["sms"] = {"on": device.units, "of": module.sms}
            if mask is not None:
                state["sms"]["tpc_pg_mask"] = mask
        return state

    def look(self) -> None:
        """Note the state now, unless it was noted a moment ago."""
        if self._board is None or self._now() - self._looked < LOOK_SECONDS:
            return
        self._looked = self._now()
        self._looks += 1
        state = read_state(self._root, self._board)
        zones = state.get("temperatures_c", {})
        values = {
            "gpu_hz": state.get("gpu", {}).get("now_hz"),
            "emc_hz": state.get("emc", {}).get("now_hz"),
            "cpu_hz": state.get("cpu", {}).get("now_hz", {}).get("most"),
            "power_w": state.get("power", {}).get("total_w"),
            "hottest_c": max(zones.values(), default=None),
            "fan_pwm": state.get("fan", {}).get("pwm"),
        }
        for name, value in values.items():
            if value is not None:
                self._spans.setdefault(name, []).append(value)
        self._throttling.update(state.get("throttling", ()))

    def during(self) -> dict[str, Any]:
        """The least and the most of all looks, as JSON; empty if there was none."""
        facts: dict[str, Any] = {}
        for name, values in self._spans.items():
            facts[name] = {"least": min(values), "most": max(values)}
        if self._throttling:
            facts["throttling"] = sorted(self._throttling)
        return {"looks": self._looks, **facts} if self._looks else {}
