"""Time a network by TensorRT: build engines, run each as a whole and layer by layer, make rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from kernels.base import Unavailable
from kernels.device import Device
from probes.command import network
from probes.importers.layer_row import Nodes, layer_row
from probes.importers.trtexec import read as importer
from probes.records.given import reason
from probes.records.measurement import SKIPPED, Measurement, RidgelineError
from probes.records.run import COMPLETE, PARTIAL, Run, now
from probes.tensorrt import printed
from probes.tensorrt.cache import Engines, key_of
from probes.tensorrt.commands import QUICK_SECONDS, SECONDS, Starter
from probes.tensorrt.find import Tool
from probes.tensorrt.networks import Given, given, of_batch
from probes.tensorrt.process import Ended, NoStart, run_program
from probes.tensorrt.why import why_failed

BUILD_SECONDS, RUN_SECONDS = 3600.0, 600.0
"""How long a start of trtexec may take that builds an engine, and one that times it."""
PROVIDER = "tensorrt"
TOOL = "trtexec"
WHOLE = "whole network"
LONGEST_SLUG = 80
"""Letters of a name in the name of a file."""
MOST_NODES = 5
"""Nodes that a warning names."""


class Console(Protocol):
    """Who is told of what happens meanwhile."""

    def note(self, text: str) -> None:
        """Print one line."""

    def saying(self, what: str) -> AbstractContextManager[Callable[[str], None]]:
        """Show that something goes on; the function shows which step of it."""


class Failed(Exception):
    """TensorRT could not do it: the text says why, in one line."""


class Final(Failed):
    """It failed in a way that another engine would not mend."""


@dataclass(frozen=True)
class Asked:
    """What TensorRT is asked to time."""

    tool: Tool
    """The trtexec to start."""
    device: int
    """Number of the CUDA device that it is to use."""
    onnx: network.Asked | None
    """The network; None where only an engine is given."""
    batches: tuple[int, ...] = ()
    """Batch sizes; none: that of the network."""
    engine: Path | None = None
    """An engine that exists, which is timed as it is."""
    seconds: float | None = None
    """How long a start of trtexec may take; None: BUILD_SECONDS or RUN_SECONDS."""
    quick: bool = False
    """True if engines are timed for a short time."""

    def networks(self) -> Iterator[tuple[network.Asked, int | None]]:
        """The network at each of its batch sizes, with that size."""
        assert self.onnx is not None
        for batch in self.batches or (None,):
            yield of_batch(self.onnx, batch), batch

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions to build it in."""
        if self.onnx is None:
            return ("",)
        return self.onnx.precisions or (self.onnx.stored,)


@dataclass(frozen=True)
class Subject:
    """One engine to be: a network at one batch size in one precision."""

    name: str
    """Of the network, with the batch size where there are several."""
    model: str
    """Of the network alone."""
    precision: str
    """That it is built in; empty where an engine is given."""
    batch: int | None
    """Its batch size; None: that of the network."""

    @property
    def title(self) -> str:
        """``net, batch 8 in FP16``."""
        return f"{self.name} in {self.precision.upper()}" if self.precision else self.name

    @property
    def slug(self) -> str:
        """Its name as part of a file's name."""
        words = re.findall(r"[a-z0-9_]+", self.title.lower())
        return "-".join(words)[:LONGEST_SLUG] or "net"


def measure(asked: Asked, run: Run, folder: Path, console: Console) -> bool:
    """Time all that is asked for; True if TensorRT could do it all.

    Rows are on disk after each engine. Raises OSError where they cannot be written.
    """
    run.status = PARTIAL
    run.versions["tensorrt"] = ".".join(map(str, asked.tool.version))
    run.save(folder)
    engines = Engines()
    is_complete = True
    for subject, make in _subjects(asked):
        timing = _Timing(asked, subject, run.device, run.started, folder, engines, console)
        try:
            rows = timing.rows(make)
        except (Failed, Unavailable, RidgelineError) as error:
            is_complete = False
            console.note(f"  {subject.title} by TensorRT: {error}")
            rows = [_refused(subject, str(error), run)]
        run.warnings += timing.warnings
        run.measurements = [*run.measurements, *rows]
        run.save_rows(folder)
    run.ended, run.status = now(), COMPLETE
    run.save(folder)
    return is_complete


