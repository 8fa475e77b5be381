"""What makes a device a Jetson's: its module, memory shared by CPU and GPU, power mode, clocks.

The module's row tells the width and the rate of the memory, since the driver's words on both are
wrong on most boards: its clock of the memory is one of the GPU (612 MHz on Orin, 1377 MHz on
Xavier), its width may be half, twice or zero, and its clock of Thor's GPU is lower than the GPU
runs (1049 of 1575 MHz).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kernels.base import one_line
from kernels.device import Device
from probes.harness.devices import board as boards
from probes.harness.devices import frequencies, nvpmodel, state
from probes.harness.devices.board import Board
from probes.harness.devices.caps import TO_SHOW, Caps
from probes.harness.devices.frequencies import Clock
from probes.harness.devices.limits import machine_memory
from probes.harness.devices.nvpmodel import SAME_CLOCK, Mode
from probes.records import jetsons
from probes.records.jetsons import Module, Rating

FIRST_SUPER = (36, 4, 3)
"""The release of L4T that brought the Super modes (JetPack 6.2)."""
LAST_TREE = (38,)
"""Before this release, device trees of boards with Super modes say so."""
SUPER = "super"
MOST_NAMES = 3
"""Modules that a sentence names."""
SOURCE_OF_RANGE = "data sheets of the modules that it may be"


def _jtop() -> Any:
    """jetson-stats' monitor; raises where it is not installed or its service does not answer."""
    from jtop import jtop

    return jtop()


def enrich(device: Device, root: Path = Path("/"), monitor: Callable[[], Any] = _jtop) -> Device:
    """``device`` with the Jetson's facts; the same device where it is not a Jetson's own GPU.

    In a container that hides the board's files, ``integrated`` and the compute capability tell a
    Jetson. monitor: opens jetson-stats, which is asked only for what sysfs does not show to this
    user.
    """
    if device.kind != "cuda" or "integrated" not in device.features:
        return device
    board = boards.find(root)
    of_gpu = jetsons.of_driver(device.arch, 1, None)
    if board is None and not of_gpu:
        return device
    board = (board or Board()).with_gpu(device.arch, device.units, device.memory_bytes)
    reading = _Reading(root, board, monitor)
    gpu = _gpu_clock(reading)
    facts = {**_facts(reading, gpu), **_memory_facts(board)}
    if board.module:
        facts["sms_of"] = board.module.sms
    if reading.note:
        facts["emc_clock"] = reading.note
    of_driver = jetsons.of_driver(device.arch, device.units, None) or of_gpu
    is_known = board.is_listed and not board.is_hidden
    memory = _memory(reading, board.modules if is_known else of_driver)
    caps = _caps("cuda", reading, gpu, memory, device.units)
    return replace(
        device,
        name=board.model or device.name,
        clock_hz=gpu.highest,
        memory_clock_hz=memory.clock_hz,
        memory_bus_bits=memory.bus_bits,
        memory_transfers=jetsons.TRANSFERS,
        memory_range=memory.range,
        memory_limit=memory.limit,
        system_cache_bytes=_system_cache(board),
        features=(*device.features, "jetson"),
        facts={**device.facts, **facts},
        warnings=(*device.warnings, *_warnings(board, caps)),
    )


def enrich_cpu(device: Device, root: Path = Path("/")) -> Device:
    """The CPU with the facts of the Jetson that it is part of; the same device if of none."""
    board = boards.find(root)
    if board is None:
        return device
    board = board.with_cpu(device.arch, machine_memory(root))
    reading = _Reading(root, board, None)
    gpu = _gpu_clock(reading)
    memory = _memory(reading, board.modules)
    caps = _caps("cpu", reading, gpu, memory, None)
    return replace(
        device,
        memory_clock_hz=memory.clock_hz,
        memory_bus_bits=memory.bus_bits,
        memory_transfers=jetsons.TRANSFERS if board.modules else None,
        memory_range=memory.range,
        memory_limit=memory.limit,
        system_cache_bytes=_system_cache(board),
        features=(*device.features, "jetson"),
        facts={**device.facts, **_facts(reading, gpu), **_memory_facts(board)},
        warnings=(*device.warnings, *_warnings(board, caps)),
    )


class _Reading:
    """What the board's files say, and jetson-stats of what they hide."""

    def __init__(self, root: Path, board: Board, monitor: Callable[[], Any] | None) -> None:
        self.board = board
        self.gpu = frequencies.gpu(root)
        self.cpus = list(frequencies.cpus(root).values())
        self.cpus_present = len(frequencies.present_cpus(root))
        self.mask = frequencies.tpc_pg_mask(root)
        self.table = state.mode_table(root, board)
        self.mode = state.current_mode(root, board)
        self.emc = state.with_mode(frequencies.emc(root), self.mode)
        self.note = ""
        """Why the memory's clock is unknown, and what to do; empty if it is known."""
        if monitor is not None and (self.emc.now is None or self.mode is None):
            self._ask(monitor)

    def _ask(self, monitor: Callable[[], Any]) -> None:
        """Complete the power mode and the memory's clock by jetson-stats."""
        try:
            with monitor() as board:
                emc = board.memory.get("EMC", {})  # kHz; its maximum is that of the power mode
                mode = _mode_of(board.nvpmodel, self.table)
        except Exception as error:  # no package, no service, no right to it, or another version
            if self.emc.now is None:
                self.note = f"not readable: run as root, or {_mend_monitor(error)}"
            return
        now = emc["cur"] * 1000 if emc.get("cur") else None
        cap = emc["max"] * 1000 if emc.get("max") else None
        self.emc = replace(self.emc, now=self.emc.now or now, cap=self.emc.cap or cap)
        self.mode = self.mode or mode
        if self.emc.now is None:
            self.note = "not readable: run as root"


