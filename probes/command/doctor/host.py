"""What any machine may lack or do wrong, with a GPU or without."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kernels.cuda import cubins
from probes.command import installed
from probes.command.doctor.finding import FINE, LACKS, SPOILS, STOPS, Finding, of_warning
from probes.command.doctor.place import Place
from probes.harness.devices import limits
from probes.harness.devices.reading import number, read
from probes.harness.devices.state import OFF, PARTLY, read_state
from probes.harness.load import Load, clock_limits

NEWEST_PYTHON = (3, 13)
LEAST_DISK, LITTLE_DISK = 20 << 20, 500 << 20
"""Bytes on the disk of the runs: a run leaves some megabytes, compiled kernels some more."""
LEAST_MEMORY, LITTLE_MEMORY = 512 << 20, 2 << 30
"""Bytes of free memory: with less nothing runs, or large sizes are skipped."""
BUSY = 0.10
"""Share of the processors that others keep busy, from which numbers may be low."""
STOLEN = 0.02
"""Share of their time that a hypervisor gives to others, likewise."""
SPOILING_VARIABLES = {
    "NUMBA_DISABLE_JIT": "no kernel is compiled",
    "NUMBA_ENABLE_CUDASIM": "CUDA kernels are simulated",
    "CUDA_LAUNCH_BLOCKING": "each launch waits for the one before",
    "NUMBA_OPT": "the compiler does not optimise",
    "NUMBA_CPU_NAME": "the compiler is told another CPU",
}
"""What a variable does to a run if it is set to anything but 0."""
EXTRAS = {
    "layers": ("onnx", "onnxruntime"),
    "plan": ("onnx", "onnxruntime", "onnxslim", "scipy"),
}
"""Modules that each extra brings, of those that a run on any device may use."""
CONTAINERS = {".dockerenv": "Docker", "run/.containerenv": "Podman"}
"""Files that only a container has, and which."""


def python(place: Place) -> Iterator[Finding]:
    """Its version and the packages that everything needs."""
    what, way_out = installed.problem(place.installed, place.python)
    version = ".".join(map(str, place.python))
    if what:
        yield Finding(STOPS, "Python", what, way_out)
    elif place.python > NEWEST_PYTHON:
        yield Finding(SPOILS, "Python", f"{version} is newer than what was tried", "take 3.13")
    else:
        yield Finding(FINE, "Python", version)


def extras(place: Place) -> Iterator[Finding]:
    """Packages that only networks need."""
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if not place.installed(module)]
        if missing:
            value = f"no {', '.join(missing)}, so no --{'plan' if extra == 'plan' else 'model'}"
            yield Finding(LACKS, f"extra {extra}", value, f"pip install -e '.[{extra}]'")


def folders(place: Place) -> Iterator[Finding]:
    """Where runs go, and where compiled kernels are kept."""
    existing = place.out.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir() or not place.may_use(existing, os.W_OK | os.X_OK):
        yield Finding(STOPS, f"--out {place.out}", "cannot be written", "give another --out DIR")
    else:
        yield from _disk(place, existing)
    home = place.environment.get("XDG_CACHE_HOME") or place.environment.get("HOME", "")
    if not home or not place.may_use(_first_existing(Path(home)), os.W_OK):
        yield Finding(
            LACKS,
            "cache of compiled kernels",
            f"{home or 'a home'} cannot be written, {tempfile.gettempdir()} is taken instead",
            "set XDG_CACHE_HOME to a folder of yours",
        )
    else:
        yield Finding(FINE, "cache of compiled kernels", str(cubins.cache_folder()))


def _first_existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _disk(place: Place, folder: Path) -> Iterator[Finding]:
    free = place.free_bytes(folder)
    value = f"{free / 1e6:.0f} MB free"
    if free < LEAST_DISK:
        yield Finding(STOPS, f"disk of --out {place.out}", value, "free some, or another --out DIR")
    elif free < LITTLE_DISK:
        yield Finding(LACKS, f"disk of --out {place.out}", value, "free some")
    else:
        yield Finding(FINE, f"disk of --out {place.out}", f"{free / 1e9:.0f} GB free")


def memory(place: Place) -> Iterator[Finding]:
    """Memory that this process may still take, by the machine and by its control groups."""
    total, free = limits.memory(place.root)
    if free is None:
        return
    value = f"{free / 1e9:.1f} GB free"
    if total:
        value += f" of {total / 1e9:.1f} GB that this process may use"
    if free < LEAST_MEMORY:
        yield Finding(STOPS, "memory", value, "end other programs, or raise the limit")
    elif free < LITTLE_MEMORY:
        yield Finding(SPOILS, "memory", f"{value}: large sizes are skipped", "end other programs")
    else:
        yield Finding(FINE, "memory", value)


def processors(place: Place) -> Iterator[Finding]:
    """What the CPU as a device warns of: quota, governor, caches that cannot be; and its clock."""
    device = place.detect_cpu()
    is_board = "jetson" in device.features
    for warning in device.warnings:
        mend = _mend_cpu(warning)
        if mend or not is_board:
            yield of_warning("CPU", warning, mend)
    limits_of_clock = clock_limits(device.facts.get("cpus") or (), place.root)
    for limit in limits_of_clock if not is_board else ():
        yield Finding(SPOILS, "CPU", limit, "raise it, as root, in /sys/devices/system/cpu")
    threads = "on: one thread of each core is used" if device.facts.get("smt") else "off"
    yield Finding(FINE, "SMT", threads)
    yield Finding(FINE, "CPU", f"{device.name}, {device.units} cores")


def held_back(place: Place) -> Iterator[Finding]:
    """What holds a Jetson back whose CPU is measured; of its GPU the GPU's own warnings tell."""
    device = place.detect_cpu()
    for warning in device.warnings:
        if "jetson" in device.features and not _mend_cpu(warning):
            yield of_warning("board", warning)


