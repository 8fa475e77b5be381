"""What a user sees while and after measuring: live on a terminal, plain lines in a pipe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, Protocol

from analysis.analyse import Outcome
from analysis.model.ceilings import Ceiling
from analysis.model.trust import FAIR, GOOD, LOW, at_start
from analysis.tell.columns import Column, fit, shortened
from analysis.tell.layer_console import COLUMNS as LAYER_COLUMNS
from analysis.tell.layer_console import lines, sentences
from analysis.tell.most import CEILINGS
from analysis.tell.output import heard, plain
from analysis.tell.report import ON_TERMINAL, cells, summary
from analysis.units import binary, si, unit_of
from kernels.device import Device
from probes.records.measurement import FAILED, OK, Measurement
from probes.records.tag import LAYER

PIPE_WIDTH = 240  # columns: no line of a table is broken where no one looks at a screen
NARROWEST, WIDEST = 40, 1000  # columns, whatever the environment says
STYLES = {OK: "", FAILED: "red"}  # of a ceiling's row
TRUST_STYLES = {GOOD: "green", FAIR: "yellow", LOW: "bold red"}


class Steps(Protocol):
    """Takes each finished step of a run."""

    def step(self, row: Measurement) -> None:
        """One case has had one more round."""


class Console:
    """Prints to standard output. Raises Unheard where that takes no more."""

    def __init__(self) -> None:
        self._rich = _rich(highlight=False, soft_wrap=True, emoji=False)
        if not self._rich.is_terminal:
            self._rich = _rich(
                highlight=False, width=_columns() or PIPE_WIDTH, no_color=True, emoji=False
            )
        elif self._rich.width < NARROWEST:
            self._rich.width = NARROWEST

    def note(self, text: str) -> None:
        """One line."""
        self._print(plain(text), markup=False, soft_wrap=True)

    def _print(self, *what: Any, **how: Any) -> None:
        with heard():
            self._rich.print(*what, **how)

    def device(self, device: Device, why: str) -> None:
        """What is measured, why it, and what may falsify the numbers."""
        units = (
            f"{device.units} SMs, compute capability"
            if device.kind == "cuda"
            else f"{device.units} cores,"
        )
        memory = (
            f", {si(device.memory_free_bytes, 'B')} of memory free"
            if device.memory_free_bytes
            else ""
        )
        self._print(f"[bold]{_safe(device.name)}[/bold]  ({_safe(why)})")
        self.note(f"  {units} {device.arch or 'unknown core'}{memory}")
        for warning in device.warnings:
            self._print(f"[yellow]  warning: {_safe(warning)}[/yellow]")

    def load(self, load: Mapping[str, Any]) -> None:
        """What else ran on the machine just before the measurement."""
        line, quiet = at_start(load)
        self._print(f"  {_safe(line)}", style="" if quiet else "yellow")

    @contextmanager
    def progress(self, total: int) -> Iterator[Steps]:
        """Progress of ``total`` steps: a bar with the time left, or a line for every new result."""
        if not self._rich.is_terminal:
            yield _Lines(self)
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("  {task.description:44}"),
            BarColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._rich, transient=True) as bar:
            yield _Bar(self, bar, bar.add_task("starting", total=total))

    def result(self, outcome: Outcome) -> None:
        """The table of ceilings, that of layers if there are any, what they mean, and where the
        files are.
        """
        found = list(outcome.ceilings.values())[:CEILINGS]
        self._print()
        self._table(
            ON_TERMINAL, [cells(c) for c in found], [_style(c) for c in found], "ceilings.csv"
        )
        if more := len(outcome.ceilings) - len(found):
            self.note(f"… and {more} more in ceilings.csv")
        said = summary(outcome.run, outcome.ceilings, outcome.notes)
        if outcome.placements:
            self._table(LAYER_COLUMNS, lines(outcome.placements), (), "placements.csv")
            said = [*sentences(outcome.placements, outcome.networks, outcome.layer_sweeps), *said]
        for text in said:
            self.note(text)
        if outcome.trust:
            style = TRUST_STYLES[outcome.trust.level]
            self._print(_safe(outcome.trust.line), style=style)
        run = outcome.run
        for warning in (*run.warnings[len(run.device.warnings) :], *run.damage):
            self.note(f"warning: {warning}")
        if outcome.folder:
            names = ", ".join(["run.json", "measurements.csv", *(f.name for f in outcome.files)])
            self.note(f"Files in {outcome.folder}: {names}")

    def _table(
        self,
        columns: Sequence[Column[Any]],
        rows: Sequence[Sequence[str]],
        styles: Sequence[str],
        file: str,
    ) -> None:
        """A table of what has room here; what has none is named, with the file that holds it."""
        widths = fit(columns, rows, self._rich.width)
        head = [column.name for column in columns]
        table = _empty(columns, widths)
        for row, style in zip_longest(rows, styles, fillvalue=""):
            shown = {name: cell for name, cell in zip(head, row, strict=True) if name in widths}
            if (
                head[-1] in widths and self._rich.is_terminal and not style
            ):  # why a row has no number is told whole
                shown[head[-1]] = shortened(row[-1], widths[head[-1]])
            table.add_row(*map(_safe, shown.values()), style=style)
        self._print(table)
        if left := [name for name in head if name not in widths]:
            self.note(f"No room here for {', '.join(left)}: see {file}.")


def _rich(**settings: Any) -> Any:
    """A console of rich that does not end the program by itself where no one reads what it
    prints.
    """
    from rich.console import Console as Rich

    class Heard(Rich):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Heard(**settings)


def _style(ceiling: Ceiling) -> str:
    """How a ceiling's row is shown: what is no roof is dim."""
    return "dim" if not ceiling.trusted else STYLES.get(ceiling.status, "dim")


