"""Run the CPU's tests as cores that this machine does not have, under QEMU's user-mode emulation.

Needs Linux on x86-64 with Debian's apt and dpkg-deb, pip, and 2 GB of disk; no rights, and no
network after the first time. QEMU comes from Debian's unstable release, which alone knows all these
cores; Python and its packages for Arm from this release of Debian and from the package index, as
apt and pip are set up here. Nothing is installed: all of it lies in the cache folder. One core
takes some minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.emulated.cores import ARM, CORES, RUN, TESTS, X86, Core

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOP = Path(__file__).parents[2]
CACHE = Path(__file__).parent / ".cache"  # git ignores it
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NEWEST = "sid"  # Debian's release whose QEMU knows all cores
TESTS_NEED = ("pytest", "hypothesis")  # how the names of packages begin that TESTS import
# what was asked of pip, a line each: pyproject.toml may have changed since
INSTALLED = "installed.txt"
LIMIT_S = 3600  # of one core's tests
TIMED_OUT = 124  # the code with which the program timeout(1) ends
SHOWN_OF_AN_ERROR = 300  # characters, its last ones: the verdict is one line
# The name of a wheel says which glibc it needs, 2.<minor>, and pip takes those that it is told.
# Debian 12 has 2.36; manylinux2014, which has a name of its own, needs 2.17.
GLIBC_MINORS = range(36, 16, -1)
# what changes an emulated Python that runs under this one's environment
UNWANTED_VARIABLES = (
    "PYTHONPATH",
    "PYTHONHOME",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
    "NUMBA_ENABLE_AVX",
)
# a program that prints what LLVM, /proc/cpuinfo and a child process say of the core
AGREEMENT = """
import json, llvmlite.binding, os, platform, subprocess, sys
from pathlib import Path
from kernels.cpu import target as cpu_target
from probes.harness.devices import cpuinfo
from probes.harness.devices.cores import core_numbers