def _mend_cpu(warning: str) -> str:
    """How to mend what the CPU warns of; empty where the warning says it itself, or nothing can."""
    if "governor" in warning:
        return "sudo cpupower frequency-set -g performance"
    if "control group" in warning:
        return "give the container more processors (docker --cpus)"
    return ""


def supply(place: Place) -> Iterator[Finding]:
    """A laptop on battery."""
    for folder in sorted((place.root / "sys/class/power_supply").glob("*")):
        scope = read(folder / "scope")
        if read(folder / "type") != "Battery" or scope == "Device":  # that of a mouse, say
            continue
        if read(folder / "status") == "Discharging":
            charge = number(folder / "capacity")
            left = "" if charge is None else f", {charge} % left"
            yield Finding(SPOILS, "power supply", f"on battery{left}: clocks are low", "plug it in")
        else:
            yield Finding(FINE, "power supply", "plugged in")


def board(place: Place) -> Iterator[Finding]:
    """What holds a Jetson's clocks down now, or keeps them from rising."""
    state = read_state(place.root)
    if alerts := state.get("throttling"):
        value = f"clocks are held down: {', '.join(alerts)}"
        yield Finding(SPOILS, "board", value, "cool it, or give it a stronger power supply")
    for alarm, times in state.get("overcurrent_events", {}).items():
        if times:
            value = f"over-current alarm {alarm} held it down {times} times since it started"
            yield Finding(SPOILS, "board", value, "take a stronger power supply, or a lower mode")
    if state.get("jetson_clocks") in (OFF, PARTLY):
        value = "clocks rise under load only, which takes a moment"
        yield Finding(LACKS, "jetson_clocks", value, "sudo jetson_clocks")


def container(place: Place) -> Iterator[Finding]:
    """A container, a virtual machine, Windows' Linux: what may not be what it says it is."""
    for file, name in CONTAINERS.items():
        if (place.root / file).exists():
            yield Finding(FINE, "container", name)
    release = read(place.root / "proc/sys/kernel/osrelease")
    if "microsoft" in release.lower():
        yield Finding(
            SPOILS, "WSL", "Windows shares the machine, and clocks cannot be read", "boot Linux"
        )
    flags = read(place.root / "proc/cpuinfo")
    if " hypervisor" in flags:
        yield Finding(FINE, "virtual machine", "clocks and caches may not be what it reports")


def variables(place: Place) -> Iterator[Finding]:
    """Variables of the environment that change what is compiled or how it is launched."""
    for name, effect in SPOILING_VARIABLES.items():
        value = place.environment.get(name, "")
        if value not in ("", "0"):
            yield Finding(SPOILS, f"{name}={value}", effect, f"unset {name}")


Check = Callable[[Place], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    python,
    extras,
    folders,
    memory,
    processors,
    supply,
    board,
    container,
    variables,
)
"""What is looked at on any machine; a new thing is one function here."""


def load(lap: Load) -> Iterator[Finding]:
    """What else ran on the machine during a short look."""
    if lap.others > BUSY * lap.cores:
        names = ", ".join(f"{name} {cores:.1f}" for name, cores in lap.busiest)
        by_whom = f" ({names})" if names else ""
        value = f"others keep {lap.others:.1f} of {lap.cores} processors busy{by_whom}"
        yield Finding(SPOILS, "load", value, "end them, or wait")
    else:
        yield Finding(FINE, "load", "others are quiet")
    if lap.steal > STOLEN:
        value = f"the hypervisor gives {lap.steal:.0%} of the processors to other machines"
        yield Finding(SPOILS, "load", value, "take a machine of your own")
    if lap.stopped > STOLEN:
        value = f"a quota stops this process for {lap.stopped:.0%} of the time"
        yield Finding(SPOILS, "load", value, "raise the container's quota of processors")
