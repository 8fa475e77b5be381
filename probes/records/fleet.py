"""What a fleet leaves beside its runs: which jobs there were, and how each ended.

Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from probes.records import given
from probes.records.measurement import RidgelineError
from probes.records.run import replace_file

FLEET_FILE = "fleet.json"
FLEET_VERSION = 1
QUEUED, RUNNING, DONE = "queued", "running", "done"
DIED, TOO_LONG, CANCELLED = "died", "took too long", "cancelled"
"""States of a job: the last four are ends."""
ENDS = (DONE, DIED, TOO_LONG, CANCELLED)


@dataclass(frozen=True)
class FleetJob:
    """One job of a fleet: one node."""

    host: str
    """Name of the node; a number where the engine has not told it yet."""
    job: str
    """Its number in the engine; empty before it is submitted."""
    state: str
    """One of the states above."""
    why: str = ""
    """What is known of a bad end."""
    folder: str = ""
    """Folder of its runs, below that of the fleet."""

    @property
    def problem(self) -> str:
        """Why there is no whole run of it, in words; empty if it ended well."""
        if self.state == DONE:
            return ""
        why = f": {self.why}" if self.why else ""
        return f"its job {self.job or 'was not started'} {_in_words(self.state)}{why}".strip()


def _in_words(state: str) -> str:
    return {QUEUED: "never started", RUNNING: "has no end yet"}.get(state, f"{state}")


def save_jobs(folder: Path, engine: str, jobs: Sequence[FleetJob]) -> None:
    """Write the jobs so far. Raises OSError."""
    facts = {"fleet_version": FLEET_VERSION, "engine": engine, "jobs": list(map(asdict, jobs))}
    replace_file(folder / FLEET_FILE, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def read_jobs(folder: Path) -> list[FleetJob]:
    """The jobs of the fleet in ``folder``; empty where it tells of none, or is damaged."""
    path = folder / FLEET_FILE
    if not path.is_file():
        return []
    try:
        facts: Any = given.parsed(path, given.text(path))
    except (RidgelineError, ValueError, RecursionError):
        return []
    jobs = []
    listed = facts.get("jobs") if isinstance(facts, dict) else None
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict):
            continue
        values = [entry.get(name, "") for name in ("host", "job", "state", "why", "folder")]
        if all(isinstance(value, str) for value in values):
            jobs.append(FleetJob(*(str(value) for value in values)))
    return jobs
