"""The noun Finding: one thing that is not as a run wants it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

STOPS, SPOILS, LACKS, FINE = "stops", "spoils", "lacks", "fine"
"""A run cannot be had; its numbers may be wrong or low; it goes without something; all is well."""
ORDER = (STOPS, SPOILS, LACKS, FINE)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    weight: str
    """One of ``ORDER``."""
    what: str
    """The thing: ``CuPy``."""
    value: str
    """What is the matter with it: ``is not installed``."""
    way_out: str = ""
    """How to mend it: a command where there is one; empty if nothing has to be."""

    @property
    def line(self) -> str:
        """All of it in a line."""
        mend = f" -> {self.way_out}" if self.way_out else ""
        return f"{self.weight:6}  {self.what}: {self.value}{mend}"


WAYS_OUT = (
    re.compile(r"; to (?:lift|show) it[:,] (?P<way_out>.+)$"),
    re.compile(r" \((?P<way_out>sudo .+)\)$"),
)
"""How warnings of devices end that name a way out themselves."""


def of_warning(what: str, warning: str, mend: str = "") -> Finding:
    """What a device warns of, as a finding. mend: the way out where the warning names none."""
    for pattern in WAYS_OUT:
        match = pattern.search(warning)
        if match:
            return Finding(SPOILS, what, warning[: match.start()], match["way_out"])
    return Finding(SPOILS, what, warning, mend)


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """What stops a run first, each thing once."""
    once = dict.fromkeys(findings)
    return sorted(once, key=lambda finding: ORDER.index(finding.weight))


def answer(findings: Sequence[Finding], device: str) -> str:
    """``Ready: nothing stops or spoils a run on the CPU here.``, or how many things do."""
    counts = Counter(finding.weight for finding in findings)
    stops, spoils = counts[STOPS], counts[SPOILS]
    if not stops and not spoils:
        return f"Ready: nothing stops or spoils a run on {device} here."
    if not stops:
        return f"Ready, but {_things(spoils)} it: a run on {device} may give wrong or low numbers."
    also = f", {spoils} spoil it" if spoils > 1 else f", {spoils} spoils it" if spoils else ""
    things_stop = "1 thing stops" if stops == 1 else f"{stops} things stop"
    return f"Not ready: {things_stop} a run on {device} here{also}."


def _things(spoils: int) -> str:
    return "1 thing spoils" if spoils == 1 else f"{spoils} things spoil"


def code(findings: Sequence[Finding]) -> int:
    """The exit code: 1 if anything stops a run, else 0."""
    return int(any(finding.weight == STOPS for finding in findings))
