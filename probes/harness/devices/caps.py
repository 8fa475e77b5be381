"""What holds a board below its best, in one plain line, and the command that lifts it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from probes.harness.devices import nvpmodel
from probes.harness.devices.frequencies import Clock
from probes.harness.devices.nvpmodel import SAME_CLOCK, Mode
from probes.records.jetsons import bandwidth

TO_LIFT, TO_SHOW = "; to lift it: ", "; to show it, "
"""What stands between a sentence on a board and the command that mends it; --doctor parts them."""


@dataclass(frozen=True, kw_only=True)
class Caps:
    """What a board may do now, beside what it can."""

    kind: str
    """Of the device that is measured: ``cuda`` or ``cpu``."""
    gpu: Clock
    """The GPU's clock; ``highest`` is the module's."""
    emc: Clock
    """The memory's clock; ``highest`` is the module's."""
    bus_bits: int | None = None
    """Width of the memory's bus."""
    sms: tuple[int, int] | None = None
    """SMs that are on, and how many the module has."""
    cpus: Sequence[Clock] = ()
    """The clock of each CPU that is on."""
    cpus_present: int = 0
    """CPUs that the board has, on or off; 0 if unknown."""
    mode: Mode | None = None
    """The power mode that is set."""
    modes: Iterable[Mode] = field(default_factory=tuple)
    """All power modes of the board."""

    @property
    def parts(self) -> list[str]:
        """Each thing that is held back, in a few words."""
        phrases = []
        is_gpu = self.kind == "cuda"
        if is_gpu and is_below(self.gpu.cap, self.gpu.highest):
            phrases.append(f"GPU at {_of(self.gpu)}")
        if is_gpu and self.sms and self.sms[0] < self.sms[1]:
            on, of = self.sms
            phrases.append(f"{of - on} of {of} SMs off")
        if is_below(self.emc.cap, self.emc.highest):
            phrases.append(f"memory at {_of(self.emc)}{_bandwidths(self.emc, self.bus_bits)}")
        if is_below(self._cpu.cap, self._cpu.highest):
            phrases.append(f"CPU at {_of(self._cpu)}")
        off = self.cpus_present - len(self.cpus)
        if self.cpus and off > 0:
            phrases.append(f"{off} of {self.cpus_present} CPU cores off")
        return phrases

    @property
    def better(self) -> Mode | None:
        """A faster power mode; None if the present one is the fastest, or it is not known."""
        if self.mode is None:
            return None
        highest = (self.gpu.highest, self.emc.highest, self._cpu.highest)
        modes = [mode.within(*highest) for mode in self.modes]
        return nvpmodel.best(modes, self.mode.within(*highest), self.kind)

    @property
    def _cpu(self) -> Clock:
        """The clock of the fastest CPU."""
        return Clock(
            cap=max((clock.cap for clock in self.cpus if clock.cap), default=None),
            highest=max((clock.highest for clock in self.cpus if clock.highest), default=None),
        )

    @property
    def line(self) -> str:
        """The line; empty if nothing is known to hold the board back."""
        parts = ", ".join(self.parts)
        better = self.better
        if not parts and not better:
            return ""
        by_mode = f"power mode {in_words(self.mode)}" if self.mode else ""
        if better is None:
            way_out = ""
            if by_mode and self.modes:
                way_out = " (this is its fastest power mode)"
            elif not by_mode:
                way_out = " (the power mode is hidden here: sudo nvpmodel -q tells it)"
            by = f" in {by_mode}" if by_mode else ""
            return f"held back{by}: {parts}{way_out}"
        command = f"sudo nvpmodel -m {better.number}"
        if better.name:
            command += f" ({better.name})"
        if not parts:
            return f"{by_mode} is not this board's fastest{TO_LIFT}{command}"
        return f"held back by {by_mode}: {parts}{TO_LIFT}{command}"


def in_words(mode: Mode) -> str:
    """A power mode by name and number: ``MAXN (id 0)``; one without a name by its number."""
    return f"{mode.name} (id {mode.number})" if mode.name else f"id {mode.number}"


def is_below(cap: float | None, highest: float | None) -> bool:
    """True if a clock is capped below its highest; of an unknown one it is not known to be."""
    return bool(cap and highest and cap < SAME_CLOCK * highest)


def _of(clock: Clock) -> str:
    assert clock.cap is not None
    assert clock.highest is not None
    return f"{clock.cap / 1e6:.0f} of {clock.highest / 1e6:.0f} MHz"


def _bandwidths(emc: Clock, bus_bits: int | None) -> str:
    """The bandwidths that a capped memory, and one that is not, can have."""
    if not (bus_bits and emc.cap and emc.highest):
        return ""
    capped, whole = (bandwidth(hertz, bus_bits) / 1e9 for hertz in (emc.cap, emc.highest))
    return f" ({capped:.1f} of {whole:.1f} GB/s)"
