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
from analysis.tell.ceiling_columns import CEILINGS_ON_TERMINAL
from analysis.tell.columns import Column, fit, in_words, on_few_lines
from analysis.tell.layer_columns import LAYERS_ON_TERMINAL
from analysis.tell.layer_console import cells_of_layers, sentences
from analysis.tell.most import CEILINGS
from analysis.tell.output import heard, plain
from analysis.tell.report import summary
from analysis.units import binary, si, unit_of
from kernels.device import Device
from probes.records.measurement import FAILED, OK, Measurement
from probes.records.tag import LAYER

PIPE_WIDTH = 240
"""Characters: no line of a table is broken where no one looks at a screen."""
NARROWEST, WIDEST = 40, 1000
"""Characters, whatever the environment says."""
BAR_TEXT = 44
"""Characters before the bar."""
ROW_STYLES = {OK: "", FAILED: "red"}
"""Of a ceiling, by its status; all others are dim."""
TRUST_STYLES = {GOOD: "green", FAIR: "yellow", LOW: "bold red"}


class Steps(Protocol):
    """Takes each finished step of a run."""

    def step(self, row: Measurement) -> None:
        """Show that one case has had one more round."""


class Console:
    """Prints for a person. Raises Unheard where its output takes no more."""

    def __init__(self, rich: Any = None) -> None:
        """rich: a console of that library that prints; one on standard output if not given."""
        self._rich = rich or _rich_console(highlight=False, soft_wrap=True, emoji=False)
        if not self._rich.is_terminal:
            width = _width_asked() or PIPE_WIDTH
            self._rich = _rich_console(highlight=False, width=width, no_color=True, emoji=False)
        elif self._rich.width < NARROWEST:
            self._rich.width = NARROWEST

    def note(self, text: str) -> None:
        """Print one line."""
        self._print(plain(text), markup=False, soft_wrap=True)

    def _print(self, *what: Any, **how: Any) -> None:
        with heard():
            self._rich.print(*what, **how)

    def device(self, device: Device, why: str) -> None:
        """Print what is measured, why it was chosen, and what may falsify the numbers."""
        core = device.arch or "unknown core"
        if device.kind == "cuda":
            facts = f"{device.units} SMs, compute capability {core}"
        else:
            facts = f"{device.units} cores, {core}"
        if device.memory_free_bytes:
            facts += f", {si(device.memory_free_bytes, 'B')} of memory free"
        self._print(f"[bold]{_safe(device.name)}[/bold]  ({_safe(why)})")
        self.note(f"  {facts}")
        for warning in device.warnings:
            self._print(f"[yellow]  warning: {_safe(warning)}[/yellow]")

    def load(self, load: Mapping[str, Any]) -> None:
        """Print what else ran on the machine just before the measurement."""
        line, is_quiet = at_start(load)
        self._print(f"  {_safe(line)}", style="" if is_quiet else "yellow")

    @contextmanager
    def progress(self, total: int) -> Iterator[Steps]:
        """Show ``total`` steps: by a bar with the time left, or a line for every new result."""
        if not self._rich.is_terminal:
            yield _Lines(self)
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn(f"  {{task.description:{BAR_TEXT}}}"),
            BarColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._rich, transient=True) as bar:
            yield _Bar(self, bar, bar.add_task("starting", total=total))

    def result(self, outcome: Outcome) -> None:
        """Print the tables of ceilings and layers, what they mean, and where the files are."""
        run = outcome.run
        self._print()
        self._ceilings(list(outcome.ceilings.values()))
        said = summary(run, outcome.ceilings, outcome.notes)
        if outcome.placements:
            cells = cells_of_layers(outcome.placements)
            self._table(LAYERS_ON_TERMINAL, cells, (), "placements.csv")
            said = [*sentences(outcome.placements, outcome.networks, outcome.layer_sweeps), *said]
        for text in said:
            self.note(text)
        if outcome.trust:
            self._print(_safe(outcome.trust.line), style=TRUST_STYLES[outcome.trust.level])
        warnings_of_run = run.warnings[len(run.device.warnings) :]
        for warning in (*warnings_of_run, *run.damage):
            self.note(f"warning: {warning}")
        if outcome.folder:
            files = ["run.json", "measurements.csv", *(file.name for file in outcome.files)]
            self.note(f"Files in {outcome.folder}: {', '.join(files)}")

    def _ceilings(self, ceilings: Sequence[Ceiling]) -> None:
        """Print the table of ceilings, or its beginning and how many there are more."""
        shown = ceilings[:CEILINGS]
        cells = [in_words(CEILINGS_ON_TERMINAL, ceiling) for ceiling in shown]
        styles = [_row_style(ceiling) for ceiling in shown]
        self._table(CEILINGS_ON_TERMINAL, cells, styles, "ceilings.csv")
        if len(ceilings) > len(shown):
            self.note(f"… and {len(ceilings) - len(shown)} more in ceilings.csv")

    def _table(
        self,
        columns: Sequence[Column[Any]],
        rows: Sequence[Sequence[str]],
        styles: Sequence[str],
        file: str,
    ) -> None:
        """Print the columns that have room; what has none is named, with the file that holds it.

        rows: cells in the order of the columns. styles: of each row, or none at all.
        """
        widths = fit(columns, rows, self._rich.width)
        names = [column.name for column in columns]
        remark = names[-1]
        table = _empty_table(columns, widths)
        for row, style in zip_longest(rows, styles, fillvalue=""):
            cells = {name: cell for name, cell in zip(names, row, strict=True) if name in widths}
            has_number = not style  # why a row has none is told whole
            if remark in cells and has_number and self._rich.is_terminal:
                cells[remark] = on_few_lines(cells[remark], widths[remark])
            table.add_row(*map(_safe, cells.values()), style=style)
        self._print(table)
        without_room = [name for name in names if name not in widths]
        if without_room:
            self.note(f"No room here for {', '.join(without_room)}: see {file}.")


