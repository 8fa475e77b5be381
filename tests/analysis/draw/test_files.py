"""Figures drawn side by side are the figures drawn one after another, to the byte."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analysis.draw import files
from analysis.draw.roofline import figure
from analysis.model.ceilings import ceilings
from analysis.model.roofline import roofline
from tests.devices import GPU, measurement
from tests.runs import ROOT

MODEL = roofline(
    ceilings(
        [measurement("bandwidth/dram/copy", 4e12), measurement("compute/fp32", 6e13)], GPU
    ).values()
)


FEW = 3
"""So many figures start no process in these tests: four are drawn by two."""


@pytest.fixture(autouse=True)
def few_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """More figures than FEW are drawn by processes."""
    monkeypatch.setattr(files, "DRAWN_HERE", FEW)


@pytest.fixture(scope="module")
def first_picture() -> tuple[str, bytes]:
    """The first of the figures, as SVG and as PNG."""
    (first,) = figures(1).values()
    return files.svg_and_png(first)


def figures(count: int) -> dict[str, Any]:
    return {
        f"{n}": partial(figure, MODEL, f"device {n} for $5", "", (4 + n / 8, 3))
        for n in range(count)
    }


def processors(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Have this process find that it may use so many."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)


def test_side_by_side_is_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    many = figures(files.DRAWN_HERE + 1)
    processors(monkeypatch, 2)
    together = files.drawn(many)
    processors(monkeypatch, 1)
    assert together == files.drawn(many)
    assert list(together) == list(many)
    assert len(set(together.values())) == len(many)


def waiting() -> bool:
    """Whether interrupts wait in this process."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def drawn_apart(make: Any) -> Any:
    """A figure, in a process that Ctrl-C leaves alone."""
    assert waiting()
    return make()


def test_an_interrupt_of_a_terminal_is_for_the_program_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processors(monkeypatch, 2)
    makers = figures(files.DRAWN_HERE + 1)
    many = {name: partial(drawn_apart, make) for name, make in makers.items()}
    assert len(files.drawn(many)) == len(many)
    assert not waiting()


SPAWNER = """
import os
import re
import sys
from functools import partial
from pathlib import Path
from analysis.draw import files
from tests.analysis.draw.test_files import drawn_forever
if __name__ == "__main__":
    os.sched_getaffinity = lambda _: {0, 1}
    files.drawn({str(n): partial(drawn_forever, Path(sys.argv[1])) for n in range(12)})
"""


def drawn_forever(folder: Path) -> Any:
    """A figure that is never done; leaves a file named by the number of its process."""
    (folder / str(os.getpid())).touch()
    time.sleep(3600)


def ended(process: int) -> bool:
    """Whether a process is gone, or only waits for someone to ask how it ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
def test_processes_that_draw_end_with_the_program_however_it_ends(tmp_path: Path) -> None:
    script = tmp_path / "spawner.py"
    script.write_text(SPAWNER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    folder = tmp_path / "processes"
    folder.mkdir()
    with subprocess.Popen([sys.executable, str(script), str(folder)], env=environment) as program:
        while len(list(folder.iterdir())) < 2:
            assert program.poll() is None
            time.sleep(0.1)
        workers = [int(file.name) for file in folder.iterdir()]
        assert not any(map(ended, workers))
        program.kill()
    for _ in range(300):
        if all(map(ended, workers)):
            break
        time.sleep(0.1)
    assert all(map(ended, workers))


@pytest.mark.parametrize(
    "setting", ["text.usetex: True", "figure.dpi: 7", "axes.facecolor: red", "font.size: 3"]
)
def test_how_someone_set_up_matplotlib_changes_no_picture(
    setting: str, first_picture: tuple[str, bytes]
) -> None:
    matplotlib: Any = importlib.import_module("matplotlib")
    (first,) = figures(1).values()
    name, _, value = setting.partition(": ")
    with matplotlib.rc_context({name: value}):
        assert files.svg_and_png(first) == first_picture
        assert str(matplotlib.rcParams[name]) != str(matplotlib.rcParamsDefault[name]), (
            "and stays as it was set"
        )


def test_few_figures_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ProcessPoolExecutor", lambda *_: pytest.fail("a process"))
    assert len(files.drawn(figures(files.DRAWN_HERE))) == files.DRAWN_HERE


def test_where_no_process_can_start_all_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        raise OSError("no semaphores here")

    monkeypatch.setattr(files, "ProcessPoolExecutor", refused)
    processors(monkeypatch, 2)
    many = figures(files.DRAWN_HERE + 1)
    assert list(files.drawn(many)) == list(many)


def test_words_in_an_svg_are_text() -> None:
    svg, _ = files.svg_and_png(partial(figure, MODEL, "Device", "measured", (9, 5)))
    for words in ("memory decides", "arithmetic decides", "FP32", "Operational intensity"):
        assert re.search(rf"<text[^>]*>[^<]*{words}|<tspan[^>]*>[^<]*{words}", svg), words
    assert "sans-serif" in svg


def test_no_two_parts_of_an_svg_have_the_same_id() -> None:
    svg, _ = files.svg_and_png(partial(figure, MODEL, "Device", "measured", (9, 5)))
    names = re.findall(r'\sid="([^"]*)"', svg)
    assert len(names) == len(set(names))
    assert not [name for name in names if re.search(r"\s", name)]
    assert {"zone", "zone-2", "bandwidth/dram"} <= set(names)


def test_a_number_of_a_part_is_not_the_id_of_another() -> None:
    svg = '<g id="a b"/><g id="a b"/><g id="a-b-2"/><g id="a b"/><use href="#p"/><g id="p"/>'
    assert files.with_own_names(svg) == (
        '<g id="a-b"/><g id="a-b-3"/><g id="a-b-2"/><g id="a-b-4"/><use href="#p"/><g id="p"/>'
    )