def _subjects(asked: Asked) -> Iterator[tuple[Subject, Callable[[], Given | None]]]:
    """Each engine to time, and what makes the network it is built from."""
    if asked.onnx is None:
        assert asked.engine is not None
        name = asked.engine.stem
        yield Subject(name, name, "", None), lambda: None
        return
    several = len(asked.batches) > 1
    strongly_typed = asked.tool.strongly_typed
    for sized, batch in asked.networks():
        name = f"{sized.name}, batch {batch}" if several else sized.name
        for precision in asked.precisions:

            def make(sized: network.Asked = sized, precision: str = precision) -> Given:
                return given(sized, precision, strongly_typed)

            # what an engine that is given computes in, the engine itself tells
            told = "" if asked.engine else precision
            yield Subject(name, sized.name, told, batch), make


def _refused(subject: Subject, why: str, run: Run) -> Measurement:
    """The row of a network that could not be timed."""
    row = layer_row(
        WHOLE,
        "network",
        subject.precision,
        [],
        None,
        None,
        device=run.device.name,
        started=run.started,
        tool=TOOL,
        family="network",
        **_facts(subject),
    )
    return replace(row, status=SKIPPED, reason=why)


def _facts(subject: Subject) -> dict[str, Any]:
    """What the rows of an engine have in common."""
    facts: dict[str, Any] = {
        "network": subject.name,
        "model": subject.model,
        "provider": PROVIDER,
    }
    if subject.precision:
        facts["precision"] = subject.precision
    if subject.batch is not None:
        facts["batch"] = subject.batch
    return facts


class _Timing:
    """One engine, from its network to its rows."""

    def __init__(
        self,
        asked: Asked,
        subject: Subject,
        device: Device,
        started: str,
        folder: Path,
        engines: Engines,
        console: Console,
    ) -> None:
        seconds = QUICK_SECONDS if asked.quick else SECONDS
        self.starter = Starter(asked.tool, asked.device, seconds)
        self.asked = asked
        self.subject = subject
        self.device = device
        self.started = started
        self.folder = folder
        self.engines = engines
        self.console = console
        self.warnings: list[str] = []

    def rows(self, make: Callable[[], Given | None]) -> list[Measurement]:
        """The rows of the whole and of its layers. Raises Failed or Unavailable."""
        with self.console.saying(f"TensorRT: {self.subject.title}") as say:
            self._say = say
            say("preparing the network")
            source = make()
            engine, was_kept = self._engine(source)
            try:
                return self._timed(engine, source)
            except Final:
                raise
            except Failed:
                if not was_kept:
                    raise
            # it was built before something below it changed, a driver say
            self.engines.remove(engine)
            engine, _ = self._engine(source)
            return self._timed(engine, source)

    def _engine(self, source: Given | None) -> tuple[Path, bool]:
        """The engine, and whether it was kept from an earlier run."""
        if self.asked.engine is not None:
            return self.asked.engine, False
        assert source is not None
        tool = self.asked.tool
        flags = self.starter.flags(self.subject.precision)
        whose = [tool.name, self.device.name, self.device.arch, str(self.device.units)]
        driver = str(self.device.facts.get("driver_version", ""))
        key = key_of(source.content, [*whose, driver, *flags])
        kept = self.engines.find(key)
        if kept is not None:
            return kept, True
        unfinished = self.engines.unfinished(key)
        onnx_file = unfinished.with_suffix(".onnx.part")
        try:
            onnx_file.write_bytes(source.content)
            command = self.starter.build(
                onnx_file, unfinished, self.subject.precision, self.engines.timing_cache(whose)
            )
            self._run(command, "building the engine", BUILD_SECONDS)
            if not unfinished.exists() or not unfinished.stat().st_size:
                raise Failed("it built no engine, and does not say why")
            return self.engines.keep(key, unfinished), False
        except OSError as error:
            raise Failed(f"the engine cannot be kept: {reason(error)}") from None
        finally:
            self.engines.remove(onnx_file)
            self.engines.remove(unfinished)

    def _timed(self, engine: Path, source: Given | None) -> list[Measurement]:
        """The rows of an engine: the whole first, then its layers."""
        files = {
            what: self.folder / f"trtexec-{self.subject.slug}.{what}.json"
            for what in ("times", "profile", "layers")
        }
        ended = self._run(
            self.starter.whole(engine, files["times"]), "timing the whole", RUN_SECONDS
        )
        captured = printed.was_captured(ended.lines) and self.asked.tool.knows("--useCudaGraph")
        seconds = _seconds_in(files["times"], ended)
        command = self.starter.layers(engine, files["profile"], files["layers"])
        self._run(command, "timing its layers", RUN_SECONDS)
        nodes: Nodes = source.nodes if source else {}
        layers = importer.read(
            files["profile"],
            self.device.name,
            self.started,
            layers=files["layers"] if files["layers"].exists() else None,
            nodes=nodes,
            network=self.subject.name,
            common=_facts(self.subject),
        )
        self._warn_of_lost(layers, nodes)
        facts = _facts(self.subject)
        facts.setdefault("precision", layers[0].facts.precision)
        whole = layer_row(
            WHOLE,
            "network",
            str(facts["precision"]),
            seconds,
            source.flops if source else None,
            None,
            device=self.device.name,
            started=self.started,
            tool=TOOL,
            family="network",
            captured=captured,
            **facts,
        )
        return [*layers, whole]

    def _warn_of_lost(self, layers: Sequence[Measurement], nodes: Nodes) -> None:
        """Add a warning where the work of some nodes is in no layer."""
        lost = importer.left_out(layers, nodes)
        if lost:
            names = ", ".join(lost[:MOST_NODES])
            if len(lost) > MOST_NODES:
                names += f" and {len(lost) - MOST_NODES} more"
            self.warnings.append(
                f"{self.subject.title}: no layer of TensorRT names {names}: their work is in no row"
            )

    def _run(self, command: Sequence[str], doing: str, limit: float) -> Ended:
        """Run trtexec, keep what it printed, and check that it ran on the right GPU.

        Raises Failed.
        """
        self._say(doing)

        def heard(line: str) -> None:
            step = printed.step_in(line)
            if step and step != "timing":
                doing_now[0] = step
            self._say(doing_now[0])

        doing_now = [doing]
        try:
            ended = run_program(command, self.asked.seconds or limit, heard)
        except NoStart as error:
            raise Failed(f"trtexec cannot be started: {error}") from None
        self._keep_log(command, ended)
        if ended.late:
            raise Final(why_failed(ended, doing))
        if ended.code != 0:
            raise Failed(why_failed(ended, doing))
        ran = printed.device_in(ended.lines)
        if why := other_gpu(ran, self.device):
            raise Final(why)
        return ended

    def _keep_log(self, command: Sequence[str], ended: Ended) -> None:
        """Add what trtexec printed to a file of the run."""
        log = self.folder / f"trtexec-{self.subject.slug}.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command)}\n")
            file.writelines(f"{line}\n" for line in ended.lines)


