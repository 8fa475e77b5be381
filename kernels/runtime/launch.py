"""A session of ONNX Runtime with its inputs and outputs bound, ready to be run again: the Launch of
a layer.

What ran is read from the runtime's profile, since a session falls back to the CPU, and an integer
layer to floats, in silence.
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
"""How names of products of integers begin."""
RUN_CONFIG = {"disable_synchronize_execution_providers": "1", "gpu_graph_id": "-1"}
"""Of a run on CUDA. The runtime asks for a graph's number each time, and one that is not set costs
an exception: 30 us. For the same reason a quick run on the CPU has no options at all."""
SLOW_SECONDS = 0.2
"""Of a run, from which on it is limited each time: what that costs, 0.1 ms, is nothing then."""
CAPTURED, PLAIN = "captured in a CUDA graph", "plain runs"


class OrtLaunch:
    """One session with its inputs and outputs bound; on CUDA all of them are on the device."""

    def __init__(
        self,
        session: Any,
        model: ModelProto,
        given: Feeds,
        dtype: str,
        backend: str,
        queue: Any = None,
        seconds: float = SECONDS,
    ) -> None:
        self._before: set[int] = (
            set()
        )  # processors that the calling thread may use again when this is closed
        self._session, self._model, self._dtype, self._backend = session, model, dtype, backend
        self._queue, self.how = queue, PLAIN
        # whether it may compute in another type than asked: a network as it is stored
        self.any_type = False
        self._graph: Any = None
        self._ran: list[tuple[str, str]] = []
        self._answered: list[Any] = []
        self._binding, self._options = session.io_binding(), onnxruntime().RunOptions()
        for entry in RUN_CONFIG.items():
            self._options.add_run_config_entry(*entry)
        self._seconds, self._limited = seconds, queue is None
        ends = [end.type for end in (*session.get_inputs(), *session.get_outputs())]
        self._fed = None if all(map(_bindable, ends)) or queue is not None else dict(given)
        self._held = (
            [self._bound_input(name, array) for name, array in given.items()]
            if self._fed is None
            else []
        )
        for value in model.graph.output if self._fed is None else ():
            self._held += self._bound_output(value)

    def _bound_input(self, name: str, array: np.ndarray) -> Any:
        kind = next(v.type.tensor_type.elem_type for v in self._model.graph.input if v.name == name)
        value = runtime_values.filled(array, kind, self._queue)
        self._binding.bind_ortvalue_input(name, value)
        return value

    def _bound_output(self, declared: Any) -> list[Any]:
        """Room for an output; none where the runtime gives it in each run: where only its data tell
        how large it is, or no node computes it, since what is handed through is not written where
        it is asked for."""
        kind, place = declared.type.tensor_type, HOST if self._queue is None else GPU
        computed = any(declared.name in node.output for node in self._model.graph.node)
        if not computed or not is_sized(declared):
            self._binding.bind_output(declared.name, place)
            return []
        value = runtime_values.empty(
            [dim.dim_value for dim in kind.shape.dim], kind.elem_type, place
        )
        self._binding.bind_ortvalue_output(declared.name, value)
        return [value]

    def run(self, repeat: int) -> None:
        """``repeat`` runs, one after another; on CUDA they are only enqueued."""
        if self._graph is not None:
            for _ in range(repeat):
                self._graph.launch(self._queue)
            return
        if self._limited:
            for _ in range(repeat):
                with limited(self._options, self._seconds):
                    self._run(self._options)
            return
        options = None if self._queue is None else self._options
        if self._fed is not None:
            for _ in range(repeat):
                self._run(options)
            return
        for _ in range(repeat):
            self._session.run_with_iobinding(self._binding, options)

    def _run(self, options: Any) -> None:
        """One run: text and sequences cannot be bound, and are handed over each time."""
        if self._fed is not None:
            self._answered = self._session.run(None, self._fed, options)
        else:
            self._session.run_with_iobinding(self._binding, options)

    def pin(self, cpu: int) -> None:
        """Keep the calling thread on one processor, beside those of the runtime's own threads,
        until this is closed: moving it around each sample would be part of the sample."""
        if hasattr(os, "sched_setaffinity"):
            self._before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {cpu})

    def look(self, runs: int) -> None:
        """Run under the runtime's profile: what really ran, for ``audit``; afterwards it costs
        nothing.

        Raises Unavailable where a run on the CPU takes too long. Later runs are limited too if
        these were slow, so that Ctrl-C is heard in them.
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
        """Whether every operation ran on the provider asked for, with no copy to or from another
        and no waiting.
        """
        asked = PROVIDERS[self._backend]
        return bool(self._ran) and all(
            p == asked and not op.startswith("Memcpy") for op, p in self._ran
        )

    def capture(self) -> None:
        """Turn one run into a graph of the harness's stream. Raises what the driver says if it
        refuses.
        """
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
        if self._fed is not None:
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

        Where a type was computed in another one, that is a remark on a network as it is stored; of
        anything else, Unavailable is raised.
        """
        ran = self._ran
        ops = "+".join(dict.fromkeys(op for op, _ in ran))
        asked = Counter(node.op_type for node in self._model.graph.node)
        other = f"{self._backend} provider has no {self._dtype} kernel for it: it ran {ops}"
        other *= self._in_another_type(asked)
        if other and not self.any_type:
            raise Unavailable(other)
        strangers = sorted({op for op, provider in ran if provider != PROVIDERS[self._backend]})
        facts: dict[str, Any] = (
            {"executed": ops, "other_type": True} if other else {"executed": ops}
        )
        facts |= {"launches": len(ran) if self.how == PLAIN else 1, "run": self.how}
        facts["captured"] = self.how == CAPTURED
        if len(asked) > 1:
            facts["ran"] = dict(Counter(op for op, _ in ran))
            facts["explained"] = {
                "operations in the model": len(self._model.graph.node),
                "left after fusion": len(ran),
            }
        notes = [other] * bool(other)
        notes += ["text and sequences are handed over in each run: its time holds that"] * (
            self._fed is not None
        )
        notes += [f"on another provider: {', '.join(strangers)}"] * bool(strangers)
        if self._queue is not None:
            notes.append(self.how)
        return Audit(instruction=ops, note="; ".join(notes), facts=facts)

    def _in_another_type(self, asked: Counter[str]) -> bool:
        """True if products of integers ran on floats, or narrow floats were widened, by the
        operations in the model.
        """
        ran = [op for op, _ in self._ran]
        if self._dtype == "int8":
            integers = self._backend == "tensorrt" or any(op.startswith(INTEGER) for op in ran)
            return bool(asked.keys() & PRODUCTS) and not integers
        return (
            self._dtype in ("fp16", "bf16")
            and ran.count("Cast") > asked["Cast"] + asked["CastLike"]
        )

    def close(self) -> None:
        """Give session and buffers back."""
        if self._queue is not None:
            self._queue.synchronize()
        self._binding = self._session = None
        self._held = []
        if self._before:
            os.sched_setaffinity(0, self._before)


def _bindable(kind: str) -> bool:
    """True for a type of input or output, as the runtime names it, that stays where it is from run
    to run.
    """
    return kind.startswith("tensor(") and kind != "tensor(string)"


def _profiled(session: Any) -> list[tuple[str, str]]:
    """(operation, provider) of every node of the last run, from the profile, which ends here; its
    file is removed.
    """
    path = Path(session.end_profiling())
    events = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    nodes = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    begins = [e["ts"] for e in events if e.get("name") == "model_run"]
    last = [event for event in nodes if event["ts"] >= max(begins, default=0)]
    return [(event["args"]["op_name"], event["args"].get("provider", "")) for event in last]
