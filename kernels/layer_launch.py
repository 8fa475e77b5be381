"""A session of ONNX Runtime with its inputs and outputs bound, ready to be run again: the Launch of a layer.

What ran is read from the runtime's profile, since a session falls back to the CPU, and an integer layer to floats, in
silence.
"""

from __future__ import annotations

import ctypes
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import Audit, Unavailable, Work
from kernels.layer_data import BFLOAT16, Feeds, flat, from_bits
from kernels.layer_patience import SECONDS, limited
from kernels.layer_runtime import onnxruntime
from kernels.onnx_shapes import is_sized

PRODUCTS = frozenset(("Conv", "Gemm", "MatMul"))
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
INTEGER = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "QAttention", "DynamicQuantizeMatMul")
"""How names of products of integers begin."""
RUN_CONFIG = {"disable_synchronize_execution_providers": "1", "gpu_graph_id": "-1"}
"""Of a run on CUDA. The runtime asks for a graph's number each time, and one that is not set costs an exception: 30 us.
For the same reason a quick run on the CPU has no options at all."""
SLOW_SECONDS = 0.2
"""Of a run, from which on it is limited each time: what that costs, 0.1 ms, is nothing then."""
CAPTURED, PLAIN = "captured in a CUDA graph", "plain runs"


class OrtLaunch:
    """One session with its inputs and outputs bound; on CUDA all of them are on the device."""

    def __init__(
        self, session: Any, model: Any, given: Feeds, dtype: str, backend: str, queue: Any = None,
        seconds: float = SECONDS,
    ) -> None:  # fmt: skip
        self._before: set[int] = set()  # processors that the calling thread may use again when this is closed
        self._session, self._model, self._dtype, self._backend = session, model, dtype, backend
        self._queue, self.how = queue, PLAIN
        self._graph: Any = None
        self._ran: list[tuple[str, str]] = []
        self._binding, self._options = session.io_binding(), onnxruntime().RunOptions()
        for entry in RUN_CONFIG.items():
            self._options.add_run_config_entry(*entry)
        self._seconds, self._limited = seconds, queue is None
        self._held = [self._bound_input(name, array) for name, array in given.items()]
        self._outputs = [self._bound_output(value) for value in model.graph.output]

    def _bound_input(self, name: str, array: np.ndarray) -> Any:
        kind = next(v.type.tensor_type.elem_type for v in self._model.graph.input if v.name == name)
        value = self._value(array.shape, kind)
        _copy_in(value, array, self._queue)
        self._binding.bind_ortvalue_input(name, value)
        return value

    def _bound_output(self, declared: Any) -> Any:
        """Room for an output; None where the runtime gives it in each run: where only its data tell how large it is,
        or no node computes it, since what is handed through is not written where it is asked for."""
        kind = declared.type.tensor_type
        computed = any(declared.name in node.output for node in self._model.graph.node)
        if not computed or not is_sized(declared):
            self._binding.bind_output(declared.name, self._place)
            return None
        value = self._value([dim.dim_value for dim in kind.shape.dim], kind.elem_type)
        self._binding.bind_ortvalue_output(declared.name, value)
        return value

    @property
    def _place(self) -> str:
        return "cpu" if self._queue is None else "cuda"

    def _value(self, shape: Any, kind: int) -> Any:
        import onnx

        element = kind if kind == BFLOAT16 else onnx.helper.tensor_dtype_to_np_dtype(kind)
        return onnxruntime().OrtValue.ortvalue_from_shape_and_type(list(shape), element, self._place, 0)

    def run(self, repeat: int) -> None:
        """``repeat`` runs, one after another; on CUDA they are only enqueued."""
        if self._graph is not None:
            for _ in range(repeat):
                self._graph.launch(self._queue)
            return
        if self._limited:
            for _ in range(repeat):
                with limited(self._options, self._seconds):
                    self._session.run_with_iobinding(self._binding, self._options)
            return
        options = None if self._queue is None else self._options
        for _ in range(repeat):
            self._session.run_with_iobinding(self._binding, options)

    def pin(self, cpu: int) -> None:
        """Keep the calling thread on one processor, beside those of the runtime's own threads, until this is closed:
        moving it around each sample would be part of the sample."""
        if hasattr(os, "sched_setaffinity"):
            self._before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {cpu})

    def look(self, runs: int) -> None:
        """Run under the runtime's profile: what really ran, for ``audit``; afterwards it costs nothing.

        Raises Unavailable where a run on the CPU takes too long. Later runs are limited too if these were slow, so that
        Ctrl-C is heard in them.
        """
        begin = time.monotonic()
        try:
            self.run(runs)
            if self._queue is not None:
                self._queue.synchronize()
        except BaseException:
            Path(self._session.end_profiling()).unlink(missing_ok=True)
            raise
        self._limited = self._limited and time.monotonic() - begin > SLOW_SECONDS * runs
        self._ran = _profiled(self._session)

    @property
    def on_device(self) -> bool:
        """Whether every operation ran on the provider asked for, with no copy to or from another and no waiting."""
        asked = PROVIDERS[self._backend]
        return bool(self._ran) and all(p == asked and not op.startswith("Memcpy") for op, p in self._ran)

    def capture(self) -> None:
        """Turn one run into a graph of the harness's stream. Raises what the driver says if it refuses."""
        self._queue.begin_capture()
        try:
            self._session.run_with_iobinding(self._binding, self._options)
        finally:
            graph = self._queue.end_capture()
        self._graph, self.how = graph, CAPTURED
        self.run(1)
        self._queue.synchronize()

    def result(self) -> np.ndarray:
        """All outputs of the last run in one vector."""
        if self._queue is not None:
            self._queue.synchronize()
        values = self._binding.get_outputs() if None in self._outputs else self._outputs
        if not all(value.is_tensor() for value in values):
            raise Unavailable("its result is no tensor, and cannot be checked")
        return flat(_copy_out(value, self._queue) for value in values)

    def clock_hz(self) -> float | None:
        """Not observed: a layer's clock is that of the ceilings beside it."""
        return None

    def audit(self, work: Work) -> Audit:
        """What really ran, on which provider. Raises Unavailable where a type was computed in another one."""
        ran = self._ran
        ops = "+".join(dict.fromkeys(op for op, _ in ran))
        asked = Counter(node.op_type for node in self._model.graph.node)
        integers = self._backend == "tensorrt" or any(op.startswith(INTEGER) for op, _ in ran)
        if self._dtype == "int8" and asked.keys() & PRODUCTS and not integers:
            raise Unavailable(f"{self._backend} provider has no int8 kernel for it: it ran {ops}")
        if self._dtype in ("fp16", "bf16") and [op for op, _ in ran].count("Cast") > asked["Cast"]:
            raise Unavailable(f"{self._backend} provider has no {self._dtype} kernel for it: it ran {ops}")
        strangers = sorted({op for op, provider in ran if provider != PROVIDERS[self._backend]})
        facts = {"executed": ops, "launches": len(ran) if self.how == PLAIN else 1, "run": self.how}
        if len(asked) > 1:
            facts["ran"] = dict(Counter(op for op, _ in ran))
            facts["explained"] = {"operations in the model": len(self._model.graph.node), "left after fusion": len(ran)}
        notes = [f"on another provider: {', '.join(strangers)}"] if strangers else []
        if self._queue is not None:
            notes.append(self.how)
        return Audit(instruction=ops, note="; ".join(notes), facts=facts)

    def close(self) -> None:
        """Give session and buffers back."""
        if self._queue is not None:
            self._queue.synchronize()
        self._binding = self._session = None
        self._held, self._outputs = [], []
        if self._before:
            os.sched_setaffinity(0, self._before)


