"""Quotas of control groups, wherever and however their hierarchies are mounted."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.harness.devices.limits import memory, quota_cores
from tests.probes.harness.devices.trees import write

V1 = "sys/fs/cgroup/cpu,cpuacct"
"""Where version 1 is usually mounted; version 2 is at sys/fs/cgroup itself."""
V1_GROUP = "4:cpu,cpuacct:"
"""What stands before a group's name in proc/self/cgroup; version 2 writes 0:: there."""
V1_MOUNT = "33 31 0:30 %s /%s rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
V2_MOUNT = "31 23 0:27 %s /%s rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
"""Lines of proc/self/mountinfo: which part of the hierarchy is mounted, and where."""


def half_a_core(folder: str) -> dict[str, str]:
    """A quota of half a processor, of version 1."""
    return {f"{folder}/cpu.cfs_quota_us": "50000\n", f"{folder}/cpu.cfs_period_us": "100000\n"}


HALF_A_CORE = {
    "no link for cpu": {"proc/self/cgroup": f"{V1_GROUP}/box\n"} | half_a_core(f"{V1}/box"),
    "the other order": {"proc/self/cgroup": "4:cpuacct,cpu:/box\n"}
    | half_a_core("sys/fs/cgroup/cpuacct,cpu/box"),
    "of a parent": {"proc/self/cgroup": f"{V1_GROUP}/a/b/c\n"} | half_a_core(f"{V1}/a"),
    "of the mount itself": {"proc/self/cgroup": f"{V1_GROUP}/a/b\n"} | half_a_core(V1),
    "mounted elsewhere": {
        "proc/self/cgroup": f"{V1_GROUP}/box\n",
        "proc/self/mountinfo": V1_MOUNT % ("/", "mnt/my\\040groups"),
    }
    | half_a_core("mnt/my groups/box"),
    "known by the list of mounts only": {
        "proc/self/cgroup": f"{V1_GROUP}/box\n",
        "proc/mounts": "cgroup /dev/groups/both cgroup rw,relatime,cpu,cpuacct 0 0\n",
    }
    | half_a_core("dev/groups/both/box"),
    "a container's own part is mounted": {
        "proc/self/cgroup": f"{V1_GROUP}/docker/abc\n",
        "proc/self/mountinfo": V1_MOUNT % ("/docker/abc", V1),
    }
    | half_a_core(V1),
    "a group within a container's part": {
        "proc/self/cgroup": f"{V1_GROUP}/docker/abc/d\n",
        "proc/self/mountinfo": V1_MOUNT % ("/docker/abc", V1),
    }
    | half_a_core(f"{V1}/d"),
    "of a namespace whose groups are mounted from above": {
        "proc/self/cgroup": f"{V1_GROUP}/\n",
        "proc/self/stat": "77 (python) R 1\n",
        "proc/self/mountinfo": V1_MOUNT % ("/../..", V1),
        f"{V1}/docker/abc/cgroup.procs": "76\n77\n",
        f"{V1}/docker/other/cgroup.procs": "78\n",
        f"{V1}/docker/other/cpu.cfs_quota_us": "10000\n",
    }
    | half_a_core(f"{V1}/docker/abc"),
    "outside the namespace": {
        "proc/self/cgroup": f"{V1_GROUP}/../..\n",
        "proc/self/mountinfo": V1_MOUNT % ("/", V1),
    }
    | half_a_core(V1),
    "both versions, the quota in the first": {
        "proc/self/cgroup": f"{V1_GROUP}/box\n0::/user/me\n",
        "proc/self/mountinfo": V1_MOUNT % ("/", V1) + V2_MOUNT % ("/", "sys/fs/cgroup/unified"),
        "sys/fs/cgroup/unified/user/me/cgroup.procs": "1\n",
    }
    | half_a_core(f"{V1}/box"),
    "both versions, the quota in the second": {
        "proc/self/cgroup": "7:memory:/\n0::/user/me\n",
        "proc/self/mountinfo": V2_MOUNT % ("/", "sys/fs/cgroup/unified"),
        "sys/fs/cgroup/unified/user/cpu.max": "50000 100000\n",
    },
    "version 2 without a list of mounts, beside version 1": {
        "proc/self/cgroup": "1:name=systemd:/\n0::/me\n",
        "sys/fs/cgroup/unified/me/cpu.max": "50000 100000\n",
    },
    "version 2 in its own namespace": {
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": V2_MOUNT % ("/", "sys/fs/cgroup"),
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
    },
    "no period": {
        "proc/self/cgroup": "2:cpu:/box\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "50000\n",
    },
}


@pytest.mark.parametrize("files", HALF_A_CORE.values(), ids=HALF_A_CORE)
def test_the_quota_is_found_wherever_it_stands(tmp_path: Path, files: dict[str, str]) -> None:
    assert quota_cores(write(tmp_path, files)) == 0.5


NO_LIMIT = {
    "version 1 without a quota": {
        "proc/self/cgroup": f"{V1_GROUP}/box\n",
        f"{V1}/box/cpu.cfs_quota_us": "-1\n",
    },
    "another's": {"proc/self/cgroup": f"{V1_GROUP}/mine\n"} | half_a_core(f"{V1}/other"),
    "another controller's": {"proc/self/cgroup": "4:cpuset:/box\n"}
    | half_a_core("sys/fs/cgroup/cpuset/box"),
    "nobody's": {},
}


@pytest.mark.parametrize("files", NO_LIMIT.values(), ids=NO_LIMIT)
def test_no_quota_is_made_up(tmp_path: Path, files: dict[str, str]) -> None:
    assert quota_cores(write(tmp_path, files)) is None


def test_the_tightest_of_several_counts(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": f"{V1_GROUP}/a/b\n", f"{V1}/a/b/cpu.cfs_quota_us": "300000\n"}
    files |= half_a_core(f"{V1}/a")
    assert quota_cores(write(tmp_path, files)) == 0.5


def test_memory_is_found_the_same_way(tmp_path: Path) -> None:
    mount = "36 31 0:32 /box /groups rw - cgroup cgroup rw,memory\n"
    files = {"proc/self/cgroup": "4:memory:/box\n", "proc/self/mountinfo": mount}
    files |= {"groups/memory.limit_in_bytes": "3000\n", "groups/memory.usage_in_bytes": "1000\n"}
    assert memory(write(tmp_path, files)) == (3000, 2000)
