"""Figures as files, several at once: a run of all families of layers has dozens, and each takes
half a second.
"""

from __future__ import annotations

import ctypes
import io
import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING, Any

from probes.records.measurement import RidgelineError

if TYPE_CHECKING:
    import matplotlib.figure

DOTS_PER_INCH = 150
PARENT_DIED = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
ALONE, EACH = (
    5,
    2,
)  # figures that are drawn at once here, or of a process: its start takes as long as some of them

Figure = Callable[[], "matplotlib.figure.Figure"]
"""Makes a matplotlib figure. It goes to another process, so it is a function of a module with its
arguments.
"""


def drawn(figures: Mapping[str, Figure]) -> dict[str, tuple[str, bytes]]:
    """Each figure as SVG text and as PNG bytes, by its name; the same figure gives the same
    bytes.
    """
    workers = min(len(figures) // EACH, _cores())
    if workers > 1 and len(figures) > ALONE:
        try:
            with (
                ProcessPoolExecutor(
                    workers, get_context("spawn"), _end_with, (os.getpid(),)
                ) as pool,
                _ended_at_once(),
            ):
                with _interrupts_waiting():
                    made = pool.map(both, figures.values())
                return dict(zip(figures, made, strict=True))
        except (
            OSError,
            BrokenProcessPool,
        ):  # no right or no room to start processes: then one after the other
            pass
    return {name: both(figure) for name, figure in figures.items()}


def _end_with(parent: int) -> None:
    """Have the kernel end this process when the one that started it ends, however that ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL)
    if os.getppid() != parent:  # it ended in the meantime
        os._exit(1)


@contextmanager
def _ended_at_once() -> Iterator[None]:
    """An interrupt waits for no figure: the processes that draw are ended."""
    try:
        yield
    except KeyboardInterrupt:
        for process in active_children():
            process.kill()
        raise


@contextmanager
def _interrupts_waiting() -> Iterator[None]:
    """Processes started within it never see Ctrl-C, which a terminal sends to them too: who started
    them ends them.
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
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def both(figure: Figure) -> tuple[str, bytes]:
    """A figure as SVG text and as PNG bytes."""
    with as_we_draw():
        made = figure()
        return saved(made, "svg", metadata={"Date": None}).decode(), saved(made, "png")


def picture(figure: Figure) -> bytes:
    """A figure as PNG bytes."""
    with as_we_draw():
        return saved(figure(), "png")


def saved(figure: matplotlib.figure.Figure, kind: str, **options: Any) -> bytes:
    """A figure in a format of matplotlib."""
    out = io.BytesIO()
    if kind == "png":
        options["dpi"] = DOTS_PER_INCH
    figure.savefig(out, format=kind, **options)
    return out.getvalue()


@contextmanager
def as_we_draw() -> Iterator[None]:
    """Within it matplotlib draws as it does where no one has set it up, and by our own settings.

    A ``matplotlibrc`` may ask for LaTeX, and the environment for a backend that is not there.
    Layers are called what others call them: ``$`` begins no formula, and a letter that no font has
    is no warning.
    """
    matplotlib = _matplotlib()
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some settings are on their way out
        matplotlib.rcParams.update(
            {name: matplotlib.rcParamsDefault[name] for name in _settings(matplotlib)}
        )
        matplotlib.rcParams.update(OURS)
        yield


OURS = {"svg.hashsalt": "ridgeline", "svg.fonttype": "path", "text.parse_math": False}


def _settings(matplotlib: Any) -> list[str]:
    """Names of all settings but that of the backend, which would be looked for."""
    return [name for name in matplotlib.rcParamsDefault if name != "backend"]


def _matplotlib() -> Any:
    """The package, which says nothing of files that we do not use."""
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import matplotlib
    except (
        OSError,
        ValueError,
    ) as error:  # a file matplotlibrc here that it cannot read, such as one that is no text
        raise RidgelineError(
            f"matplotlib does not start: {error}; is there a file matplotlibrc here?"
        ) from None
    return matplotlib
