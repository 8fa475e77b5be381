"""Layers through ONNX Runtime: a model built for one provider, its inputs and outputs bound, ready to be run again.

A run is one call of the runtime, on the harness's own stream where there is one. What ran is read from the runtime's
profile, since a session falls back to the CPU, and an integer layer to floats, in silence.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import Audit, KernelError, Unavailable, Work
from kernels.layer_data import BFLOAT16, feeds, flat, from_bits

PRODUCTS = frozenset(("Conv", "Gemm", "MatMul"))
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
INTEGER = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "QAttention", "DynamicQuantizeMatMul")
"""How names of products of integers begin."""
CAPTURED, REPLAYED, PLAIN = "captured in a CUDA graph", "replayed by the runtime's CUDA graph", "plain runs"


def missing(backend: str) -> str:
    """Why this provider cannot run here, or nothing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        return f"{error.name} is not installed: pip install -e '.[layers]'"
    if PROVIDERS[backend] not in onnxruntime.get_available_providers():
        return f"this onnxruntime has no {PROVIDERS[backend]}: install onnxruntime-gpu in its place"
    return ""


def build(model: Any, dtype: str, backend: str, device: Any, queue: Any, how: str = "") -> OrtLaunch:
    """A launch of a ModelProto whose shapes are numbers. Raises Unavailable where the provider refuses it.

    On CUDA the launches are captured where they can be: by us on the harness's stream, which leaves only the replay of
    a graph, else by the runtime itself, whose call then comes on top; what neither captures is plain runs. ``how``
    asks for one of these ways.
    """
    if reason := missing(backend):
        raise Unavailable(reason)
    onnxruntime_quiet()
    if backend == "cpu":
        cpus = tuple(device.facts.get("cpus") or range(device.units))[: device.units]
        launch = OrtLaunch(_session(model, backend, _options(cpus), [PROVIDERS["cpu"]]), model, dtype, backend)
        launch.cpu = cpus[0]
        return launch
    for way in () if how else (CAPTURED, REPLAYED):
        try:
            return _on_gpu(model, dtype, backend, device, queue, way)
        except KernelError:
            continue
    return _on_gpu(model, dtype, backend, device, queue, PLAIN)


def onnxruntime_quiet() -> None:
    """The runtime says on the terminal what it tried in vain; what matters is in the row."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)


def _on_gpu(model: Any, dtype: str, backend: str, device: Any, queue: Any, how: str) -> OrtLaunch:
    given: dict[str, Any] = {"device_id": device.index, "user_compute_stream": str(queue.ptr)}
    own = int(how == REPLAYED)
    if backend == "cuda":
        given |= {"use_tf32": int(dtype == "tf32"), "enable_cuda_graph": own}
    else:
        given |= {"trt_fp16_enable": int(dtype == "fp16"), "trt_int8_enable": int(dtype == "int8"),
                  "trt_cuda_graph_enable": own}  # fmt: skip
    chosen = [(PROVIDERS[backend], {key: str(value) for key, value in given.items()})]
    launch = OrtLaunch(_session(model, backend, _options(), chosen), model, dtype, backend, queue, how, chosen)
    try:
        launch.run(3)  # the first chooses algorithms, the second captures, the third replays
        queue.synchronize()
        if how == CAPTURED:
            launch.capture()
    except Exception as error:
        launch.close()
        raise KernelError(_line(error)) from None
    return launch


def _options(cpus: Sequence[int] = (0,)) -> Any:
    """One thread for each of these processors; all but the first, the caller's, are pinned: unpinned, two of them may
    share a processor for longer than a layer is timed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = len(cpus), 1
    options.log_severity_level = 4
    if len(cpus) > 1:
        others = ";".join(str(cpu + 1) for cpu in cpus[1:])  # the runtime counts processors from 1
        options.add_session_config_entry("session.intra_op_thread_affinities", others)
    return options


