"""The commands of the README: read from it, and run as its reader types them.

``python -m tests.readme`` runs them all, in a copy of the checkout, and prints what each took.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PYTHON = ".venv/bin/python"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
IN_LINE = re.compile(r"`([^`\n]+)`")
STARTS = (PYTHON, "python3 -m venv", ".venv/bin/pip", "cp -r", "printf")
"""How a command begins."""
OF_GPU = ("--device 0", "cu13", "jetson", "--without-pip", "--no-index", "-m gpu")
"""What only a command for a GPU or a Jetson holds."""
QUICK = (
    "--list",
    "analysis.theory",
    "analysis.compare",
    "--replot",
    "--import",
    "--help",
    "--version",
)
"""What only a command of a few seconds holds."""
PATIENCE_SECONDS = 1200.0
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", "scratch", ".*_cache")


@dataclass(frozen=True)
class Command:
    """A command of the README."""

    text: str
    """As it is typed."""

    @property
    def needs_gpu(self) -> bool:
        """True if it asks for a GPU."""
        return any(part in self.text for part in OF_GPU)

    @property
    def is_quick(self) -> bool:
        """True if it is expected to take less than five seconds, with all packages installed."""
        return any(part in self.text for part in QUICK)

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call of Python in it, without what the shell does."""
        parts = re.split(r"&&|\|", self.text)
        words = [part.split() for part in parts]
        return [call[1:] for call in words if call and call[0] == PYTHON]


def commands() -> list[Command]:
    """Every command, from blocks and from the text, in the order of the page, each once."""
    text = README.read_text(encoding="utf-8")
    lines: list[str] = []
    for _, language, block in _pieces(text):
        if language == "text":
            lines += IN_LINE.findall(block)
        elif not language:
            lines += block.splitlines()
    found = [line.strip() for line in lines if line.strip().startswith(STARTS)]
    return [Command(line) for line in dict.fromkeys(found)]


def programs() -> list[str]:
    """The Python programs on the page."""
    text = README.read_text(encoding="utf-8")
    return [block for language, block in FENCE.findall(text) if language == "python"]


def _pieces(text: str) -> Iterator[tuple[int, str, str]]:
    """(place, language, content) of blocks and of the text between them, which is ``text``."""
    end = 0
    for match in FENCE.finditer(text):
        yield end, "text", text[end : match.start()]
        yield match.start(), match[1], match[2]
        end = match.end()
    yield end, "text", text[end:]


def run(command: Command, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in this folder by a shell, as a reader would."""
    return subprocess.run(
        ["bash", "-c", command.text],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def has_gpu() -> bool:
    """True if a driver of NVIDIA answers."""
    return shutil.which("nvidia-smi") is not None


def main() -> int:
    """Run all commands that can run here; returns 1 if one of them fails."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        shutil.copytree(ROOT, checkout, ignore=NOT_COPIED)
        for command in commands():
            if command.needs_gpu and not has_gpu():
                print(f"no GPU   {command.text}")
                continue
            if "tests.readme" in command.text:
                continue
            begin = time.monotonic()
            process = run(command, checkout)
            seconds = time.monotonic() - begin
            is_fine = process.returncode == 0
            failed += not is_fine
            print(f"{'ok' if is_fine else 'FAILED':6} {seconds:5.0f} s  {command.text}", flush=True)
            if not is_fine:
                print(process.stdout[-2000:], process.stderr[-2000:], sep="\n", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