name = "import llvmlite.binding as b; print(b.get_host_cpu_name())"
child = subprocess.run([sys.executable, "-c", name], capture_output=True, text=True)
blocks = cpuinfo.blocks(Path("/"), os.sched_getaffinity(0))
in_cpuinfo = cpu_target.CONCERNED & set(cpuinfo.features(blocks.values()))
print(json.dumps({
    "machine": platform.machine(),
    "name": llvmlite.binding.get_host_cpu_name(),
    "name in a child": child.stdout.strip(),
    "numbers": sorted({core_numbers(block).lower() for block in blocks.values()}),
    "sets compiled for": sorted(cpu_target.compiled()),
    "sets in /proc/cpuinfo": sorted(in_cpuinfo),
}))
"""


class Cannot(Exception):
    """What this machine lacks, in one line."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the cores asked for; 0 if all passed, 1 if one failed, 2 if this machine cannot."""
    parser = argparse.ArgumentParser(prog="tests/emulated/run", description=__doc__)
    names = [core.name for core in CORES]
    parser.add_argument(
        "cores", nargs="*", metavar="CORE", help=f"of {', '.join(names)} (default: all)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="cores at a time (default: 1)")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="where fetched things lie (default: %(default)s)"
    )
    options = parser.parse_args(words)
    if unknown := set(options.cores) - set(names):
        parser.error(f"unknown core {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen = [core for core in CORES if not options.cores or core.name in options.cores]
    try:
        pythons = prepare(chosen, options.cache.resolve())
    except Cannot as reason:
        print(f"tests/emulated/run: {reason}", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        passed = list(pool.map(lambda core: report(core, pythons[core.name]), chosen))
    return 0 if all(passed) else 1


def report(core: Core, python: Path) -> bool:
    """Run one core's tests and print its line; True if all passed."""
    begin = time.monotonic()
    log = python.parents[1] / "log.txt"
    problem = disagreement(core, python)
    outcome = problem or test(python, log)
    passed = not problem and outcome.startswith("passed")
    verdict = outcome if passed else f"FAILED: {outcome}"
    print(f"{core.name:14} {time.monotonic() - begin:5.0f} s  {verdict}", flush=True)
    return passed


def disagreement(core: Core, python: Path) -> str:
    """Say what shows that an emulated Python does not run as this core; "" if nothing does.

    LLVM, /proc/cpuinfo and a child process must all see the core.
    """
    process = run(python, ["-c", AGREEMENT])
    if process.returncode:
        error = process.stderr.strip()[-SHOWN_OF_AN_ERROR:]
        return f"Python ended with code {process.returncode}: {error}"
    facts = json.loads(process.stdout.splitlines()[-1])
    expected = {
        "machine": core.machine,
        "name": core.llvm,
        "name in a child": core.llvm,
        "numbers": [core.numbers.lower()],
        "sets compiled for": facts["sets in /proc/cpuinfo"],
    }
    wrong = [
        f"{name} is {facts[name]}, not {value}"
        for name, value in expected.items()
        if facts[name] != value
    ]
    return "; ".join(wrong)


def test(python: Path, log: Path) -> str:
    """Run the tests, then the whole program, and return what they say in one line.

    It begins with ``passed`` if both ended well. All that they print goes to the log.
    """
    words = [
        "-m",
        "pytest",
        "-o",
        "addopts=-ra",
        "-p",
        "no:cacheprovider",
        "-q",
        "--durations=10",
        *TESTS,
    ]
    tests = run(python, words)
    out = log.with_name("results")
    shutil.rmtree(out, ignore_errors=True)
    program = run(python, [*RUN, "--out", str(out)])
    cases = cases_of(out) or f"code {program.returncode} of {' '.join(RUN)}"
    shutil.rmtree(out, ignore_errors=True)
    log.write_text(
        f"{tests.stdout}\n{tests.stderr}\n{program.stdout}\n{program.stderr}\n", encoding="utf-8"
    )
    lines = tests.stdout.strip().splitlines() or ["no test ran"]
    summary = lines[-1].strip("= ")
    both_ended_well = tests.returncode == 0 and program.returncode == 0
    outcome = f"{summary}; {cases}"
    return f"passed: {outcome}" if both_ended_well else f"{outcome} (see {log})"


def cases_of(out: Path) -> str:
    """How the cases of the run in this folder ended: ``65 ok, 7 skipped``; empty without a run."""
    statuses: Counter[str] = Counter()
    for file in out.glob("*/*/measurements.csv"):
        with file.open(encoding="utf-8", newline="") as text:
            statuses.update(row["status"] for row in csv.DictReader(text))
    return ", ".join(f"{count} {status}" for status, count in statuses.most_common())


def run(python: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run an emulated Python on this checkout."""
    env = {**os.environ, "PYTHONPYCACHEPREFIX": str(python.parents[1] / "pyc"), "COLUMNS": "120"}
    for name in UNWANTED_VARIABLES:
        env.pop(name, None)
    try:
        return subprocess.run(
            [python, *words], cwd=TOP, env=env, capture_output=True, text=True, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(late.cmd, TIMED_OUT, "", f"not done within {LIMIT_S} s")


def prepare(cores: Iterable[Core], cache: Path) -> dict[str, Path]:
    """An emulated Python for each core, by name; fetches what is not there yet. Raises Cannot."""
    if sys.platform != "linux" or platform.machine() != X86:
        raise Cannot(
            f"this is {sys.platform} on {platform.machine()}: QEMU for these tests is fetched "
            f"for Linux on {X86}"
        )
    missing = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    if missing:
        raise Cannot(f"no {' and no '.join(missing)}: run it on Debian")
    cache.mkdir(parents=True, exist_ok=True)
    qemu = fetch_qemu(cache)
    pythons = {}
    for core in cores:
        build = arm_python if core.machine == ARM else x86_python
        pythons[core.name] = build(core, cache, qemu)
    return pythons


def fetch_qemu(cache: Path) -> Path:
    """The folder of QEMU's programs, which are fetched where they are not there yet."""
    folder = cache / "qemu"
    if not folder.exists():
        apt = Apt(cache / "apt-qemu", "amd64", NEWEST)
        apt.get("download", "qemu-user")
        unpack(apt.folder.glob("qemu-user_*.deb"), folder)
    return folder / "usr/bin"


def arm_root(cache: Path) -> Path:
    """A root of Arm's Python and its libraries, with this project's packages in ``site``."""
    root = cache / "root"
    if root.exists():
        install(root)
        return root
    apt = Apt(cache / "apt-root", "arm64", codename())
    apt.get(
        "install", "--download-only", "--no-install-recommends", "--yes", "python3", "libstdc++6"
    )
    fresh = cache / "root.part"
    shutil.rmtree(fresh, ignore_errors=True)
    unpack((apt.folder / "archives").glob("*.deb"), fresh)
    install(fresh)
    fresh.rename(root)
    return root


def install(root: Path) -> None:
    """Install, for Arm, the packages that this project and the tests in TESTS need.

    Does nothing where they are there already.
    """
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    tests = [package for package in extras["test"] if package.startswith(TESTS_NEED)]
    wanted = [*project["dependencies"], *extras["layers"], *tests]
    installed = root / "site" / INSTALLED
    if installed.exists() and installed.read_text(encoding="utf-8").splitlines() == wanted:
        return
    shutil.rmtree(root / "site", ignore_errors=True)
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in GLIBC_MINORS]
    words = ["--python-version", version(root), "--implementation", "cp", "--only-binary=:all:"]
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--target",
        str(root / "site"),
    ]
    command([*pip, *words, *platforms, "--platform=manylinux2014_aarch64", *wanted], root)
    installed.write_text("\n".join(wanted), encoding="utf-8")


def version(root: Path) -> str:
    """The version of the Python in a root, such as 3.11. Raises Cannot where there is none."""
    names = [path.name for path in (root / "usr/bin").glob("python3.*")]
    pythons = [name for name in names if re.fullmatch(r"python3\.\d+", name)]
    if not pythons:
        raise Cannot(f"no Python was unpacked into {root}")
    return pythons[0].removeprefix("python")


class Apt:
    """Debian's package client, with lists and a cache of its own.

    It knows one architecture of one release.
    """

    def __init__(self, folder: Path, architecture: str, release: str) -> None:
        self.folder = folder
        for name in ("lists/partial", "archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        signed = f" signed-by={KEYRING}" if KEYRING.exists() else ""
        source = f"deb [arch={architecture}{signed}] {archive()} {release} main\n"
        (folder / "sources.list").write_text(source, encoding="utf-8")
        # nothing counts as installed, so all that is needed is fetched
        (folder / "status").write_text("", encoding="utf-8")
        settings = {
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder,
            "Dir::Cache::archives": folder / "archives",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "",
            "Debug::NoLocking": "1",
        }
        self.options: list[str] = []
        for name, value in settings.items():
            self.options += ["-o", f"{name}={value}"]
        self.get("update")

    def get(self, *words: str) -> None:
        """Run apt-get in its folder."""
        command(["apt-get", "--quiet", *self.options, *words], self.folder)


def archive() -> str:
    """The address that apt fetches this system's own release from. Raises Cannot if none is set."""
    process = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
    )
    lines = [line.split() for line in process.stdout.splitlines()]
    addresses = [words[1] for words in lines if words[0] == codename()]
    if not addresses:
        raise Cannot(f"apt knows no archive of {codename()}: see apt-get indextargets")
    return addresses[0]


def codename() -> str:
    """The codename of this system's release, such as bookworm. Raises Cannot unless Debian's."""
    facts = platform.freedesktop_os_release()
    if facts.get("ID") != "debian" or "VERSION_CODENAME" not in facts:
        raise Cannot(
            f"this is {facts.get('PRETTY_NAME', 'an unknown system')}: packages are fetched "
            "as Debian's"
        )
    return facts["VERSION_CODENAME"]


def command(words: Sequence[str], folder: Path) -> None:
    """Run a program in a folder. Raises Cannot with its last words if it fails."""
    process = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if process.returncode:
        output = process.stderr.strip() or process.stdout.strip()
        last = output.splitlines()[-1:]
        raise Cannot(f"{words[0]} ended with code {process.returncode}: {' '.join(last)}")


def unpack(packages: Iterable[Path], folder: Path) -> None:
    """Unpack Debian packages into a new folder, which appears only when all of them are there."""
    part = folder.with_name(folder.name + ".unpacked")
    shutil.rmtree(part, ignore_errors=True)
    for package in sorted(packages):
        command(["dpkg-deb", "-x", str(package), str(part)], package.parent)
    part.rename(folder)


def x86_python(core: Core, cache: Path, qemu: Path) -> Path:
    """Set up this Python and its packages to run as another x86 core, and return its start.

    It finds that core's /proc/cpuinfo in place of the machine's.
    """
    home = cache / core.name
    shown = home / "shown/proc"
    shown.mkdir(parents=True, exist_ok=True)
    (shown / "cpuinfo").write_text(core.cpuinfo(os.cpu_count() or 1), encoding="utf-8")
    link(home / "lib", Path(sys.prefix) / "lib")
    emulator = [qemu / "qemu-x86_64", "-cpu", core.qemu, "-L", shown.parent]
    python = Path(sys.executable).resolve()
    return environment(home, Path(sys.base_prefix) / "bin", emulator, python)


def arm_python(core: Core, cache: Path, qemu: Path) -> Path:
    """Set up Arm's Python to run as one of its cores, and return its start."""
    home = cache / core.name
    root = arm_root(cache)
    python = f"python{version(root)}"
    packages = home / "lib" / python
    packages.mkdir(parents=True, exist_ok=True)
    link(packages / "site-packages", root / "site")
    emulator = [qemu / "qemu-aarch64", "-cpu", core.qemu, "-L", root]
    return environment(home, root / "usr/bin", emulator, root / "usr/bin" / python)


def environment(home: Path, base: Path, emulator: Sequence[object], python: Path) -> Path:
    """Write a virtual environment whose ``python`` starts the emulator, and return that file.

    Children that are started by its name run emulated, too. base: the folder that the environment
    names as its home. python: the program to emulate.
    """
    (home / "bin").mkdir(parents=True, exist_ok=True)
    (home / "pyvenv.cfg").write_text(
        f"home = {base}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    start = home / "bin/python"
    words = " ".join(shlex.quote(str(word)) for word in emulator)
    start.write_text(
        f'#!/bin/sh\nexec {words} -0 "$0" {shlex.quote(str(python))} "$@"\n', encoding="utf-8"
    )
    start.chmod(0o755)
    return start


def link(place: Path, target: Path) -> None:
    """Make a symbolic link, in the place of an older one."""
    place.unlink(missing_ok=True)
    place.symlink_to(target)


if __name__ == "__main__":
    sys.exit(main())
