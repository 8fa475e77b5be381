"""Names of CPU cores, by their vendors' family, model and part numbers. One row a core.

The names are the keys of analysis/theory/peaks.toml. A core that is not here is unknown, and never
taken for its neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping

from probes.harness.devices.reading import whole

# (family, first model, last model): LLVM's X86TargetParser and Linux'
# arch/x86/include/asm/intel-family.h.
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
    (6, 0xAA, 0xAA): "meteorlake",
    (6, 0xAC, 0xAC): "meteorlake",
    (6, 0xB5, 0xB5): "arrowlake",
    (6, 0xC5, 0xC6): "arrowlake",
    (6, 0xBD, 0xBD): "lunarlake",
    (6, 0x8F, 0x8F): "sapphirerapids",
    (6, 0xCF, 0xCF): "emeraldrapids",
    (6, 0xAD, 0xAE): "graniterapids",
    (6, 0xAF, 0xAF): "sierraforest",
}
# (family, first model, last model). Zen 5: Turin 00-1F, Granite Ridge 40-4F and Strix Halo 70-77
# have the full 512-bit units; Strix 20-3F and Krackan 60-6F the halved ones.
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
# (implementer, part): Linux' arch/arm64/include/asm/cputype.h. Of Apple's chips, the performance
# cores.
ARM = {
    (0x41, 0xD03): "cortex-a53",
    (0x41, 0xD04): "cortex-a35",
    (0x41, 0xD05): "cortex-a55",
    (0x41, 0xD06): "cortex-a65",
    (0x41, 0xD07): "cortex-a57",
    (0x41, 0xD08): "cortex-a72",
    (0x41, 0xD09): "cortex-a73",
    (0x41, 0xD0A): "cortex-a75",
    (0x41, 0xD0B): "cortex-a76",
    (0x41, 0xD0C): "neoverse-n1",
    (0x41, 0xD0D): "cortex-a77",
    (0x41, 0xD0E): "cortex-a76ae",
    (0x41, 0xD40): "neoverse-v1",
    (0x41, 0xD41): "cortex-a78",
    (0x41, 0xD42): "cortex-a78ae",
    (0x41, 0xD43): "cortex-a65ae",
    (0x41, 0xD44): "cortex-x1",
    (0x41, 0xD46): "cortex-a510",
    (0x41, 0xD47): "cortex-a710",
    (0x41, 0xD48): "cortex-x2",
    (0x41, 0xD49): "neoverse-n2",
    (0x41, 0xD4A): "neoverse-e1",
    (0x41, 0xD4B): "cortex-a78c",
    (0x41, 0xD4C): "cortex-x1c",
    (0x41, 0xD4D): "cortex-a715",
    (0x41, 0xD4E): "cortex-x3",
    (0x41, 0xD4F): "neoverse-v2",
    (0x41, 0xD80): "cortex-a520",
    (0x41, 0xD81): "cortex-a720",
    (0x41, 0xD82): "cortex-x4",
    (0x41, 0xD83): "neoverse-v3ae",
    (0x41, 0xD84): "neoverse-v3",
    (0x41, 0xD85): "cortex-x925",
    (0x41, 0xD87): "cortex-a725",
    (0x41, 0xD89): "cortex-a720ae",
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


def identity(cpuinfo: Mapping[str, str]) -> tuple[str, int, int] | None:
    """Vendor and two numbers of the core that a block of /proc/cpuinfo describes.

    The numbers are implementer and part of Arm's cores, family and model of x86's. None where the
    block lacks one of them.
    """
    if "CPU part" in cpuinfo:
        vendor = "arm"
        keys = ("CPU implementer", "CPU part")
    else:
        vendor = cpuinfo.get("vendor_id", "")
        keys = ("cpu family", "model")
    first, second = (whole(cpuinfo.get(key, ""), 0) for key in keys)
    if first is None or second is None:
        return None
    return vendor, first, second


def core_name(cpuinfo: Mapping[str, str]) -> str:
    """Name of the core that a block of /proc/cpuinfo describes; empty if unknown."""
    numbers = identity(cpuinfo)
    if numbers is None:
        return ""
    vendor, first, second = numbers
    if vendor == "arm":
        return ARM.get((first, second), "")
    table = {"GenuineIntel": INTEL, "AuthenticAMD": AMD}.get(vendor, {})
    for (family, first_model, last_model), name in table.items():
        if family == first and first_model <= second <= last_model:
            return name
    return ""


def core_numbers(cpuinfo: Mapping[str, str]) -> str:
    """The numbers that a row of these tables needs, in words: to be reported of an unknown core."""
    if "CPU part" in cpuinfo:
        return f"implementer {cpuinfo.get('CPU implementer')} part {cpuinfo['CPU part']}"
    words = [cpuinfo.get("vendor_id", "")]
    for word, key in (("family", "cpu family"), ("model", "model"), ("stepping", "stepping")):
        if key in cpuinfo:
            words.append(f"{word} {cpuinfo[key]}")
    return " ".join(words).strip()