def _rich_console(**settings: Any) -> Any:
    """A console of rich that raises BrokenPipeError where no one reads what it prints.

    That of rich ends the program.
    """
    from rich.console import Console as Rich

    class Raising(Rich):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Raising(**settings)


def _row_style(ceiling: Ceiling) -> str:
    """How a ceiling's row is shown: what is no roof is dim."""
    return ROW_STYLES.get(ceiling.status, "dim") if ceiling.trusted else "dim"


def _empty_table(columns: Sequence[Column[Any]], widths: Mapping[str, int]) -> Any:
    """A table of the columns that have a width; lines are broken only in those of words."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        if column.name in widths:
            table.add_column(
                column.name,
                justify="right" if column.number else "left",
                no_wrap=not column.least,
                overflow="fold",
                width=widths[column.name],
            )
    return table


class _Lines:
    """Prints a line for each case when it is first measured, and again only if it fails later."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed = set[tuple[object, ...]]()

    def step(self, row: Measurement) -> None:
        outcome = (*_case(row), row.status)
        if outcome not in self._printed:
            self._printed.add(outcome)
            self._console.note(_line(row))


class _Bar:
    """Moves a live bar, and prints a line above it for each case that fails."""

    def __init__(self, console: Console, bar: Any, task: Any) -> None:
        self._console = console
        self._bar = bar
        self._task = task
        self._failed = set[tuple[object, ...]]()

    def step(self, row: Measurement) -> None:
        case = _case(row)
        if row.status == FAILED and case not in self._failed:
            self._failed.add(case)
            self._console.note(_line(row))
        text = f"{row.ceiling} ({row.backend})"[:BAR_TEXT]
        self._bar.update(self._task, advance=1, description=_safe(text))


def _case(row: Measurement) -> tuple[object, ...]:
    """What tells a case from all others of a run."""
    return row.ceiling, row.backend, row.params, row.x


def _line(row: Measurement) -> str:
    """A case and what was measured of it, or why it was not."""
    if row.status != OK:
        what = f"{row.status}: {row.reason}"
    elif row.quantity == LAYER:
        what = si(row.seconds_median, "s")
    else:
        what = si(row.value, unit_of(row.ceiling, row.dtype))
    case = row.ceiling + _place(row)
    return f"  {case:32} {row.backend:6} {what}"


def _place(row: Measurement) -> str:
    """The layer of a row and its precision, or the point of a sweep it is."""
    if row.layer:
        return f" {row.layer} {row.dtype}"
    if row.x is None:
        return ""
    is_size = row.sweep is not None and row.sweep.axis.unit == "B"
    return f" at {binary(row.x)}" if is_size else f" at {row.x:g}"


def _safe(text: str) -> str:
    """Text in which rich sees no markup, and the terminal no command."""
    from rich.markup import escape

    return escape(plain(text))


def _width_asked() -> int:
    """Characters of a line that the environment asks for; 0 where it does not."""
    asked = os.environ.get("COLUMNS", "")
    if not asked.isdecimal() or len(asked) >= 10:
        return 0
    return min(max(int(asked), NARROWEST), WIDEST)
