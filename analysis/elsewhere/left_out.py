"""How far estimates are off: each measured device is left out in turn, and estimated from the rest.

Only networks that several devices ran at the same precision can tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from analysis.elsewhere.machine import Machine
from analysis.elsewhere.predict import predict
from analysis.elsewhere.work import NetworkWork

FEWEST_DEVICES = 5
"""Devices that must have been left out in turn, before an estimate has error bars."""


@dataclass(frozen=True)
class Known:
    """A measured device, and the networks that ran on it."""

    machine: Machine
    """With its measured roofs."""
    networks: tuple[NetworkWork, ...]
    """What it ran."""


@dataclass(frozen=True)
class LeftOut:
    """One network on a device that was left out."""

    device: str
    """The device, by all that tells it from others."""
    network: str
    """Name of the network."""
    precision: str
    """Its precision."""
    seconds: float
    """As measured."""
    estimate: float
    """Seconds by the other devices: the median of what each of them says."""
    bound: float | None
    """Seconds by theory; None where it does not tell."""

    @property
    def is_broken(self) -> bool:
        """True if it ran faster than its bound."""
        return self.bound is not None and self.seconds < self.bound

    @property
    def ratio(self) -> float:
        """The estimate over the measured time."""
        return self.estimate / self.seconds


@dataclass(frozen=True)
class Error:
    """What leaving each device out in turn says of an estimate."""

    cases: tuple[LeftOut, ...]
    """Every network on every device that could be estimated from others."""

    @property
    def devices(self) -> int:
        """How many devices were left out."""
        return len({case.device for case in self.cases})

    @property
    def has_bars(self) -> bool:
        """True if enough devices were left out to give an estimate error bars."""
        return self.devices >= FEWEST_DEVICES

    @property
    def span(self) -> tuple[float, float]:
        """The least and the greatest estimate over the measured time."""
        ratios = [case.ratio for case in self.cases]
        return min(ratios), max(ratios)

    @property
    def factor(self) -> float:
        """By which an estimate is off in the middle case: 2 is half or twice the time."""
        return math.exp(median(abs(math.log(case.ratio)) for case in self.cases))

    def bars(self, estimate: float) -> tuple[float, float] | None:
        """Seconds between which the true time lay in all cases; None for too few devices."""
        if not self.has_bars:
            return None
        least, greatest = self.span
        return estimate / greatest, estimate / least


def as_measured(machine: Machine) -> Machine:
    """The machine with its measured roofs."""
    return machine


def in_theory(machine: Machine) -> Machine:
    """The machine with the roofs of its theory."""
    return machine.in_theory


def leave_out_each(
    known: Sequence[Known], roofs: Callable[[Machine], Machine] = as_measured
) -> Error:
    """Estimate every network of each device from all others.

    roofs: those that the estimate in question stands on.
    """
    cases = []
    for left_out in known:
        others = [other for other in known if other.machine.identity != left_out.machine.identity]
        there = roofs(left_out.machine)
        for network in left_out.networks:
            estimates = list(_estimates(network, others, there, roofs))
            if not estimates:
                continue
            bound = predict(network, there, there).bound
            cases.append(
                LeftOut(
                    device=" ".join(map(str, left_out.machine.identity)),
                    network=network.name,
                    precision=network.precision,
                    seconds=network.seconds,
                    estimate=median(estimates),
                    bound=bound.seconds,
                )
            )
    return Error(tuple(cases))


def _estimates(
    network: NetworkWork,
    others: Iterable[Known],
    there: Machine,
    roofs: Callable[[Machine], Machine],
) -> Iterable[float]:
    """What each other device says of the time of a network ``there``, in seconds."""
    for other in others:
        for same in other.networks:
            if same.key != network.key:
                continue
            estimate = predict(same, roofs(other.machine), there).estimate
            if estimate is not None:
                yield estimate
