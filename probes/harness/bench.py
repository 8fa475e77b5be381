"""Where cases are built and timed: in a process of their own, which may crash or hang, or in this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from probes.harness import sustained
from probes.harness.devices import nvml
from probes.harness.guard import Broken, Guard
from probes.harness.records import FAILED, Device
from probes.harness.task import Task
from probes.harness.timing import Clock, Rule, clock_for
from probes.harness.turn import Turn, prepare, take_turn, told

PATIENCE = 10  # times as long as a turn is expected to take, it may
LEAST_PATIENCE = 20.0  # seconds, at least
FIRST_SECONDS = 6.0  # that a first turn is expected to take beside its samples: it compiles, checks and calibrates
START_SECONDS = 600.0  # for a device to start, and for all kernels to compile, on a slow board one after another


class LocalBench:
    """Times cases in this process."""

    def __init__(self, device: Device, clock: Clock) -> None:
        self.device, self.clock = device, clock

    def turn(self, task: Task, rule: Rule) -> Turn:
        """One turn of a task."""
        return take_turn(task, self.device, self.clock, rule)


@dataclass(frozen=True)
class _Ask:
    """A request to the worker."""

    what: str
    """``start`` the device, ``prepare`` all kernels, take the ``turn`` of a task, or ``sustain`` it."""
    task: int = 0
    """Place of the task among all."""
    rule: Rule | None = None
    seconds: float = 0.0


class GuardedBench:
    """Times cases in a worker process: what ends that process, or hangs in it, fails one case and no other."""

    def __init__(self, device: Device, todo: Sequence[Task]) -> None:
        self._device, self._todo = device, todo
        self._places = {id(task): place for place, task in enumerate(todo)}
        self._guard = Guard(self._worker)

    def _worker(self) -> Callable[[_Ask], Any]:
        """What a worker does: it knows the tasks as they were when it was made, and what it did since."""
        clock = clock_for(self._device)

        def answer(ask: _Ask) -> Any:
            if ask.what == "start":
                return None
            if ask.what == "prepare":
                return prepare(self._todo, self._device)
            task = self._todo[ask.task]
            if ask.what == "sustain":
                watch = nvml.Watch(self._device).read
                return sustained.sustain(task, self._device, clock, ask.seconds, watch)
            assert ask.rule is not None
            turn = take_turn(task, self._device, clock, ask.rule)
            if turn.samples:
                turn.note(task)
            return turn

        return answer

    def prepare(self) -> None:
        """Start the device and compile what will run. Raises what the device answers if it cannot be used.

        Where compiling ends the worker, each case compiles in its turn, and the one that does it fails.
        """
        try:
            self._guard.ask(_Ask("prepare"), START_SECONDS)
        except Broken:
            self._guard.renew()

    def turn(self, task: Task, rule: Rule) -> Turn:
        """One turn of a task in the worker; a fault of the worker is a failed turn with its reason."""
        expected = rule.warm_seconds + rule.budget_seconds + (0.0 if task.repeat else FIRST_SECONDS)
        limit = max(LEAST_PATIENCE, PATIENCE * expected)
        try:
            if self._guard.fresh:
                self._guard.ask(_Ask("start"), START_SECONDS)
            turn: Turn = self._guard.ask(_Ask("turn", self._places[id(task)], rule), limit)
        except Exception as error:  # Broken, or what a driver answers that a fresh worker cannot start
            return Turn(FAILED, told(error))
        if turn.broken:
            self._guard.renew()
        return turn

    def sustain(self, task: Task, seconds: float) -> list[sustained.Moment]:
        """The curve of a load that goes on for so long. Raises what the device raises, or Broken."""
        place = self._places[id(task)]
        ask, limit = _Ask("sustain", place, None, seconds), LEAST_PATIENCE + 2 * seconds
        moments: list[sustained.Moment] = self._guard.ask(ask, limit)
        return moments

    def close(self) -> None:
        """End the worker."""
        self._guard.close()
