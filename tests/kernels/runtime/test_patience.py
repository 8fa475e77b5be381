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

FOREVER = 2**62


def options() -> Any:
    return SimpleNamespace(terminate=False)


def until_told(run: Any) -> None:
    """As the runtime runs: until it is told to end, which it says by an error of its own."""
    while not run.terminate:
        threading.Event().wait(0.001)
    raise RuntimeError("exiting due to terminate flag")


def loop(turns: int) -> Any:
    """A model that adds x to itself so many times."""
    kinds = TensorProto
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "state"], ["sum"]),
            helper.make_node("Identity", ["on"], ["still"]),
        ],
        "body",
        [
            value("turn", kinds.INT64, []),
            value("on", kinds.BOOL, []),
            value("state", kinds.FLOAT, [8]),
        ],
        [value("still", kinds.BOOL, []), value("sum", kinds.FLOAT, [8])],
    )
    weights = [
        numpy_helper.from_array(np.array(turns), "turns"),
        numpy_helper.from_array(np.array(True), "on"),
    ]
    node = helper.make_node("Loop", ["turns", "on", "x"], ["y"], name="loop", body=body)
    return model_of([node], {"x": (8,)}, ["y"], weights, opset=17)


def test_what_takes_too_long_is_told_to_end_and_says_so() -> None:
    run = options()
    with (
        pytest.raises(
            Unavailable, match=r"one run of it takes longer than 0.05 s \(--layer-seconds\)"
        ),
        limited(run, 0.05),
    ):
        until_told(run)


def test_what_ends_in_time_is_left_alone() -> None:
    run, before = options(), threading.active_count()
    with limited(run, 60):
        pass
    with pytest.raises(RuntimeError, match="its own"), limited(run, 60):
        raise RuntimeError("its own")
    assert not run.terminate
    assert threading.active_count() == before


HEARS = """
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
    command = [sys.executable, "-c", HEARS]
    said = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert said.stdout.split() == ["True", "-1"], said.stderr


def test_in_another_thread_time_counts_all_the_same() -> None:
    run, said = options(), list[str]()

    def work() -> None:
        try:
            with limited(run, 0.05):
                until_told(run)
        except Unavailable as reason:
            said.append(str(reason))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(said) == 1


def test_the_runtime_leaves_a_loop_without_an_end() -> None:
    given = {"x": np.zeros(8, np.float32)}
    assert (answers(loop(3), given)[0] == 0).all()
    with pytest.raises(Unavailable, match=r"takes longer than 0.2 s"):
        answers(loop(FOREVER), given, seconds=0.2)


def test_a_layer_that_takes_too_long_is_not_tried_in_another_form() -> None:
    other: list[str] = []
    layer = layer_kernel.TimedLayer(
        "Loop", lambda: loop(FOREVER), open_shaped=[lambda: other.append("tried")], seconds=0.2
    )
    with pytest.raises(Unavailable, match=r"^one run of it takes longer than 0.2 s"):
        layer.kernel("cpu").backends["cpu"](cpu.detect(), "fp32", {}, None)
    with pytest.raises(Unavailable, match=r"^its reference: one run of it takes longer than 0.2 s"):
        layer.kernel("cpu").reference("fp32", 1)
    assert not other


def test_a_network_without_an_end_is_not_quantized() -> None:
    with pytest.raises(Unavailable, match=r"^one run of it takes longer than 0.2 s"):
        static.quantized(lambda: loop(FOREVER), "cpu", seconds=0.2)
