"""Which core a CPU is: names for vendors' family, model and part numbers. One row a core.

The names are the keys of analysis/peaks.toml. A CPU that is not here is unknown, never taken for its neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping

# (family, first model, last model): LLVM's X86TargetParser and Linux' arch/x86/include/asm/intel-family.h.
INTEL = {
    (6, 0x3C, 0x3C): "haswell",
    (6, 0x3F, 0x3F): "haswell",
    (6, 0x45, 0x46): "haswell",
    (6, 0x3D, 0x3D): "broadwell",
    (6, 0x47, 0x47): "broadwell",
    (6, 0x4F, 0x4F): "broadwell",
    (6, 0x56, 0x56): "broadwell",
    (6, 0x4E, 0x4E): "skylake",
    (6, 0x5E, 0x5E): "skylake",
    (6, 0x8E, 0x8E): "skylake",
    (6, 0x9E, 0x9E): "skylake",
    (6, 0xA5, 0xA6): "skylake",
    (6, 0x55, 0x55): "skylake-x",
    (6, 0x6A, 0x6A): "icelake-server",
    (6, 0x6C, 0x6C): "icelake-server",
    (6, 0x7D, 0x7E): "icelake-client",
    (6, 0x8C, 0x8D): "tigerlake",
    (6, 0xA7, 0xA7): "rocketlake",
    (6, 0x97, 0x97): "alderlake",
    (6, 0x9A, 0x9A): "alderlake",
    (6, 0xB7, 0xB7): "raptorlake",
    (6, 0xBA, 0xBA): "raptorlake",
    (6, 0xBF, 0xBF): "raptorlake",
    (6, 0x8F, 0x8F): "sapphirerapids",
    (6, 0xCF, 0xCF): "emeraldrapids",
    (6, 0xAD, 0xAE): "graniterapids",
    (6, 0xAF, 0xAF): "sierraforest",
}
# Zen 5: Turin 00-1F, Granite Ridge 40-4F and Strix Halo 70-77 have the full 512-bit units; Strix 20-3F and
# Krackan 60-6F the halved ones.
AMD = {
    (0x17, 0x00, 0x2F): "zen",
    (0x17, 0x30, 0xAF): "zen2",
    (0x19, 0x00, 0x0F): "zen3",
    (0x19, 0x20, 0x5F): "zen3",
    (0x19, 0x10, 0x1F): "zen4",
    (0x19, 0x60, 0xAF): "zen4",
    (0x1A, 0x00, 0x1F): "zen5",
    (0x1A, 0x20, 0x3F): "zen5-mobile",
    (0x1A, 0x40, 0x4F): "zen5",
    (0x1A, 0x60, 0x6F): "zen5-mobile",
    (0x1A, 0x70, 0x77): "zen5",
}
# (implementer, part): Linux' arch/arm64/include/asm/cputype.h. Of Apple's chips, the performance cores.
ARM = {
    (0x41, 0xD07): "cortex-a57",
    (0x41, 0xD08): "cortex-a72",
    (0x41, 0xD0B): "cortex-a76",
    (0x41, 0xD0C): "neoverse-n1",
    (0x41, 0xD40): "neoverse-v1",
    (0x41, 0xD41): "cortex-a78",
    (0x41, 0xD42): "cortex-a78ae",
    (0x41, 0xD49): "neoverse-n2",
    (0x41, 0xD4F): "neoverse-v2",
    (0x41, 0xD83): "neoverse-v3ae",
    (0x41, 0xD84): "neoverse-v3",
    (0x41, 0xD8E): "neoverse-n3",
    (0x4E, 0x003): "denver2",
    (0x4E, 0x004): "carmel",
    (0x61, 0x023): "apple-m1",
    (0x61, 0x025): "apple-m1",
    (0x61, 0x029): "apple-m1",
    (0x61, 0x033): "apple-m2",
    (0x61, 0x035): "apple-m2",
    (0x61, 0x039): "apple-m2",
}


def core_name(cpuinfo: Mapping[str, str]) -> str:
    """The core behind one block of /proc/cpuinfo, or nothing."""
    if "CPU part" in cpuinfo:
        return ARM.get((int(cpuinfo.get("CPU implementer", "0"), 0), int(cpuinfo["CPU part"], 0)), "")
    table = {"GenuineIntel": INTEL, "AuthenticAMD": AMD}.get(cpuinfo.get("vendor_id", ""), {})
    family, model = int(cpuinfo.get("cpu family", -1)), int(cpuinfo.get("model", -1))
    rows = (name for (f, first, last), name in table.items() if f == family and first <= model <= last)
    return next(rows, "")


def core_numbers(cpuinfo: Mapping[str, str]) -> str:
    """The numbers that a row of these tables needs, in words: what to report of an unknown core."""
    if "CPU part" in cpuinfo:
        return f"implementer {cpuinfo.get('CPU implementer')} part {cpuinfo['CPU part']}"
    named = {"family": "cpu family", "model": "model", "stepping": "stepping"}
    words = [f"{word} {cpuinfo[key]}" for word, key in named.items() if key in cpuinfo]
    return " ".join([cpuinfo.get("vendor_id", ""), *words]).strip()
