"""Layers through ONNX Runtime: a model built for one provider, its inputs and outputs bound, ready
to be run again.

A run is one call of the runtime, on the harness's own stream where there is one.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels.base import Unavailable, one_line
from kernels.cuda.memory import Stream
from kernels.device import Device
from kernels.onnx.cut import SIZED_BY_DATA
from kernels.runtime.door import onnxruntime
from kernels.runtime.inputs import FREE, Chosen, Feeds, feeds
from kernels.runtime.launch import CAPTURED, PLAIN, PROVIDERS, OrtLaunch
from kernels.runtime.patience import SECONDS

if TYPE_CHECKING:
    from onnx import ModelProto

STATUS = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
SOURCE = re.compile(
    r"\S+\.(?:cc|cpp|cuh?|h):\d+ [^()]*(?:\((?:[^()]|\([^()]*\))*\))+(?: const)?(?: \[with "
    r"[^\]]*\])? "
)
CRASHES = "onnxruntime 1.31 ends the whole process: it frees host memory where CUDA forbids it"


def missing(backend: str) -> str:
    """Why this provider cannot run here, or nothing."""
    try:
        import onnx  # noqa: F401

        available = onnxruntime().get_available_providers()
    except ImportError as error:
        return f"{error.name} is not installed: pip install -e '.[layers]'"
    if PROVIDERS[backend] not in available:
        return f"this onnxruntime has no {PROVIDERS[backend]}: install onnxruntime-gpu in its place"
    return ""


def build(
    model: ModelProto,
    dtype: str,
    backend: str,
    device: Device,
    queue: Any,
    how: str = "",
    chosen: Chosen = FREE,
    seconds: float = SECONDS,
    any_type: bool = False,
) -> OrtLaunch:
    """A launch of a ModelProto, fed as chosen. any_type: also where the provider computes in
    another than ``dtype``.

    Raises Unavailable where the provider refuses it, or, on the CPU, where a run takes longer than
    ``seconds``.

    On CUDA a layer whose every operation runs there is captured in a graph of the harness's stream,
    which leaves nothing of the runtime in its time; anything else is plain runs. ``how`` asks for
    one of the two.
    """
    if reason := missing(backend):
        raise Unavailable(reason)
    onnxruntime_quiet()
    given = feeds(model, chosen)
    if backend == "cpu":
        cpus = tuple(device.facts.get("cpus") or range(device.units))[: device.units]
        session = _session(model, backend, _options(cpus), [PROVIDERS["cpu"]])
        launch = OrtLaunch(session, model, given, dtype, backend, seconds=seconds)
        launch.any_type = any_type
        try:
            launch.pin(cpus[0])
            _look(
                launch, backend, 2
            )  # an output of another shape than it was made for is refused the second time
        except BaseException:
            launch.close()
            raise
        return launch
    if waiting := sorted({node.op_type for node in model.graph.node} & SIZED_BY_DATA):
        raise Unavailable(f"{', '.join(waiting)}: on a stream of ours {CRASHES}")
    preload()
    launch = _on_gpu(model, given, dtype, backend, device, queue, how or CAPTURED)
    launch.any_type = any_type
    return launch


def onnxruntime_quiet() -> None:
    """The runtime says on the terminal what it tried in vain; what matters is in the row."""
    onnxruntime().set_default_logger_severity(4)


@cache
def preload() -> None:
    """Load the vendor's libraries out of the wheels they came in: by itself the runtime looks on
    the system only.
    """
    if load := getattr(onnxruntime(), "preload_dlls", None):
        with redirect_stdout(
            io.StringIO()
        ):  # it prints what it does not find; a session that cannot start says so
            load()


def _on_gpu(
    model: ModelProto,
    given: Feeds,
    dtype: str,
    backend: str,
    device: Device,
    queue: Stream,
    how: str,
) -> OrtLaunch:
    asked: dict[str, Any] = {"device_id": device.index, "user_compute_stream": str(queue.ptr)}
    if backend == "cuda":
        asked |= {"use_tf32": int(dtype == "tf32")}
    else:
        asked |= {"trt_fp16_enable": int(dtype == "fp16"), "trt_int8_enable": int(dtype == "int8")}
    chosen = [(PROVIDERS[backend], {key: str(value) for key, value in asked.items()})]
    launch = OrtLaunch(
        _session(model, backend, _options(), chosen), model, given, dtype, backend, queue
    )
    try:
        _look(launch, backend, 2)  # the first run chooses algorithms
    except BaseException:
        launch.close()
        raise
    try:
        if how == CAPTURED and launch.on_device:
            launch.capture()
    except Exception:  # it was asked for in vain, and leaves the session as it was before
        launch.close()
        return _on_gpu(model, given, dtype, backend, device, queue, PLAIN)
    return launch


def _look(launch: OrtLaunch, backend: str, runs: int) -> None:
    try:
        launch.look(runs)
    except Unavailable:
        raise
    except Exception as error:  # the runtime's own types, or the driver's
        raise Unavailable(f"{backend} provider cannot run it: {line_of(error)}") from None


@cache
def profiles() -> tempfile.TemporaryDirectory[str]:
    """Where sessions leave their profiles: gone with the program, also those of sessions that never
    ran.
    """
    return tempfile.TemporaryDirectory(prefix="ridgeline-")


def _options(cpus: Sequence[int] = (0,)) -> Any:
    """One thread for each of these processors; all but the first, the caller's, are pinned:
    unpinned, two of them may share a processor for longer than a layer is timed."""
    options = onnxruntime().SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = len(cpus), 1
    options.log_severity_level = 4
    options.enable_profiling = True
    options.profile_file_prefix = str(Path(profiles().name) / "run")
    if len(cpus) > 1:
        others = ";".join(str(cpu + 1) for cpu in cpus[1:])  # the runtime counts processors from 1
        options.add_session_config_entry("session.intra_op_thread_affinities", others)
    return options


def _session(model: ModelProto, backend: str, options: Any, providers: Any) -> Any:
    """A session that does run on the provider it was asked for."""
    try:
        session = onnxruntime().InferenceSession(
            model.SerializeToString(), options, providers=providers
        )
    except Exception as error:  # the runtime's own types, one for each status
        raise Unavailable(f"{backend} provider: {line_of(error)}") from None
    if session.get_providers()[0] != PROVIDERS[backend]:
        raise Unavailable(
            f"{PROVIDERS[backend]} does not start here: its libraries are missing or do not fit"
        )
    return session


def line_of(error: Exception) -> str:
    """What went wrong, without the status and the C++ function before it, which leave no room for
    the words.
    """
    return one_line(SOURCE.sub("", STATUS.sub("", " ".join(str(error).split()))))


def providers(device: Device) -> list[str]:
    """Backends worth asking on this device; TensorRT only where its library is."""
    if device.kind == "cpu":
        return ["cpu"]
    import importlib.util

    return ["cuda", "tensorrt"] if importlib.util.find_spec("tensorrt") else ["cuda"]
