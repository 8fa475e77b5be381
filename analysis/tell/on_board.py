"""Sentences on a Jetson: which board it is, and its state before, during and after a run.

They are made from the facts of its device and of ``Run.state``, which may lack any of them, or hold
anything in a file that someone edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernels.device import Device
from probes.records.run import Run

UNKNOWN = "?"
"""What stands for a clock that could not be read."""
SAME = 0.01
"""Share by which two clocks may differ and be called the same."""


def identity(device: Device) -> str:
    """Which module of which software a device is part of; empty if it is no Jetson's."""
    facts = device.facts
    module = facts.get("module_name") or ""
    number = facts.get("module") or ""
    named = f"{module} ({number})" if module and number else module
    candidates = facts.get("modules")
    if not named and isinstance(candidates, list) and candidates:
        named = f"one of {', '.join(map(str, candidates))}"
    parts = [f"module {named}" if named else ""]
    parts += [f"L4T {facts['l4t']}" if facts.get("l4t") else ""]
    parts += [f"JetPack {facts['jetpack']}" if facts.get("jetpack") else ""]
    if device.memory_range:
        least, most = min(device.memory_range), max(device.memory_range)
        parts += [f"memory rated at {least / 1e9:.1f} to {most / 1e9:.1f} GB/s"]
    accelerators = facts.get("dla_not_measured")
    parts += [f"{accelerators} DLA not measured" if accelerators else ""]
    return ", ".join(part for part in parts if part)


def memory_clock(device: Device) -> str:
    """Why the memory's clock is not known, and what to do; empty if it is."""
    note = device.facts.get("emc_clock")
    return f"clock of the memory {note}" if isinstance(note, str) and note else ""


def before(state: Mapping[str, Any]) -> list[str]:
    """The state of a Jetson before it is measured, a line each."""
    lines = [_mode(state), _clocks(state), _pinned(state), _draws(state)]
    return [line for line in lines if line]


def _mode(state: Mapping[str, Any]) -> str:
    """Power mode, and what of the board is on."""
    parts = []
    mode = _part(state, "power_mode")
    if mode.get("name"):
        parts.append(f"power mode {mode['name']} (id {mode.get('id')})")
    elif "id" in mode:
        parts.append(f"power mode {mode['id']}")
    else:
        parts.append("power mode unknown")
    sms = _part(state, "sms")
    if "on" in sms:
        parts.append(f"{sms['on']} of {sms.get('of', UNKNOWN)} SMs on")
    cpu = _part(state, "cpu")
    if "on" in cpu:
        parts.append(f"{cpu['on']} of {cpu.get('of', UNKNOWN)} CPU cores on")
    return ", ".join(parts)


def _clocks(state: Mapping[str, Any]) -> str:
    """The clocks as they are, as they are capped, and the highest that is known."""
    cpu = _part(state, "cpu")
    of_cpu = {name: _part(cpu, name).get("most") for name in ("now_hz", "cap_hz", "highest_hz")}
    clocks = (("GPU", _part(state, "gpu")), ("memory", _part(state, "emc")), ("CPU", of_cpu))
    parts = []
    for name, clock in clocks:
        values = [clock.get(key) for key in ("now_hz", "cap_hz", "highest_hz")]
        if any(_is_number(value) for value in values):
            parts.append(f"{name} {'/'.join(_megahertz(value) for value in values)}")
    return f"clocks now/cap/highest in MHz: {', '.join(parts)}" if parts else ""


def _pinned(state: Mapping[str, Any]) -> str:
    """Whether the clocks are held, and what follows."""
    pinned = state.get("jetson_clocks")
    if pinned == "on":
        return "jetson_clocks is on: the clocks are held at their caps"
    if pinned in ("off", "partly"):
        return (
            f"jetson_clocks is {pinned}: each case warms up until the clock has settled "
            "(sudo jetson_clocks holds it)"
        )
    return ""