def other_gpu(ran: printed.Ran, device: Device) -> str:
    """Why trtexec ran on another GPU than that of these roofs; empty if it did not, or says none.

    A Jetson is called by its module here, and ``Orin`` by its driver.
    """
    is_jetson = "jetson" in device.features or "integrated" in device.features
    same_arch = not ran.arch or not device.arch or float(ran.arch) == float(device.arch)
    same_name = not ran.name or is_jetson or ran.name == device.name
    if same_arch and same_name:
        return ""
    theirs = " ".join(filter(None, (ran.name, f"({ran.arch})" if ran.arch else "")))
    return (
        f"it ran on {theirs}, and these roofs are of {device.name} ({device.arch}): "
        "measure those of its own"
    )


def _seconds_in(file: Path, ended: Ended) -> list[float]:
    """The time of each run, as ``--exportTimes`` has it, else the median that was printed.

    Raises Failed.
    """
    seconds: list[float] = []
    try:
        runs = json.loads(file.read_text(encoding="utf-8"))
        seconds = [_milliseconds(entry) * 1e-3 for entry in runs]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        seconds = []
    if any(seconds):
        return seconds
    median = printed.median_seconds(ended.lines)
    if median is None:
        raise Failed("it timed nothing: neither its file nor its last lines hold a time")
    return [median]


def _milliseconds(entry: Mapping[str, float]) -> float:
    """The time that one run took on the GPU."""
    if "computeMs" in entry:
        return float(entry["computeMs"])
    return float(entry["endComputeMs"]) - float(entry["startComputeMs"])
