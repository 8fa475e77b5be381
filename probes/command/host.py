"""On which host a run is made: facts that a run holds only if they are asked for."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

TOPOLOGY = "SLURM_TOPOLOGY_ADDR"
"""Switches from the top of the network to the node, and the node: ``root.leaf07.node12``; Slurm
sets it where it knows the topology.
"""
JOB_NUMBERS = ("SLURM_JOB_ID", "SUBMITIT_LOCAL_JOB_ID")


def host_facts(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Name of the host, its rack and the number of the job, as far as they are known.

    The rack is the last switch before the node. The host's name is its first part: what follows is
    the same for all.
    """
    host = environment.get("SLURMD_NODENAME") or socket.gethostname()
    facts = {"host": host.partition(".")[0]}
    *switches, _node = environment.get(TOPOLOGY, "").split(".")
    if switches and switches[-1] not in ("", "root"):
        facts["rack"] = switches[-1]
    for name in JOB_NUMBERS:
        if environment.get(name):
            facts["job"] = environment[name]
            break
    return facts