def _draws(state: Mapping[str, Any]) -> str:
    """Power, heat and fan."""
    parts = []
    power = _part(state, "power")
    if _is_number(power.get("total_w")):
        rails = power.get("total_of")
        of = f" ({' + '.join(map(str, rails))})" if isinstance(rails, list) and rails else ""
        parts.append(f"{power['total_w']:.1f} W{of}")
    heats = _part(state, "temperatures_c")
    zones = {name: heat for name, heat in heats.items() if _is_number(heat)}
    if zones:
        hottest = max(zones, key=lambda name: zones[name])
        parts.append(f"{zones[hottest]:.0f} °C ({hottest})")
    fan = _part(state, "fan")
    if _is_number(fan.get("pwm")):
        turns = f" at {fan['rpm']} turns/min" if _is_number(fan.get("rpm")) else ""
        parts.append(f"fan {fan['pwm']} of 255{turns}")
    unread = state.get("unread_temperatures")
    if isinstance(unread, list) and unread:
        parts.append(f"not readable: {', '.join(map(str, unread))}")
    throttling = state.get("throttling")
    if isinstance(throttling, list) and throttling:
        parts.append(f"held down by {', '.join(map(str, throttling))}")
    return ", ".join(parts)


def after(state: Mapping[str, Any]) -> list[str]:
    """What a Jetson's state was during a run and is after it, a line each; none if unknown."""
    lines = [_warm_up(_part(state, "warm_up")), _during(_part(state, "during"))]
    lines += _changes(_part(state, "before"), _part(state, "after"))
    return [line for line in lines if line]


def of_run(run: Run) -> list[str]:
    """All that is known of a run's board, for its page."""
    lines = [
        identity(run.device),
        memory_clock(run.device),
        *before(_part(run.state, "before")),
        *after(run.state),
    ]
    return [line for line in lines if line] if run.state else []


def _warm_up(warm: Mapping[str, Any]) -> str:
    """How the clocks settled."""
    count, settled = warm.get("count"), warm.get("settled")
    if not (_is_number(count) and _is_number(settled)) or not count:
        return ""
    longest = warm.get("longest_seconds")
    took = f" within {longest:.1f} s" if _is_number(longest) else ""
    text = f"warmed up until the clock had settled{took}: {settled} of {count} timings"
    first, last = warm.get("lowest_first_hz"), warm.get("highest_last_hz")
    if first and last and _is_number(first) and _is_number(last) and last > (1 + SAME) * first:
        text += f", from {_megahertz(first)} up to {_megahertz(last)} MHz"
    if settled < count:
        text += f"; {count - settled} did not settle"
    return text


def _during(during: Mapping[str, Any]) -> str:
    """The least and the most of what changed meanwhile."""
    parts = []
    for name, key in (("GPU", "gpu_hz"), ("memory", "emc_hz"), ("CPU", "cpu_hz")):
        least, most = _span(during, key)
        if _is_number(least) and _is_number(most):
            parts.append(f"{name} {least / 1e6:.0f} to {most / 1e6:.0f} MHz")
    least, most = _span(during, "power_w")
    if _is_number(least) and _is_number(most):
        parts.append(f"{least:.1f} to {most:.1f} W")
    _, hottest = _span(during, "hottest_c")
    if _is_number(hottest):
        parts.append(f"up to {hottest:.0f} °C")
    throttling = during.get("throttling")
    if isinstance(throttling, list) and throttling:
        parts.append(f"held down by {', '.join(map(str, throttling))}")
    return f"between timings: {', '.join(parts)}" if parts else ""


def _changes(first: Mapping[str, Any], last: Mapping[str, Any]) -> list[str]:
    """What is not as it was before, though nothing of this program changes it."""
    lines = []
    old_mode, new_mode = _part(first, "power_mode"), _part(last, "power_mode")
    if old_mode and new_mode and old_mode.get("id") != new_mode.get("id"):
        lines.append(
            f"the power mode changed meanwhile: {old_mode.get('name') or old_mode.get('id')} to "
            f"{new_mode.get('name') or new_mode.get('id')}"
        )
    old_events, new_events = (
        _part(first, "overcurrent_events"),
        _part(last, "overcurrent_events"),
    )
    for name, count in new_events.items():
        earlier = old_events.get(name, 0)
        if _is_number(count) and _is_number(earlier) and count > earlier:
            lines.append(f"over-current throttling meanwhile: {name} {count - earlier} times")
    return lines


def _part(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The facts of this name; none if they are not there, or are no facts."""
    part = facts.get(name)
    return part if isinstance(part, Mapping) else {}


def _span(during: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    span = _part(during, name)
    return span.get("least"), span.get("most")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _megahertz(value: Any) -> str:
    return f"{value / 1e6:.0f}" if _is_number(value) else UNKNOWN