def _empty(columns: Sequence[Column[Any]], widths: Mapping[str, int]) -> Any:
    """A table of these columns; lines are broken only in those of words."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        if column.name in widths:
            side: Any = "right" if column.number else "left"
            width = widths[column.name]
            table.add_column(
                column.name, justify=side, no_wrap=not column.least, overflow="fold", width=width
            )
    return table


class _Lines:
    """A line for each case, when it is first measured, and again only if it fails later."""

    def __init__(self, console: Console) -> None:
        self._console, self._said = console, set[tuple[str, ...]]()

    def step(self, row: Measurement) -> None:
        key = (row.ceiling, row.backend, row.params, row.status)
        if key not in self._said:
            self._said.add(key)
            self._console.note(_line(row))


class _Bar:
    """The live bar."""

    def __init__(self, console: Console, bar: Any, task: Any) -> None:
        self._console, self._bar, self._task = console, bar, task
        self._failed = set[tuple[str, ...]]()

    def step(self, row: Measurement) -> None:
        key = (row.ceiling, row.backend, row.params)
        if row.status == FAILED and key not in self._failed:
            self._failed.add(key)
            self._console.note(_line(row))
        self._bar.update(
            self._task, advance=1, description=_safe(f"{row.ceiling} ({row.backend})"[:44])
        )


def _line(row: Measurement) -> str:
    value, unit = (
        (row.seconds_median, "s")
        if row.quantity == LAYER
        else (row.value, unit_of(row.ceiling, row.dtype))
    )
    what = si(value, unit) if row.status == OK else f"{row.status}: {row.reason}"
    return f"  {row.ceiling + _place(row):32} {row.backend:6} {what}"


def _place(row: Measurement) -> str:
    """The layer of a row and its precision, or the point of a sweep it is."""
    if row.layer:
        return f" {row.layer} {row.dtype}"
    if row.x is None:
        return ""
    in_bytes = row.sweep is not None and row.sweep.axis.unit == "B"
    return f" at {binary(row.x) if in_bytes else f'{row.x:g}'}"


def _safe(text: str) -> str:
    """Text in which rich sees no markup, and the terminal no command."""
    from rich.markup import escape

    return escape(plain(text))


def _columns() -> int:
    """Width that the environment asks for; 0 where it does not."""
    asked = os.environ.get("COLUMNS", "")
    return min(max(int(asked), NARROWEST), WIDEST) if asked.isdecimal() and len(asked) < 10 else 0
