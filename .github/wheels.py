"""Make the folder of wheels that a Jetson without a network installs this program from.

Run it on any machine that reaches the package index, in a checkout, with pip and uv
(``pip install uv``):

    python .github/wheels.py --jetpack 6

It resolves for the Jetson's Python and C library, not for this machine's: what only an older Python
needs (tomli) is in the folder, and so are pip and setuptools, with which the checkout is installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[1]
OLDEST_GLIBC = 17  # manylinux2014, from which on wheels for Arm exist
TOOLS = ("pip", "setuptools>=70.1")
"""What installs a checkout. From 70.1 on setuptools builds wheels by itself."""
BAD_INPUT = 2


class Board(NamedTuple):
    """What a release of JetPack has."""

    extra: str
    """The optional dependencies that fit its CUDA."""
    python: str
    """Its Ubuntu's Python, or the oldest that this program takes."""
    glibc: int
    """The C library is 2.<glibc>."""


JETPACKS = {
    5: Board("cu11", "3.10", 31),  # Ubuntu 20.04, whose own Python 3.8 is too old
    6: Board("jetson", "3.10", 35),  # Ubuntu 22.04
    7: Board("cu13", "3.12", 39),  # Ubuntu 24.04
}


def main(words: Sequence[str] | None = None) -> int:
    """Make the folder and say how to use it. Returns 0, or 2 with one line on what failed."""
    options = parsed(words)
    folder = options.to.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for module in ("uv", "pip"):
        if find_spec(module) is None:
            print(f"wheels.py: {module} is not installed: pip install uv pip", file=sys.stderr)
            return BAD_INPUT
    with tempfile.TemporaryDirectory() as scratch:
        needed = Path(scratch) / "needed.txt"
        for command in commands(options.board, options.extras, needed, folder):
            if code := subprocess.run(command, cwd=TOP).returncode:
                program = " ".join(command[2:4])
                print(f"wheels.py: python -m {program} ended with code {code}", file=sys.stderr)
                return BAD_INPUT
    wheels = list(folder.glob("*.whl"))
    megabytes = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    extras = ",".join(options.extras)
    print(f"{len(wheels)} wheels, {megabytes:.0f} MB, in {folder}")
    print(f"for Python {options.board.python} on 64-bit Arm. Copy it and the checkout there, then:")
    offline = f"--no-index --find-links {options.to}"
    print("  python3 -m venv --without-pip .venv")
    print(f"  .venv/bin/python $(ls {options.to}/pip-*.whl)/pip install {offline} pip")
    print(f"  .venv/bin/pip install {offline} -e '.[{extras}]'")
    return 0


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """The options, with ``board`` and ``extras`` as they follow from them."""
    parser = argparse.ArgumentParser(prog=".github/wheels.py", description=__doc__.split("\n")[0])
    parser.add_argument("--jetpack", type=int, choices=JETPACKS, default=6, help="default: 6")
    parser.add_argument("--with", dest="more", default="", help="further extras: layers,plan")
    parser.add_argument("--python", help="another Python than that JetPack's own, as 3.11")
    parser.add_argument("--to", type=Path, default=Path("wheels"), help="default: %(default)s")
    options = parser.parse_args(words)
    board = JETPACKS[options.jetpack]
    options.board = board._replace(python=options.python or board.python)
    options.extras = [board.extra, *filter(None, options.more.split(","))]
    return options


def commands(board: Board, extras: Sequence[str], needed: Path, folder: Path) -> list[list[str]]:
    """The calls that resolve into ``needed``, then download: only uv judges for another Python."""
    resolve = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    for extra in extras:
        resolve += ["--extra", extra]
    resolve += ["--python-version", board.python, "--only-binary", ":all:"]
    resolve += [
        "--python-platform",
        f"aarch64-manylinux_2_{board.glibc}",
        "--output-file",
        str(needed),
    ]
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    download += ["--no-deps", "-r", str(needed), *TOOLS, "--only-binary=:all:"]
    download += ["--implementation", "cp", "--python-version", board.python]
    for minor in range(board.glibc, OLDEST_GLIBC - 1, -1):
        download += ["--platform", f"manylinux_2_{minor}_aarch64"]
    download += ["--platform", "manylinux2014_aarch64"]
    return [resolve, download]


if __name__ == "__main__":
    sys.exit(main())
