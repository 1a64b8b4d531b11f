"""The setup of a measurement: machine, commit and tools, without host names and
paths."""

import os
import pathlib
import re
import subprocess
import time

from cases import ROOT


def output(*words):
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout.strip()


def field(path, pattern):
    found = re.search(pattern, pathlib.Path(path).read_text(), re.M)
    return found[1].strip() if found else "unknown"


def machine():
    model = field("/proc/cpuinfo", r"^model name\s*:(.*)$")
    memory_kib = int(field("/proc/meminfo", r"^MemTotal:\s+(\d+)"))
    system = field("/etc/os-release", r'^PRETTY_NAME="(.*)"$')
    return (f"{len(os.sched_getaffinity(0))} cores of {model},"
            f" {memory_kib / 2**20:.0f} GiB, {system},"
            f" Linux {os.uname().release.split('-')[0]}")


def commit():
    """The commit of the tree; a source archive does not know its own."""
    if not (ROOT / ".git").exists():
        return "unknown"
    changed = output("git", "status", "--porcelain", "--untracked-files=no")
    return (output("git", "rev-parse", "--short=12", "HEAD")
            + (" with changes" if changed else ""))


def build_type(build):
    return field(f"{build}/CMakeCache.txt", r"^CMAKE_BUILD_TYPE:\w+=(.*)$")


def tools():
    redis = re.search(r"v=(\S+)", output("redis-server", "--version"))[1]
    return (f"g++ {output('g++', '-dumpfullversion')},"
            f" gRPC {output('pkg-config', '--modversion', 'grpc++')},"
            f" nghttp2 {output('pkg-config', '--modversion', 'libnghttp2')},"
            f" Redis {redis}")


def cores_text(cores):
    alone = ("a core of its own" if cores.redis_is_alone
             else "the load's core" if cores.redis in cores.load
             else "the servers' second core")
    return (f"a core for the server, {len(cores.load)} for the load, Redis on "
            + alone)


def describe(build, cores, options):
    """The facts that a reader needs to assess the figures, as (name, value)."""
    busy = os.getloadavg()[0]
    return [
        ("Machine", machine()),
        ("Commit", f"{commit()}, {build_type(build)}"),
        ("With", tools()),
        ("Cores", cores_text(cores)),
        ("Rounds", f"{options.rounds}, interleaved; each run"
                   f" {options.seconds:g} s after {options.warm_up:.2g} s to"
                   " warm up"),
        ("When", time.strftime("%Y-%m-%d", time.gmtime())
         + f"; load average at the start {busy:.1f}"),
    ]
