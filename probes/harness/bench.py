"""Where cases are built and timed: in a worker process, which may crash or hang, or in this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from kernels.base import Unavailable
from kernels.device import Device
from probes.harness import energy, sustained
from probes.harness.board import frequency_of
from probes.harness.clocks.sampling import Clock, Rule, clock_for
from probes.harness.clocks.settling import MOST_SECONDS, Warm
from probes.harness.devices import power
from probes.harness.guard import Broken, Guard
from probes.harness.task import Task
from probes.harness.turn import Turn, in_one_line, prepare, take_turn
from probes.records.measurement import FAILED, OK, SKIPPED, Measurement, RidgelineError

PATIENCE = 10
"""A turn may take so many times as long as it is expected to."""
LEAST_PATIENCE_SECONDS = 20.0
"""A turn may take so long whatever is expected."""
FIRST_SECONDS = 6.0
"""Expected of a first turn beside its samples: it compiles, checks and calibrates."""
FIND_SECONDS = 120.0
"""For a driver to start: one without its daemon loads its firmware first."""
START_SECONDS = 600.0
"""For a device to start, and for all kernels to compile, on a slow board one after another."""


class LocalBench:
    """Times cases in this process."""

    def __init__(self, device: Device, clock: Clock) -> None:
        self.device = device
        self.clock = clock

    def turn(self, task: Task, rule: Rule) -> Turn:
        """One turn of a task."""
        return take_turn(task, self.device, self.clock, rule)


@dataclass(frozen=True)
class _Ask:
    """A request to the worker."""

    what: str
    """Name of the worker's method that answers it."""
    spec: str | None = None
    """How the user names the device to find."""
    device: Device | None = None
    """The device to measure, where the worker does not know it yet."""
    task: int = 0
    """Place of the task among all."""
    rule: Rule | None = None
    """When to stop sampling it."""
    seconds: float = 0.0
    """How long to sustain it."""
    row: Measurement | None = None
    """What is known of it by now: a worker knows only what it measured itself."""


Find = Callable[["str | None"], tuple[Device, str]]
"""find(spec) -> the device that the user names so, and why that one."""
Plan = Callable[[Device], Sequence[Task]]
"""plan(device) -> its tasks, always the same ones."""


class _Worker:
    """What a worker does. It knows the tasks as they were when it was made, and its own turns."""

    def __init__(self, find: Find, plan: Plan, device: Device | None, todo: Sequence[Task]) -> None:
        self._find, self._plan, self._device, self._todo = find, plan, device, todo
        self._clock: Clock | None = None
        self._sensor: power.Found | None = None

    def answer(self, ask: _Ask) -> Any:
        """Do what is asked."""
        return getattr(self, ask.what)(ask)

    def find(self, ask: _Ask) -> tuple[Device, str]:
        """The device that the user names, and why that one."""
        return self._find(ask.spec)

    def learn(self, ask: _Ask) -> str:
        """Take the device to measure, for a worker made before it was known.

        Returns what the worker will measure, as ``told_apart`` writes it.
        """
        assert ask.device is not None
        self._device = ask.device
        self._todo = self._plan(ask.device)
        return told_apart(self._todo)

    def start(self, ask: _Ask) -> None:
        """Start the device."""
        self._running()

    def prepare(self, ask: _Ask) -> None:
        """Start the device and compile what will run."""
        device, _ = self._running()
        prepare(self._todo, device)

    def turn(self, ask: _Ask) -> Turn:
        """One turn of a task."""
        assert ask.rule is not None
        task = self._todo[ask.task]
        device, clock = self._running()
        turn = take_turn(task, device, clock, ask.rule, frequency_of(device))
        if turn.status == OK:
            turn.add_to(task)
        return turn

    def sustain(self, ask: _Ask) -> list[sustained.Moment]:
        """The curve of a task's load that goes on for so long."""
        device, clock = self._running()
        assert ask.row is not None
        task = replace(self._todo[ask.task], row=ask.row)
        return sustained.sustain(task, device, clock, ask.seconds, power.Watch(device).read)

    def sense(self, ask: _Ask) -> energy.Telling:
        """What tells the power of the device."""
        device, _ = self._running()
        return energy.telling(self._sensed(device))

    def idle(self, ask: _Ask) -> float | None:
        """Power of the device in W with no load; None if unknown."""
        device, _ = self._running()
        sensor = self._sensed(device).sensor
        return energy.idle(sensor) if sensor else None

    def load(self, ask: _Ask) -> energy.Energy:
        """What the device draws while a task's kernel goes on alone."""
        device, clock = self._running()
        assert ask.row is not None
        sensor = self._sensed(device).sensor
        if sensor is None:
            return energy.Energy()
        task = replace(self._todo[ask.task], row=ask.row)
        return energy.load(task, device, clock, sensor)

    def _sensed(self, device: Device) -> power.Found:
        """The sensor of the device, which is looked for once."""
        if self._sensor is None:
            self._sensor = power.sensor_of(device)
        return self._sensor

    def _running(self) -> tuple[Device, Clock]:
        """The device and its clock, which is started once."""
        assert self._device is not None
        if self._clock is None:
            self._clock = clock_for(self._device)
        return self._device, self._clock


