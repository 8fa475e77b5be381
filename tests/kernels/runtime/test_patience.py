"""A run that would never end is told to: when its time is up, and at Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from kernels.base import Unavailable
from kernels.runtime import kernel as layer_kernel
from kernels.runtime import static
from kernels.runtime.answers import answers
from kernels.runtime.patience import limited
from probes.harness.devices import cpu
from tests.kernels.onnx_networks import model_of
from tests.runs import ROOT

FOREVER = 2**62  # turns of a loop
SHORT = 0.05  # seconds that a made-up run, which waits, may take
LIMIT = 0.2  # seconds that the runtime may spend in a loop without an end
LONG = 60  # seconds that no test needs


def run_options() -> Any:
    """The runtime's options of a run, as far as they tell it to end."""
    return SimpleNamespace(terminate=False)


def run_until_told(run: Any) -> None:
    """Run as the runtime does: until it is told to end, which it says by an error of its own."""
    while not run.terminate:
        threading.Event().wait(0.001)
    raise RuntimeError("exiting due to terminate flag")


def loop(turns: int) -> Any:
    """A model that adds x to itself so many times."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Add", ["state", "state"], ["sum"]),
        helper.make_node("Identity", ["on"], ["still"]),
    ]
    inputs = [
        value("turn", TensorProto.INT64, []),
        value("on", TensorProto.BOOL, []),
        value("state", TensorProto.FLOAT, [8]),
    ]
    outputs = [value("still", TensorProto.BOOL, []), value("sum", TensorProto.FLOAT, [8])]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    weights = [
        numpy_helper.from_array(np.array(turns), "turns"),
        numpy_helper.from_array(np.array(True), "on"),
    ]
    node = helper.make_node("Loop", ["turns", "on", "x"], ["y"], name="loop", body=body)
    return model_of([node], {"x": (8,)}, ["y"], weights, opset=17)


def test_what_takes_too_long_is_told_to_end_and_says_so() -> None:
    run = run_options()
    message = r"one run of it takes longer than 0.05 s \(--layer-seconds\)"
    with pytest.raises(Unavailable, match=message), limited(run, SHORT):
        run_until_told(run)


def test_what_ends_in_time_is_left_alone() -> None:
    run = run_options()
    before = threading.active_count()
    with limited(run, LONG):
        pass
    with pytest.raises(RuntimeError, match="its own"), limited(run, LONG):
        raise RuntimeError("its own")
    assert not run.terminate
    assert threading.active_count() == before


# a program that gets Ctrl-C within a run
INTERRUPTED = """
import os, signal, time
from types import SimpleNamespace
from kernels.runtime.patience import limited
run = SimpleNamespace(terminate=False)
try:
    with limited(run, 60):
        signal.signal(signal.SIGINT, lambda *_: None)  # as if C code kept Python from acting on it
        os.kill(os.getpid(), signal.SIGINT)
        end = time.monotonic() + 30
        while not run.terminate and time.monotonic() < end:
            time.sleep(0.001)
finally:
    print(run.terminate, signal.set_wakeup_fd(-1))
"""


def test_ctrl_c_ends_a_run_in_the_main_thread() -> None:
    """In a program of its own: tests may run in another thread, and Ctrl-C is for all of them."""
    command = [sys.executable, "-c", INTERRUPTED]
    environment = {"PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        command, capture_output=True, text=True, timeout=100, cwd=ROOT, env=environment
    )
    assert process.stdout.split() == ["True", "-1"], process.stderr


def test_in_another_thread_time_counts_all_the_same() -> None:
    run = run_options()
    reasons: list[str] = []

    def work() -> None:
        try:
            with limited(run, SHORT):
                run_until_told(run)
        except Unavailable as reason:
            reasons.append(str(reason))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(reasons) == 1


def test_the_runtime_leaves_a_loop_without_an_end() -> None:
    feeds = {"x": np.zeros(8, np.float32)}
    assert (answers(loop(3), feeds)[0] == 0).all()
    with pytest.raises(Unavailable, match=r"takes longer than 0.2 s"):
        answers(loop(FOREVER), feeds, seconds=LIMIT)


def test_a_layer_that_takes_too_long_is_not_tried_in_another_form() -> None:
    other_forms: list[str] = []

    def other_form() -> Any:
        other_forms.append("tried")

    layer = layer_kernel.TimedLayer(
        "Loop", lambda: loop(FOREVER), open_shaped=[other_form], seconds=LIMIT
    )
    with pytest.raises(Unavailable, match=r"^one run of it takes longer than 0.2 s"):
        layer.kernel("cpu").backends["cpu"](cpu.detect(), "fp32", {}, None)
    with pytest.raises(Unavailable, match=r"^its reference: one run of it takes longer than 0.2 s"):
        layer.kernel("cpu").reference("fp32", 1)
    assert not other_forms


def test_a_network_without_an_end_is_not_quantized() -> None:
    with pytest.raises(Unavailable, match=r"^one run of it takes longer than 0.2 s"):
        static.quantized(lambda: loop(FOREVER), "cpu", seconds=LIMIT)
