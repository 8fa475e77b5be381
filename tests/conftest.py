"""What holds for all tests: nothing that they start connects to a vendor, which is watched."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels.runtime.door import NO_TELEMETRY

os.environ.setdefault(*NO_TELEMETRY)  # before any test imports the runtime
os.environ.pop("COLUMNS", None)  # workers of xdist have it, and sentences would be broken there
if threading.current_thread() is threading.main_thread():
    # a shell that starts tests in the background has Ctrl-C ignored, and so would what they start
    signal.signal(signal.SIGINT, signal.default_int_handler)
WATCH_FIXTURE = "watched_network"
"""The fixture of a test that reads what was watched.

The watch begins with the first test, and such a test runs last: it has to wait for the end of it.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that wait for the watch at the end."""
    items.sort(key=lambda item: WATCH_FIXTURE in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def started_watch(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path | None:
    """The folder in which both watched programs leave what was seen of them.

    None if no test asks for it, or nothing can be watched here.
    """
    from tests import watched

    is_needed = any(
        WATCH_FIXTURE in getattr(item, "fixturenames", ()) for item in request.session.items
    )
    if not is_needed or watched.missing():
        return None
    shared = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # a worker of xdist: all use the folder above theirs
        shared = shared.parent
    folder = shared / "watched"
    watched.start(folder)
    return folder


@pytest.fixture
def watched_network(started_watch: Path | None) -> Path:
    """The folder of ``started_watch``; where there is none, the test is skipped with the reason."""
    from tests import watched

    if started_watch is None:
        pytest.skip(f"the network cannot be watched: {watched.missing()}")
    return started_watch


@pytest.fixture(scope="session", autouse=True)
def no_drawing_processes() -> Iterator[None]:
    """Have pictures drawn by the test's own process: others would load matplotlib first."""
    from analysis.draw import files

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(files, "DRAWN_HERE", 1000)
        yield


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs whose pictures nobody looks at: an empty one stands for each."""
    from tests.runs import draw_nothing

    draw_nothing(monkeypatch)


@pytest.fixture
def even_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time the runs that a test starts in its own process as if nothing else ran beside them."""
    from probes.harness import bench
    from tests.runs import EvenClock

    monkeypatch.setattr(bench, "clock_for", EvenClock)