def told_apart(todo: Sequence[Task]) -> str:
    """A text that differs for different lists of tasks: what each asks, and in which size."""
    rows = [task.row for task in todo]
    return "\n".join(f"{row.ceiling} {row.backend} {row.dtype} {row.params}" for row in rows)


class GuardedBench:
    """Times cases in a worker process. What ends that process, or hangs in it, fails one case only.

    The device is found there, too: a process that has opened a GPU cannot be forked any more, and
    each worker is a fork of this one.
    """

    def __init__(self, find: Find, plan: Plan) -> None:
        self._find = find
        self._plan = plan
        self._device: Device | None = None
        self._todo: Sequence[Task] = ()
        self._places: dict[int, int] = {}
        self._guard = Guard(self._worker)
        self.warm_ups: list[Warm] = []
        """How the warm-up of each turn went, of a device whose clock has to settle."""

    def _worker(self) -> Callable[[_Ask], Any]:
        return _Worker(self._find, self._plan, self._device, self._todo).answer

    def find(self, spec: str | None) -> tuple[Device, str]:
        """The device that the user names (None: the best there is), and why that one.

        Raises RidgelineError if there is none such, or no driver answers.
        """
        if spec == "cpu":
            return self._find(spec)
        try:
            device, why = self._guard.ask(_Ask("find", spec=spec), FIND_SECONDS)
        except Broken as broken:
            raise RidgelineError(
                f"no answer from the GPU's driver ({broken}): use --device cpu"
            ) from None
        return device, why

    def take(self, device: Device, todo: Sequence[Task]) -> None:
        """These tasks will be timed on this device."""
        self._device, self._todo = device, todo
        self._places = {id(task): place for place, task in enumerate(todo)}
        if self._guard.fresh:
            return
        try:
            learnt = self._guard.ask(_Ask("learn", device=device), START_SECONDS)
        except Exception:  # whatever it is, a fresh worker meets it again, and it is told there
            learnt = None
        if learnt != told_apart(todo):
            self._guard.renew()

    def start(self) -> None:
        """Start the device. Raises what it answers if it cannot be used."""
        with suppress(Broken):  # whatever ends the worker, ends it again in a turn, which says so
            self._guard.ask(_Ask("start"), START_SECONDS)

    def prepare(self) -> None:
        """Compile what will run.

        Where compiling ends the worker, each case compiles in its turn, and the one at fault fails.
        """
        try:
            self._guard.ask(_Ask("prepare"), START_SECONDS)
        except Broken:
            self._guard.renew()

    def turn(self, task: Task, rule: Rule) -> Turn:
        """One turn of a task in the worker; a fault of the worker is a failed turn."""
        expected = rule.warm_seconds + rule.budget_seconds + task.case.kernel.slow_seconds
        if self._device and "jetson" in self._device.features:
            expected += MOST_SECONDS
        if not task.repeat:
            expected += FIRST_SECONDS
        limit = max(LEAST_PATIENCE_SECONDS, PATIENCE * expected)
        try:
            if self._guard.fresh:
                self._guard.ask(_Ask("start"), START_SECONDS)
            ask = _Ask("turn", task=self._places[id(task)], rule=rule)
            turn: Turn = self._guard.ask(ask, limit)
        except Unavailable as reason:  # the worker has ended to be rid of what did not
            self._guard.renew()
            return Turn(SKIPPED, str(reason))
        except Exception as error:  # Broken, or what a driver answers that does not start
            return Turn(FAILED, in_one_line(error))
        if turn.warm:
            self.warm_ups.append(turn.warm)
        if turn.broken:
            self._guard.renew()
        return turn

    def sustain(self, task: Task, seconds: float) -> list[sustained.Moment]:
        """The curve of a load that goes on for so long.

        Raises what the device raises, or Broken.
        """
        ask = _Ask("sustain", task=self._places[id(task)], seconds=seconds, row=task.row)
        limit = LEAST_PATIENCE_SECONDS + 2 * seconds
        moments: list[sustained.Moment] = self._guard.ask(ask, limit)
        return moments

    def sense(self) -> energy.Telling:
        """What tells the power of the device. Raises what the device raises, or Broken."""
        telling: energy.Telling = self._guard.ask(_Ask("sense"), START_SECONDS)
        return telling

    def idle(self) -> float | None:
        """Power of the device in W with no load; None if unknown. Raises as ``sense`` does."""
        watts: float | None = self._guard.ask(_Ask("idle"), START_SECONDS)
        return watts

    def load(self, task: Task, load_seconds: float) -> energy.Energy:
        """What the device draws while the task's kernel goes on alone for so long.

        Raises what the device raises, or Broken.
        """
        ask = _Ask("load", task=self._places[id(task)], row=task.row)
        expected = load_seconds + task.case.kernel.slow_seconds
        limit = max(LEAST_PATIENCE_SECONDS, PATIENCE * expected)
        drawn: energy.Energy = self._guard.ask(ask, limit)
        return drawn

    def close(self) -> None:
        """End the worker."""
        self._guard.close()