def _session(model: Any, backend: str, options: Any, providers: Any) -> Any:
    """A session that does run on the provider it was asked for."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    except Exception as error:  # the runtime's own types, one for each status
        raise Unavailable(f"{backend} provider: {_line(error)}") from None
    if session.get_providers()[0] != PROVIDERS[backend]:
        raise Unavailable(f"{PROVIDERS[backend]} does not start here: its libraries are missing or do not fit")
    return session


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


class OrtLaunch:
    """One session with its inputs and outputs bound; on CUDA all of them are on the device."""

    def __init__(
        self, session: Any, model: Any, dtype: str, backend: str, queue: Any = None, how: str = PLAIN,
        providers: Any = None,
    ) -> None:  # fmt: skip
        import onnxruntime

        self.cpu: int | None = None  # that the calling thread stays on
        self._session, self._model, self._dtype, self._backend = session, model, dtype, backend
        self._queue, self.how, self._providers = queue, how, providers or [PROVIDERS["cpu"]]
        self._graph: Any = None
        self._binding, self._options = session.io_binding(), onnxruntime.RunOptions()
        if queue is not None:
            self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        self._held = [self._bound_input(name, array) for name, array in feeds(model).items()]
        self._outputs = [self._bound_output(value) for value in model.graph.output]

    def _bound_input(self, name: str, array: np.ndarray) -> Any:
        kind = next(v.type.tensor_type.elem_type for v in self._model.graph.input if v.name == name)
        value = self._value(array.shape, kind)
        _copy_in(value, array, self._queue)
        self._binding.bind_ortvalue_input(name, value)
        return value

    def _bound_output(self, declared: Any) -> Any:
        kind = declared.type.tensor_type
        value = self._value([dim.dim_value for dim in kind.shape.dim], kind.elem_type)
        self._binding.bind_ortvalue_output(declared.name, value)
        return value

    def _value(self, shape: Any, kind: int) -> Any:
        import onnx
        import onnxruntime

        element = kind if kind == BFLOAT16 else onnx.helper.tensor_dtype_to_np_dtype(kind)
        place = "cpu" if self._queue is None else "cuda"
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), element, place, 0)

    def run(self, repeat: int) -> None:
        """``repeat`` runs, one after another; on CUDA they are only enqueued."""
        if self._graph is not None:
            for _ in range(repeat):
                self._graph.launch(self._queue)
            return
        with _pinned(self.cpu):
            for _ in range(repeat):
                self._session.run_with_iobinding(self._binding, self._options)

    def capture(self) -> None:
        """Turn one run into a graph of the harness's stream. Raises what the driver says where it cannot be."""
        self._queue.begin_capture()
        try:
            self._session.run_with_iobinding(self._binding, self._options)
        finally:
            graph = self._queue.end_capture()
        self._graph = graph
        self.run(1)
        self._queue.synchronize()

    def result(self) -> np.ndarray:
        """All outputs of the last run in one vector."""
        if self._queue is not None:
            self._queue.synchronize()
        return flat(_copy_out(value, self._queue) for value in self._outputs)

    def clock_hz(self) -> float | None:
        """Not observed: a layer's clock is that of the ceilings beside it."""
        return None

    def audit(self, work: Work) -> Audit:
        """What really ran, on which provider. Raises Unavailable where a type was computed in another one."""
        ran = self._executed()
        ops = "+".join(dict.fromkeys(op for op, _ in ran))
        asked = {node.op_type for node in self._model.graph.node}
        integers = self._backend == "tensorrt" or any(op.startswith(INTEGER) for op, _ in ran)
        if self._dtype == "int8" and asked & PRODUCTS and not integers:
            raise Unavailable(f"{self._backend} provider has no int8 kernel for it: it ran {ops}")
        if self._dtype in ("fp16", "bf16") and "Cast" in ops and "Cast" not in asked:
            raise Unavailable(f"{self._backend} provider has no {self._dtype} kernel for it: it ran {ops}")
        strangers = sorted({op for op, provider in ran if provider != PROVIDERS[self._backend]})
        facts = {"executed": ops, "launches": len(ran) if self.how == PLAIN else 1, "run": self.how}
        if len(asked) > 1:
            facts["explained"] = {"operations in the model": len(self._model.graph.node), "run": len(ran)}
        notes = [f"on another provider: {', '.join(strangers)}"] if strangers else []
        if self._queue is not None:
            notes.append(self.how)
        return Audit(instruction=ops, note="; ".join(notes), facts=facts)

    def _executed(self) -> list[tuple[str, str]]:
        """(operation, provider) of every node of one run, from the runtime's profile."""
        with tempfile.TemporaryDirectory() as folder:
            options = _options()
            options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "run")
            providers = [_plain(provider) for provider in self._providers]
            session = _session(self._model, self._backend, options, providers)
            session.run_with_iobinding(self._rebound(session))
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return [
            (event["args"]["op_name"], event["args"].get("provider", ""))
            for event in events
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
        ]

    def _rebound(self, session: Any) -> Any:
        binding = session.io_binding()
        for value, held in zip(feeds(self._model), self._held, strict=True):
            binding.bind_ortvalue_input(value, held)
        for declared, held in zip(self._model.graph.output, self._outputs, strict=True):
            binding.bind_ortvalue_output(declared.name, held)
        return binding

    def close(self) -> None:
        """Give session and buffers back."""
        if self._queue is not None:
            self._queue.synchronize()
        self._binding = self._session = None
        self._held, self._outputs = [], []


@contextmanager
def _pinned(cpu: int | None) -> Iterator[None]:
    """The calling thread on one processor, beside those of the runtime's own threads."""
    if cpu is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _plain(provider: Any) -> Any:
    """A provider's options without a graph: a replay leaves no profile of its nodes."""
    if isinstance(provider, str):
        return provider
    name, options = provider
    return name, {key: value for key, value in options.items() if "cuda_graph" not in key}


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
    import ctypes

    return np.ctypeslib.as_array((ctypes.c_uint8 * max(1, like.nbytes)).from_address(value.data_ptr()))[: like.nbytes]


def providers(device: Any) -> list[str]:
    """Backends worth asking on this device; TensorRT only where its library is."""
    if device.kind == "cpu":
        return ["cpu"]
    import importlib.util

    return ["cuda", "tensorrt"] if importlib.util.find_spec("tensorrt") else ["cuda"]
