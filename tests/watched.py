"""Two programs run under strace beside the other tests, to see what each says to the network.

One is this program timing layers, the other the same runtime with nobody to keep it from its
vendor's network: only if that one is seen to look up a host does the silence of the first mean
anything.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from kernels.runtime.door import NO_TELEMETRY
from tests.runs import ROOT

WATCHED_SECONDS = 22
"""For which each program stays after its layer ran: the look-up comes 5 to 12 seconds after it."""
LONGEST_SECONDS = 240
"""Until both have ended, on a machine that is busy with the other tests."""
OURS, BARE = "ours", "bare"
PROGRAMS = {
    OURS: """
import sys, time, run_all
argv = ["--device", "cpu", "--quick", "--only", "overhead", "--layers", "reshapes"]
code = run_all.main([*argv, "--out", sys.argv[1]])
assert code in (0, 1), code  # 1: a clock was read wrongly beside other tests, and layers ran
time.sleep({seconds})
""",
    BARE: """
import time
import onnxruntime
from kernels.onnx.net import Net
net = Net()
model = net.model(net.add("Neg", net.input(4)))
providers = ["CPUExecutionProvider"]
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=providers)
session.run(None, {{"x": [0.0] * 4}})
time.sleep({seconds})
""",
}
INTERNET = re.compile(r"AF_INET6?\b")
"""A socket of the network, in a line of strace.

One of AF_UNIX stays on this machine, to a name service cache, say.
"""


def missing() -> str:
    """Why nothing can be watched here, in words; empty if it can."""
    if not shutil.which("strace"):
        return "strace is not installed (apt-get install strace)"
    command = ["strace", "-f", "-e", "trace=%network", "true"]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode == 0:
        return ""
    return f"strace cannot trace here: {process.stderr.strip().splitlines()[0]}"


def start(folder: Path) -> None:
    """Start both programs, unless another process of the tests has.

    Each leaves in the folder its lines of strace, ``NAME.calls``, what it printed,
    ``NAME.out.said``, and at its end its exit code, ``NAME.code``.
    """
    try:
        folder.mkdir()
    except FileExistsError:
        return
    for name, text in PROGRAMS.items():
        environment = dict(os.environ)
        environment.pop(NO_TELEMETRY[0], None)
        program = folder / f"{name}.py"
        program.write_text(text.format(seconds=WATCHED_SECONDS), encoding="utf-8")
        calls, code, out = (str(folder / f"{name}.{end}") for end in ("calls", "code", "out"))
        script = (
            'strace -f -e trace=%network -o "$1" "$2" "$3" "$4" >"$4.said" 2>&1; '
            'echo $? >"$5.part"; mv "$5.part" "$5"'
        )
        subprocess.Popen(
            ["sh", "-c", script, "sh", calls, sys.executable, str(program), out, code],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )


def network_calls(folder: Path, name: str) -> list[str]:
    """Lines of strace about the network, once that program has ended."""
    code = folder / f"{name}.code"
    deadline = time.monotonic() + LONGEST_SECONDS
    while not code.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    output = (folder / f"{name}.out.said").read_text(encoding="utf-8", errors="replace")
    assert code.exists() and code.read_text().strip() == "0", output
    calls = (folder / f"{name}.calls").read_text(encoding="utf-8", errors="replace")
    return [line for line in calls.splitlines() if INTERNET.search(line)]
