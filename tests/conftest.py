"""What holds for all tests: nothing they start connects to a vendor, and the watch on that goes on
beside them.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from kernels.runtime.door import NO_TELEMETRY

os.environ.setdefault(*NO_TELEMETRY)  # before any test imports the runtime
if threading.current_thread() is threading.main_thread():
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell that starts tests in the background has it ignored
WATCH = "watched_network"
"""The fixture of a test that reads what was watched: it runs last, and what it reads begins with
the first test.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever has to wait waits at the end."""
    items.sort(key=lambda item: WATCH in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def started_watch(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path | None:
    """The folder in which both watches leave what they see; None if no test asks for it, or none
    can be watched.
    """
    from tests import watched

    asked = any(WATCH in getattr(item, "fixturenames", ()) for item in request.session.items)
    if not asked or watched.missing():
        return None
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if hasattr(request.config, "workerinput") else own) / "watched"
    watched.start(folder)
    return folder


@pytest.fixture
def watched_network(started_watch: Path | None) -> Path:
    """The same folder; the test is skipped with the reason where there is none."""
    from tests import watched

    if started_watch is None:
        pytest.skip(f"the network cannot be watched: {watched.missing()}")
    return started_watch


@pytest.fixture
def even_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that this test starts in its own process are timed as if nothing else ran beside."""
    from probes.harness import bench
    from tests.runs import EvenClock

    monkeypatch.setattr(bench, "clock_for", EvenClock)