def _mode_of(answer: Any, table: Mapping[int, Mode]) -> Mode | None:
    """The power mode that jetson-stats shows: its name (MAXN SUPER, 15W), and perhaps its number.

    None if it tells none that the board's table knows, and no number.
    """
    if not answer:
        return None
    name = str(answer)
    for mode in table.values():
        if _plain(mode.name) == _plain(name):
            return mode
    number = getattr(answer, "id", None)
    return Mode(number, name) if isinstance(number, int) else None


def _plain(name: str) -> str:
    """A power mode's name as jetson-stats shows it."""
    return name.removeprefix("MODE_").replace("_", " ").upper()


def _mend_monitor(error: Exception) -> str:
    """What makes jetson-stats answer."""
    if isinstance(error, ModuleNotFoundError):
        return "install jetson-stats"
    text = one_line(error)
    if "version" in text.lower() or "mismatch" in text.lower():
        return (
            "make jetson-stats' service and its Python package the same version: "
            "sudo pip3 install -U jetson-stats && sudo systemctl restart jtop.service"
        )
    return f"mend jetson-stats ({type(error).__name__}: {text})"


def _facts(reading: _Reading, gpu: Clock) -> dict[str, Any]:
    """What is known of the board, for ``run.json``."""
    board, mode = reading.board, reading.mode
    module = board.module
    facts = {
        "jetson": board.model,
        "module": board.number,
        "module_name": module.name if module else "",
        "modules": [] if module else [candidate.name for candidate in board.modules],
        "memory_type": module.memory_type if module else "",
        "l4t": board.l4t,
        "jetpack": board.jetpack,
        "power_mode": (mode.name or str(mode.number)) if mode else "",
        "power_mode_id": mode.number if mode else None,
        "gpu_clock_hz": gpu.now,
        "gpu_clock_cap_hz": gpu.cap,
        "gpu_clock_max_hz": gpu.highest,
        "emc_clock_hz": reading.emc.now,
        "emc_clock_cap_hz": reading.emc.cap or reading.emc.highest,
        "emc_clock_max_hz": reading.emc.highest,
        "tpc_pg_mask": reading.mask,
        "dla_not_measured": module.dla if module and module.dla else None,
        "board_hidden": board.is_hidden or None,
    }
    return {name: value for name, value in facts.items() if value not in (None, "", [])}


def _memory_facts(board: Board) -> dict[str, str]:
    """Where the memory's theory comes from."""
    sources = list(dict.fromkeys(module.source for module in board.modules))
    if not sources:
        return {}
    return {"memory_source": sources[0] if len(sources) == 1 else SOURCE_OF_RANGE}


def _system_cache(board: Board) -> int | None:
    """The largest cache beside memory that the board may have."""
    sizes = [jetsons.SYSTEM_CACHE_BYTES.get(module.chip, 0) for module in board.modules]
    return max(sizes, default=0) or None


def _may_be_super(reading: _Reading) -> bool | None:
    """True if the board's software has Super modes, and False if not; None if unknown."""
    board = reading.board
    if any(SUPER in word for word in board.words) or SUPER in board.model.lower():
        return True
    if reading.table:
        return any(SUPER in mode.name.lower() for mode in reading.table.values())
    if not board.release:
        return None
    if board.release < FIRST_SUPER:
        return False
    return False if board.words and board.release < LAST_TREE else None


def _rating(reading: _Reading, module: Module, clock: str, evidence: float | None) -> Rating | None:
    """The rating of a module whose ``clock`` (a field of Rating) holds here; None if unknown.

    It is the lowest that allows the evidence, a clock that the board may take.
    """
    ratings = module.ratings
    values = [getattr(rating, clock) for rating in ratings]
    if len(set(values)) == 1:
        return ratings[0]
    if evidence is not None:
        allowing = [rating for rating in ratings if getattr(rating, clock) >= SAME_CLOCK * evidence]
        return allowing[0] if allowing else ratings[-1]
    return ratings[0] if _may_be_super(reading) is False else None


def _gpu_clock(reading: _Reading) -> Clock:
    """The GPU's clock, with the module's highest where sysfs does not list it."""
    clock = reading.gpu
    highest = clock.highest
    if highest is None:
        modules = reading.board.modules if reading.board.is_listed else ()
        rated = _same(_rated_gpu(reading, module) for module in modules)
        highest = max(rated, clock.cap or 0.0) if rated else None
    return replace(clock, highest=highest)


