"""Launching a fleet: what each node runs, who is named, and what Slurm is told."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from probes.command.fleet import (
    LOCAL,
    SLURM,
    Asked,
    Handle,
    command_of,
    engine_of,
    launch,
    nodes_of,
    progress,
)
from probes.command.forwarded import without
from probes.command.host import host_facts
from probes.records.fleet import (
    CANCELLED,
    DIED,
    DONE,
    QUEUED,
    RUNNING,
    TOO_LONG,
    FleetJob,
    read_jobs,
)
from probes.records.measurement import RidgelineError
from probes.records.run import COMPLETE, PARTIAL, Run
from tests.devices import GPU

WORDS = ("--only", "bandwidth", "compute")


def asked_of(engine: str = SLURM, out: Path = Path("out"), minutes: float = 10) -> Asked:
    return Asked(engine, None, "gpu", minutes, {"gres": "gpu:8"}, WORDS, out)


def test_words_of_a_fleet_are_taken_out_also_where_they_are_cut_or_joined() -> None:
    known = ["--fleet", "--nodes", "--node-minutes", "--out", "--only", "--note-host"]
    taken = {"--fleet": 1, "--nodes": 1, "--out": 1, "--note-host": 0}
    words = ["--fle", "slurm", "--only", "a", "b", "--nodes=3", "--note-host", "--out", "x"]
    assert without([*words, "--only", "c"], taken, known) == ["--only", "a", "b", "--only", "c"]


def test_a_node_is_asked_for_its_host_and_writes_where_it_is_told(tmp_path: Path) -> None:
    command = command_of(asked_of(), tmp_path)
    assert command[1].endswith("run_all.py")
    assert command[2:] == [*WORDS, "--note-host", "--out", str(tmp_path)]


def test_local_jobs_see_the_gpus_that_this_process_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert command_of(asked_of(LOCAL), tmp_path)[:3] == ["env", "-u", "CUDA_VISIBLE_DEVICES"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    assert command_of(asked_of(LOCAL), tmp_path)[:2] == ["env", "CUDA_VISIBLE_DEVICES=1,2"]


@dataclass
class MadeUpJob:
    """A job whose states are written down: one for each look."""

    number: str
    states: list[str]
    cancelled: bool = False

    def state(self) -> tuple[str, str]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return ("died" if self.cancelled else state), ""

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class MadeUpEngine:
    """An engine with jobs by node, and a clock that its looks move on."""

    folder: Path
    plans: dict[str, list[str]]
    name: str = SLURM
    jobs: dict[str, MadeUpJob] = field(default_factory=dict)
    seconds: float = 0.0
    most_at_once: int = 0

    def submit(self, command: Sequence[str], node: str) -> Handle:
        if not self.plans[node]:
            raise RidgelineError("slurm refuses it: no such node")
        job = MadeUpJob(str(len(self.jobs)), list(self.plans[node]))
        self.jobs[node] = job
        if DONE in self.plans[node]:
            save_run(Path(command[-1]), COMPLETE)
        return job

    def look(self) -> None:
        live = [job for job in self.jobs.values() if job.states[0] not in (DONE, DIED)]
        self.most_at_once = max(self.most_at_once, len(live))

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def save_run(folder: Path, status: str) -> None:
    run = folder / "gpu" / "now"
    run.mkdir(parents=True)
    Run(GPU, "2030-01-02T03:04:05Z", {}, {}, status=status).save(run)


def launched(engine: MadeUpEngine, asked: Asked, said: list[str]) -> dict[str, FleetJob]:
    jobs = launch(
        asked, engine.folder, engine, list(engine.plans), said.append, engine.clock, engine.sleep
    )
    return {job.host: job for job in jobs}


def test_nodes_that_die_hang_or_are_refused_are_named_and_hold_up_no_other(tmp_path: Path) -> None:
    plans = {
        "good": [QUEUED, RUNNING, DONE],
        "dead": [RUNNING, DIED],
        "hung": [RUNNING],
        "refused": [],
        "partial": [RUNNING, "died"],
    }
    save_run(tmp_path / "partial", PARTIAL)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "1_0_log.err").write_text("first\nno space left\n\n")
    engine = MadeUpEngine(tmp_path, plans)
    said: list[str] = []
    jobs = launched(engine, asked_of(minutes=2), said)
    states = {host: job.state for host, job in jobs.items()}
    assert states == {
        "good": DONE,
        "dead": DIED,
        "hung": TOO_LONG,
        "refused": DIED,
        "partial": DIED,
    }
    assert jobs["dead"].why == "no space left"
    assert engine.jobs["hung"].cancelled
    assert jobs["hung"].problem == "its job 2 took too long: --node-minutes is 2"
    assert engine.seconds < 200
    assert said[-1] == "1 of 5 done; gone: dead, hung, refused and 1 more"
    assert read_jobs(tmp_path) == list(jobs.values())


def test_local_jobs_go_one_after_the_other(tmp_path: Path) -> None:
    plans = {name: [RUNNING, RUNNING, DONE] for name in "abc"}
    engine = MadeUpEngine(tmp_path, plans, LOCAL)
    jobs = launched(engine, asked_of(LOCAL), [])
    assert {job.state for job in jobs.values()} == {DONE}
    assert engine.most_at_once == 1


def test_interrupt_cancels_what_is_not_done(tmp_path: Path) -> None:
    engine = MadeUpEngine(tmp_path, {"done": [DONE], "runs": [RUNNING], "waits": [QUEUED]})

    def say(text: str) -> None:
        if "1 of 3 done" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(asked_of(), tmp_path, engine, list(engine.plans), say, engine.clock, engine.sleep)
    states = {job.host: job.state for job in read_jobs(tmp_path)}
    assert states == {"done": DONE, "runs": CANCELLED, "waits": CANCELLED}
    assert engine.jobs["runs"].cancelled
    assert engine.jobs["waits"].cancelled


def test_nodes_come_from_sinfo_idle_ones_first() -> None:
    def sinfo(command: Sequence[str]) -> str:
        assert "--partition=gpu" in command
        return "n1 allocated gpu\nn2 idle gpu\nn3 down* gpu\nn4 mixed gpu\nn5 drained gpu\n"

    asked = asked_of()
    assert nodes_of(asked, sinfo) == ["n2", "n4", "n1"]
    assert nodes_of(replace(asked, nodes=2), sinfo) == ["n2", "n4"]
    with pytest.raises(RidgelineError, match="has 3 nodes that are up"):
        nodes_of(replace(asked, nodes=4), sinfo)


def test_without_a_partition_the_usual_one_is_taken() -> None:
    listed = "n1 idle cpu*\nn2 idle gpu\nn1 idle gpu\n"
    assert nodes_of(replace(asked_of(), partition=""), lambda _: listed) == ["n1"]


def test_progress_names_who_is_gone() -> None:
    jobs = [FleetJob("a", "1", DONE), FleetJob("b", "2", RUNNING), FleetJob("c", "3", QUEUED)]
    assert progress(jobs) == "1 of 3 done, 1 running, 1 waiting"


def test_rack_comes_from_the_topology_that_slurm_tells() -> None:
    told = {"SLURMD_NODENAME": "n12.cluster", "SLURM_TOPOLOGY_ADDR": "core.leaf07.n12"}
    assert host_facts({**told, "SLURM_JOB_ID": "5"}) == {
        "host": "n12",
        "rack": "leaf07",
        "job": "5",
    }
    assert "rack" not in host_facts({"SLURM_TOPOLOGY_ADDR": "n12"})


SBATCH = """#!/bin/sh
cp "$1" "{folder}/submitted.sh"
echo "Submitted batch job 4711"
"""
SACCT = """#!/bin/sh
echo "JobID|State|NodeList"
echo "4711|RUNNING|n7"
"""


def stand_in(folder: Path, name: str, text: str) -> None:
    """A program of Slurm."""
    path = folder / name
    path.write_text(text.replace("{folder}", str(folder)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stand-ins for the programs of Slurm, which are found."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    stand_in(folder, "sbatch", SBATCH)
    stand_in(folder, "sacct", SACCT)
    stand_in(folder, "scancel", '#!/bin/sh\necho "$@" > {folder}/cancelled\n')
    stand_in(folder, "srun", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def test_what_slurm_is_told(slurm: Path, tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    engine = engine_of(asked_of(out=tmp_path), tmp_path)
    handle = engine.submit(command_of(asked_of(), tmp_path / "n7"), "n7")
    lines = (slurm / "submitted.sh").read_text().splitlines()
    told = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert {
        "exclusive",
        "gres=gpu:8",
        "job-name=ridgeline",
        "nodelist=n7",
        "nodes=1",
        "ntasks-per-node=1",
        "partition=gpu",
        "signal=USR2@20",
        "time=12",
    } <= told
    assert any(line.startswith("srun ") and "submitit.core._submit" in line for line in lines)
    assert handle.number == "4711"
    engine.look()
    assert handle.state() == (RUNNING, "")
    handle.cancel()
    assert (slurm / "cancelled").read_text().strip() == "4711"


def test_damaged_lists_of_jobs_are_no_jobs(tmp_path: Path) -> None:
    for text in ("", "{", "[]", '{"jobs": 3}', json.dumps({"jobs": [{"host": 1}, None]})):
        (tmp_path / "fleet.json").write_text(text)
        assert read_jobs(tmp_path) == []
