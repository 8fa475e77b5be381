"""What the doctor says of made-up machines without a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from probes.command import installed
from probes.command.doctor import host
from probes.command.doctor.finding import (
    FINE,
    LACKS,
    SPOILS,
    STOPS,
    Finding,
    answer,
    code,
    in_order,
)
from probes.command.doctor.place import Place
from probes.harness.load import Load
from tests.devices import CPU
from tests.probes.harness.devices.trees import write


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A machine on which all is well."""
    return Place(
        root=tmp_path,
        out=tmp_path / "results" / "new",
        environment={"HOME": str(tmp_path)},
        python=(3, 11),
        installed=lambda module: True,
        may_use=lambda path, mode: True,
        free_bytes=lambda folder: 10 << 30,
        detect_cpu=lambda: CPU,
    )


def all_of(place: Place) -> list[Finding]:
    """The findings of every check."""
    return [finding for check in host.CHECKS for finding in check(place)]


def heavy(findings: Iterable[Finding]) -> list[Finding]:
    """Those that are not fine."""
    return [finding for finding in findings if finding.weight != FINE]


def test_where_all_is_well_nothing_is_found_and_the_answer_is_ready(place: Place) -> None:
    findings = all_of(place)
    assert not heavy(findings)
    assert answer(findings, "the CPU") == "Ready: nothing stops or spoils a run on the CPU here."
    assert code(findings) == 0


def changed(place: Place, **how: Any) -> list[Finding]:
    """What is found where one thing is otherwise."""
    return heavy(all_of(replace(place, **how)))


def never(*_: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("how", "weight", "what", "value", "way_out"),
    [
        ({"python": (3, 9)}, STOPS, "Python", "Python is 3.9", "3.10"),
        ({"python": (3, 15)}, SPOILS, "Python", "newer", "3.13"),
        (
            {"installed": lambda m: m != "numba"},
            STOPS,
            "Python",
            "numba is not",
            "pip install -e .",
        ),
        ({"installed": lambda m: m != "onnx"}, LACKS, "extra layers", "onnx", "'.[layers]'"),
        ({"may_use": never}, STOPS, "--out", "cannot be written", "another --out"),
        ({"free_bytes": lambda f: 1 << 20}, STOPS, "disk", "1 MB free", "free some"),
        ({"free_bytes": lambda f: 100 << 20}, LACKS, "disk", "105 MB free", "free some"),
        (
            {"detect_cpu": lambda: replace(CPU, warnings=("the frequency governor is powersave",))},
            SPOILS,
            "CPU",
            "governor",
            "cpupower",
        ),
        (
            {"environment": {"HOME": "/", "NUMBA_DISABLE_JIT": "1"}},
            SPOILS,
            "NUMBA_DISABLE_JIT=1",
            "no kernel",
            "unset",
        ),
        ({"environment": {}}, LACKS, "cache", "cannot be written", "XDG_CACHE_HOME"),
    ],
)
def test_each_thing_has_its_value_and_its_way_out(
    place: Place, how: dict[str, Any], weight: str, what: str, value: str, way_out: str
) -> None:
    matching = [finding for finding in changed(place, **how) if what in finding.what]
    assert matching, changed(place, **how)
    first = matching[0]
    assert first.weight == weight
    assert value in first.value
    assert way_out in first.way_out
    assert code(matching) == (1 if weight == STOPS else 0)


BATTERY = {
    "sys/class/power_supply/BAT0/type": "Battery\n",
    "sys/class/power_supply/BAT0/status": "Discharging\n",
    "sys/class/power_supply/BAT0/capacity": "41\n",
    "sys/class/power_supply/mouse/type": "Battery\n",
    "sys/class/power_supply/mouse/scope": "Device\n",
    "sys/class/power_supply/mouse/status": "Discharging\n",
}


def test_a_laptop_on_battery_is_spoilt_and_a_mouse_is_no_laptop(place: Place) -> None:
    write(place.root, BATTERY)
    (finding,) = changed(place)
    assert finding.line == (
        "spoils  power supply: on battery, 41 % left: clocks are low -> plug it in"
    )
    write(place.root, {"sys/class/power_supply/BAT0/status": "Charging\n"})
    assert not changed(place)


def test_little_memory_spoils_and_hardly_any_stops(place: Place) -> None:
    write(place.root, {"proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 1500000 kB\n"})
    (finding,) = changed(place)
    assert finding.weight == SPOILS
    assert "1.5 GB free of 8.2 GB" in finding.value
    write(place.root, {"proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 100000 kB\n"})
    (finding,) = changed(place)
    assert finding.weight == STOPS


def test_a_lowered_clock_and_windows_are_told(place: Place) -> None:
    write(
        place.root,
        {
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "1000000\n",
            "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3000000\n",
            "proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n",
        },
    )
    found = {finding.what: finding.value for finding in changed(place)}
    assert "1.00 of 3.00 GHz" in found["CPU"]
    assert "Windows" in found["WSL"]


def lap(**changed: Any) -> Load:
    """A quiet moment, but for what is changed."""
    values: dict[str, Any] = {
        "seconds": 0.3,
        "cores": 4,
        "others": 0.0,
        "steal": 0.0,
        "stopped": 0.0,
    }
    return Load(**(values | changed))


def test_others_are_named_with_the_processors_they_take() -> None:
    (finding,) = heavy(host.load(lap(others=2.5, busiest=(("firefox", 2.0), ("cc1", 0.5)))))
    assert "2.5 of 4 processors busy (firefox 2.0, cc1 0.5)" in finding.value
    assert not heavy(host.load(lap()))
    assert len(heavy(host.load(lap(steal=0.5, stopped=0.5)))) == 2


def test_the_answer_counts_and_what_stops_comes_first() -> None:
    spoils = Finding(SPOILS, "load", "busy", "wait")
    stops = Finding(STOPS, "CuPy", "is not installed", "install it")
    assert answer([spoils], "x") == (
        "Ready, but 1 thing spoils it: a run on x may give wrong or low numbers."
    )
    assert answer([spoils, stops, stops], "x") == (
        "Not ready: 2 things stop a run on x here, 1 spoils it."
    )
    assert in_order([spoils, stops, stops]) == [stops, spoils]


def test_a_python_without_the_packages_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    what, way_out = installed.problem(lambda module: module not in ("numpy", "rich"), (3, 12))
    assert what.startswith("numpy, rich are not installed in ")
    assert "pip install -e ." in way_out
    monkeypatch.setattr(installed, "problem", lambda: (what, way_out))
    with pytest.raises(SystemExit) as end:
        installed.end_if_missing(["run_all.py"])
    assert end.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(SystemExit) as end:
        installed.end_if_missing(["run_all.py", "--doctor"])
    assert end.value.code == 1
    assert capsys.readouterr().out.startswith("Not ready: 1 thing stops a run here")


def test_the_modules_that_are_needed_are_those_of_the_dependencies() -> None:
    text = (Path(installed.__file__).parents[2] / "pyproject.toml").read_text()
    begin = text.index("\ndependencies = [")
    names = list(_names(text[begin : text.index("]", begin)]))
    assert names == [*installed.NEEDED, "tomli"]


def _names(block: str) -> Iterator[str]:
    """The names of the packages in a list of pyproject.toml."""
    for line in block.splitlines():
        if line.strip().startswith('"'):
            yield line.strip().strip('"').split(">")[0]
