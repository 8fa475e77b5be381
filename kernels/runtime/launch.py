"""The Launch of a layer: a session of ONNX Runtime with its inputs and outputs bound.

What ran is read from the runtime's profile, since a session falls back to the CPU, and an integer
layer to floats, without a word.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Audit, Unavailable, Work
from kernels.onnx.protos import is_sized
from kernels.runtime import values as runtime_values
from kernels.runtime.door import onnxruntime
from kernels.runtime.inputs import Feeds
from kernels.runtime.patience import SECONDS, limited
from kernels.runtime.values import GPU, HOST

if TYPE_CHECKING:
    from onnx import ModelProto

PRODUCTS = frozenset(("Conv", "Gemm", "MatMul"))
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
INTEGER = (
    "QLinear",
    "QGemm",
    "MatMulInteger",
    "ConvInteger",
    "QAttention",
    "DynamicQuantizeMatMul",
)
"""How the runtime's names of products of integers begin."""
RUN_CONFIG = {"disable_synchronize_execution_providers": "1", "gpu_graph_id": "-1"}
"""Options of a run on CUDA.

The runtime asks for a graph's number each time, and one that is not set costs an exception: 30 us.
For the same reason a quick run on the CPU has no options at all.
"""
SLOW_SECONDS = 0.2
"""Seconds of a run from which on every run is limited: the 0.1 ms of the limit are little then."""
CAPTURED, PLAIN = "captured in a CUDA graph", "plain runs"