def _rated_gpu(reading: _Reading, module: Module) -> float | None:
    """The highest clock of a module's GPU; None if unknown.

    A cap below the lowest rating tells nothing: any software may set it.
    """
    cap = reading.gpu.cap
    is_telling = cap is not None and cap > module.ratings[0].gpu_hz / SAME_CLOCK
    rating = _rating(reading, module, "gpu_hz", cap if is_telling else None)
    if rating is None and _may_be_super(reading):
        rating = module.ratings[-1]
    return rating.gpu_hz if rating else None


def _same(values: Iterable[float | None]) -> float | None:
    """The value that all of these are; None if they differ, or there is none."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


class _Memory:
    """The memory as rated: unknown is None."""

    def __init__(
        self, reading: _Reading, modules: Sequence[Module], possible: Sequence[Module]
    ) -> None:
        rated = [_rated_memory(reading, module) for module in modules]
        self.clock_hz = _same(rated)
        self.bus_bits = None
        bits = {module.bus_bits for module in modules}
        if reading.board.is_listed and self.clock_hz is not None and len(bits) == 1:
            self.bus_bits = bits.pop()
        else:
            self.clock_hz = None
        rates = [rate for module in modules for rate in module.bandwidths]
        self.range: tuple[float, ...] = ()
        if self.clock_hz is None and rates:
            self.range = (min(rates), max(rates))
        possible_rates = [rate for module in possible for rate in module.bandwidths]
        if possible_rates and reading.emc.highest:
            widest = max(module.bus_bits for module in possible)
            possible_rates.append(jetsons.bandwidth(reading.emc.highest, widest))
        self.limit = max(possible_rates, default=None)
        self.highest_hz = _same(module.ratings[-1].memory_hz for module in modules)


def _memory(reading: _Reading, possible: Sequence[Module]) -> _Memory:
    """The memory of the board; possible: every module whose rates are possible here."""
    return _Memory(reading, reading.board.modules, possible)


def _rated_memory(reading: _Reading, module: Module) -> float | None:
    """The clock at which a module's memory is rated in its present mode; None if unknown."""
    evidence = reading.emc.cap
    mode = reading.mode
    if evidence is None and mode is not None:
        is_uncapped = (mode.emc_hz or 0.0) >= nvpmodel.NO_CAP_HZ
        if is_uncapped or SUPER in mode.name.lower():
            evidence = reading.emc.highest or module.ratings[-1].memory_hz
    lowest = module.ratings[0].memory_hz
    if reading.emc.now and reading.emc.now > lowest / SAME_CLOCK:
        evidence = max(reading.emc.now, evidence or 0.0)
    if evidence is None and reading.emc.highest and reading.emc.highest <= lowest / SAME_CLOCK:
        evidence = reading.emc.highest
    rating = _rating(reading, module, "memory_hz", evidence)
    return rating.memory_hz if rating else None


def _caps(kind: str, reading: _Reading, gpu: Clock, memory: _Memory, units: int | None) -> Caps:
    """What holds the board back. units: the SMs that the driver sees, if it was asked."""
    module = reading.board.module
    sms = None
    if kind == "cuda" and module and units:
        sms = (units, module.sms)
    elif module and reading.mask is not None and module.chip in jetsons.TPCS:
        clusters = jetsons.TPCS[module.chip] - reading.mask.bit_count()
        sms = (max(0, min(module.sms, jetsons.SMS_OF_TPC * clusters)), module.sms)
    highest = memory.highest_hz if _may_be_super(reading) else memory.clock_hz
    return Caps(
        kind=kind,
        gpu=gpu,
        emc=replace(reading.emc, highest=highest or reading.emc.highest),
        bus_bits=memory.bus_bits,
        sms=sms,
        cpus=reading.cpus,
        cpus_present=reading.cpus_present,
        mode=reading.mode,
        modes=tuple(reading.table.values()),
    )


def _warnings(board: Board, caps: Caps) -> list[str]:
    """What a user should know: what holds the board back, and that a container hides it."""
    lines = [caps.line] if caps.line else []
    if board.is_hidden:
        lines.append(f"{_which(board)}{TO_SHOW}docker run {' '.join(boards.PASS_IN)}")
    elif board.module is None:
        lines.append(f"{_which(board)}: its device tree says {' '.join(board.words)}")
    return lines


def _which(board: Board) -> str:
    """What is not known of the module, in words."""
    names = [module.name for module in board.modules]
    if not names:
        return "which Jetson module this is, is not known"
    if len(names) == 1:
        return f"this container hides the board; by GPU and memory it is a {names[0]}"
    if len(names) > MOST_NAMES:
        names = [*names[:MOST_NAMES], f"{len(names) - MOST_NAMES} more"]
    return f"which Jetson module this is, is not known: {', '.join(names[:-1])} or {names[-1]}"
