"""Figures as files. Many are drawn by several processes at once, since each takes half a second."""

from __future__ import annotations

import ctypes
import io
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.draw.style import in_our_style
from probes.records.run import replace_file

if TYPE_CHECKING:
    import matplotlib.figure

PARENT_DIED = 1
"""PR_SET_PDEATHSIG of <linux/prctl.h>."""
DRAWN_HERE = 5
"""So many figures are drawn without another process: its start takes as long as some of them."""
FIGURES_PER_PROCESS = 2
"""A process is started for so many figures, at least."""
ID = re.compile(r'(?<=\sid=")[^"]*')
"""The name of a part of an SVG."""

Figure = Callable[[], "matplotlib.figure.Figure"]
"""Makes a matplotlib figure.

It goes to another process, so it is a function of a module with its arguments.
"""


def drawn(figures: Mapping[str, Figure]) -> dict[str, tuple[str, bytes]]:
    """Each figure as SVG text and as PNG bytes, by its name.

    The same figure gives the same bytes, whichever process draws it.
    """
    processes = min(len(figures) // FIGURES_PER_PROCESS, _cores())
    if processes > 1 and len(figures) > DRAWN_HERE:
        # where there is no right or no room to start processes, they are drawn here
        with suppress(OSError, BrokenProcessPool):
            return _drawn_by(processes, figures)
    return {name: svg_and_png(figure) for name, figure in figures.items()}


def write_drawn(figures: Mapping[str, Figure], folder: Path) -> dict[str, str]:
    """Write each figure into a folder as SVG and as PNG; returns the SVG text by name.

    Raises OSError.
    """
    svgs = {}
    for name, (svg, png_bytes) in drawn(figures).items():
        replace_file(folder / f"{name}.png", png_bytes)
        replace_file(folder / f"{name}.svg", svg)
        svgs[name] = svg
    return svgs


def _drawn_by(processes: int, figures: Mapping[str, Figure]) -> dict[str, tuple[str, bytes]]:
    """The same, drawn by so many processes. Raises OSError or BrokenProcessPool."""
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _end_with, (os.getpid(),))
    with pool, _killed_by_interrupt():
        with _interrupts_blocked():
            images = pool.map(svg_and_png, figures.values())
        return dict(zip(figures, images, strict=True))


def _end_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL)
    if os.getppid() != parent:  # it ended in the meantime
        os._exit(1)


@contextmanager
def _killed_by_interrupt() -> Iterator[None]:
    """Kill the processes that draw on Ctrl-C: an interrupt waits for no figure."""
    try:
        yield
    except KeyboardInterrupt:
        for process in active_children():
            process.kill()
        raise


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes within it that never see Ctrl-C.

    A terminal sends it to them too, but only the process that started them may end them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def svg_and_png(figure: Figure) -> tuple[str, bytes]:
    """A figure as SVG text and as PNG bytes."""
    with in_our_style():
        picture = figure()
        # pixels in an SVG are those of the figure, not of a PNG; the date would change its bytes
        svg = _saved(picture, "svg", dpi="figure", metadata={"Date": None})
        return with_own_names(svg.decode()), _saved(picture, "png")


def with_own_names(svg: str) -> str:
    """An SVG in which no two parts have the same id: parts of one role are numbered.

    The first of them keeps the role as its id; blanks, which no id may hold, become dashes.
    """
    names = {re.sub(r"\s+", "-", name) for name in ID.findall(svg)}
    counts: Counter[str] = Counter()

    def named(match: re.Match[str]) -> str:
        role = re.sub(r"\s+", "-", match[0])
        counts[role] += 1
        if counts[role] == 1:
            return role
        while (name := f"{role}-{counts[role]}") in names:
            counts[role] += 1
        return name

    return ID.sub(named, svg)


def png(figure: Figure) -> bytes:
    """A figure as PNG bytes."""
    with in_our_style():
        return _saved(figure(), "png")


def _saved(picture: matplotlib.figure.Figure, file_format: str, **options: Any) -> bytes:
    """The bytes of a file in a format of matplotlib."""
    out = io.BytesIO()
    picture.savefig(out, format=file_format, **options)
    return out.getvalue()