class OrtLaunch:
    """One session with its inputs and outputs bound; on CUDA all of them are on the device."""

    def __init__(
        self,
        session: Any,
        model: ModelProto,
        inputs: Feeds,
        dtype: str,
        backend: str,
        queue: Any = None,
        seconds: float = SECONDS,
    ) -> None:
        self._session = session
        self._model = model
        self._dtype = dtype
        self._backend = backend
        self._queue = queue
        self._seconds = seconds
        self.how = PLAIN
        """How it is run, CAPTURED or PLAIN."""
        self.any_type = False
        """True if it may compute in another type than asked, as a network in its stored type."""
        self._graph: Any = None
        """The CUDA graph of one run, once it is captured."""
        self._limited = queue is None
        """True if every run is ended when its time is up."""
        self._processors_before: set[int] = set()
        """Processors that the calling thread gets back on close."""
        self._ran: list[tuple[str, str]] = []
        """(operation, provider) of every node of the profiled run."""
        self._answered: list[Any] = []
        """The outputs of the last run whose inputs were not bound."""
        self._binding = session.io_binding()
        self._options = onnxruntime().RunOptions()
        for entry in RUN_CONFIG.items():
            self._options.add_run_config_entry(*entry)
        ends = [end.type for end in (*session.get_inputs(), *session.get_outputs())]
        bound = queue is not None or all(map(_is_bindable, ends))
        self._unbound_feeds = None if bound else dict(inputs)
        """The inputs to hand over in each run; None if they are bound."""
        self._buffers: list[Any] = []
        """The values that are bound, which must live as long as the binding."""
        if bound:
            for name, array in inputs.items():
                self._bind_input(name, array)
            for value in model.graph.output:
                self._bind_output(value)

    def _bind_input(self, name: str, array: np.ndarray) -> None:
        kind = next(v.type.tensor_type.elem_type for v in self._model.graph.input if v.name == name)
        value = runtime_values.filled(array, kind, self._queue)
        self._binding.bind_ortvalue_input(name, value)
        self._buffers.append(value)

    def _bind_output(self, declared: Any) -> None:
        """Bind a buffer for an output, or leave it to the runtime to make one in each run.

        The runtime makes it where the shape depends on data. It also does where no node computes
        the output: an input that is handed through is not written to a bound buffer.
        """
        place = HOST if self._queue is None else GPU
        is_computed = any(declared.name in node.output for node in self._model.graph.node)
        if not is_computed or not is_sized(declared):
            self._binding.bind_output(declared.name, place)
            return
        tensor_type = declared.type.tensor_type
        dims = [dim.dim_value for dim in tensor_type.shape.dim]
        value = runtime_values.empty(dims, tensor_type.elem_type, place)
        self._binding.bind_ortvalue_output(declared.name, value)
        self._buffers.append(value)

    def run(self, repeat: int) -> None:
        """``repeat`` runs, one after another; on CUDA they are only enqueued."""
        if self._graph is not None:
            for _ in range(repeat):
                self._graph.launch(self._queue)
            return
        if self._limited:
            for _ in range(repeat):
                with limited(self._options, self._seconds):
                    self._run_once(self._options)
            return
        options = None if self._queue is None else self._options
        if self._unbound_feeds is not None:
            for _ in range(repeat):
                self._run_once(options)
            return
        for _ in range(repeat):
            self._session.run_with_iobinding(self._binding, options)

    def _run_once(self, options: Any) -> None:
        """One run; text and sequences cannot be bound, and are handed over each time."""
        if self._unbound_feeds is not None:
            self._answered = self._session.run(None, self._unbound_feeds, options)
        else:
            self._session.run_with_iobinding(self._binding, options)

    def pin(self, cpu: int) -> None:
        """Keep the calling thread on one processor until this is closed.

        The runtime's own threads are on others. Moving the thread around each sample would be part
        of the sample.
        """
        if hasattr(os, "sched_setaffinity"):
            self._processors_before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {cpu})

    def look(self, runs: int) -> None:
        """Run under the runtime's profile, to tell ``audit`` what really ran; it ends here.

        Raises Unavailable if a run on the CPU takes too long. Later runs are limited too if these
        were slow, so that Ctrl-C is heard in them.
        """
        begin = time.monotonic()
        try:
            self.run(runs)
            if self._queue is not None:
                self._queue.synchronize()
        except BaseException:
            Path(self._session.end_profiling()).unlink(missing_ok=True)
            raise
        was_slow = time.monotonic() - begin > SLOW_SECONDS * runs
        self._limited = self._limited and was_slow
        self._ran = _profiled(self._session)

    @property
    def on_device(self) -> bool:
        """True if every operation ran on the provider asked for, with no copy between two."""
        if not self._ran:
            return False
        asked = PROVIDERS[self._backend]
        return all(provider == asked and not op.startswith("Memcpy") for op, provider in self._ran)

    def capture(self) -> None:
        """Capture one run in a CUDA graph of the harness's stream; raises the driver's errors."""
        self._queue.begin_capture()
        try:
            self._session.run_with_iobinding(self._binding, self._options)
        finally:
            graph = self._queue.end_capture()
        self._graph = graph
        self.how = CAPTURED
        self.run(1)
        self._queue.synchronize()

    def result(self) -> np.ndarray:
        """All outputs of the last run in one vector."""
        if self._queue is not None:
            self._queue.synchronize()
        if self._unbound_feeds is not None:
            return runtime_values.flat(self._answered)
        values = self._binding.get_outputs()
        if not all(value.is_tensor() for value in values):
            raise Unavailable("its result is no tensor, and cannot be checked")
        return runtime_values.flat(runtime_values.array_of(value, self._queue) for value in values)

    def clock_hz(self) -> float | None:
        """Not observed: a layer's clock is that of the ceilings beside it."""
        return None

    def audit(self, work: Work) -> Audit:
        """What really ran, on which provider.

        Raises Unavailable if it computed in another type than asked; with ``any_type`` that is a
        note instead.
        """
        ran = self._ran
        ops = "+".join(dict.fromkeys(op for op, _ in ran))
        in_model = Counter(node.op_type for node in self._model.graph.node)
        facts: dict[str, Any] = {"executed": ops}
        notes = []
        if self._ran_in_another_type(in_model):
            other = f"{self._backend} provider has no {self._dtype} kernel for it: it ran {ops}"
            if not self.any_type:
                raise Unavailable(other)
            facts["other_type"] = True
            notes.append(other)
        facts["launches"] = len(ran) if self.how == PLAIN else 1
        facts["run"] = self.how
        facts["captured"] = self.how == CAPTURED
        if len(in_model) > 1:
            facts["ran"] = dict(Counter(op for op, _ in ran))
            facts["explained"] = {
                "operations in the model": len(self._model.graph.node),
                "left after fusion": len(ran),
            }
        if self._unbound_feeds is not None:
            notes.append("text and sequences are handed over in each run: its time holds that")
        elsewhere = sorted({op for op, provider in ran if provider != PROVIDERS[self._backend]})
        if elsewhere:
            notes.append(f"on another provider: {', '.join(elsewhere)}")
        if self._queue is not None:
            notes.append(self.how)
        return Audit(instruction=ops, note="; ".join(notes), facts=facts)

    def _ran_in_another_type(self, in_model: Counter[str]) -> bool:
        """True if products of integers ran on floats, or narrow floats were widened.

        in_model: how often each operation stands in the model.
        """
        ran = [op for op, _ in self._ran]
        if self._dtype == "int8":
            on_integers = self._backend == "tensorrt" or any(op.startswith(INTEGER) for op in ran)
            return bool(in_model.keys() & PRODUCTS) and not on_integers
        if self._dtype in ("fp16", "bf16"):
            return ran.count("Cast") > in_model["Cast"] + in_model["CastLike"]
        return False

    def close(self) -> None:
        """Give session and buffers back."""
        if self._queue is not None:
            self._queue.synchronize()
        self._binding = self._session = None
        self._buffers = []
        if self._processors_before:
            os.sched_setaffinity(0, self._processors_before)


def _is_bindable(kind: str) -> bool:
    """True for a type, as the runtime names it, whose values can stay in place between runs."""
    return kind.startswith("tensor(") and kind != "tensor(string)"


def _profiled(session: Any) -> list[tuple[str, str]]:
    """(operation, provider) of every node of the last run, from the profile.

    The profile ends here, and its file is removed.
    """
    path = Path(session.end_profiling())
    events = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    nodes = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    begins = [e["ts"] for e in events if e.get("name") == "model_run"]
    last = [event for event in nodes if event["ts"] >= max(begins, default=0)]
    return [(event["args"]["op_name"], event["args"].get("provider", "")) for event in last]