def _profiled(session: Any) -> list[tuple[str, str]]:
    """(operation, provider) of every node of the last run, from the profile, which ends here; its file is removed."""
    path = Path(session.end_profiling())
    events = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    nodes = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    begins = [e["ts"] for e in events if e.get("name") == "model_run"]
    last = [event for event in nodes if event["ts"] >= max(begins, default=0)]
    return [(event["args"]["op_name"], event["args"].get("provider", "")) for event in last]


def _copy_in(value: Any, array: np.ndarray, queue: Any) -> None:
    source = np.ascontiguousarray(array)
    if queue is None:
        _memory(value, source)[...] = source.view(np.uint8).reshape(-1)
        return
    from cupy.cuda import runtime

    runtime.memcpyAsync(value.data_ptr(), source.ctypes.data, source.nbytes, 1, queue.ptr)
    queue.synchronize()


def _copy_out(value: Any, queue: Any) -> np.ndarray:
    narrow = "bfloat16" in value.data_type()
    if queue is None and not narrow:
        return np.asarray(value.numpy())
    element = np.dtype(np.uint16) if narrow else _dtype(value)
    out = np.empty(value.shape(), element)
    if queue is None:
        out.view(np.uint8).reshape(-1)[...] = _memory(value, out)
    else:
        from cupy.cuda import runtime

        runtime.memcpyAsync(out.ctypes.data, value.data_ptr(), out.nbytes, 2, queue.ptr)
        queue.synchronize()
    return from_bits(out) if narrow else out


def _dtype(value: Any) -> np.dtype[Any]:
    """``tensor(float16)`` as NumPy's type."""
    name = value.data_type().removeprefix("tensor(").rstrip(")")
    return np.dtype({"float": "float32", "double": "float64"}.get(name, name))


def _memory(value: Any, like: np.ndarray) -> np.ndarray:
    """The bytes of a value on the host, as they lie."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * max(1, like.nbytes)).from_address(value.data_ptr()))[: like.nbytes]
