"""What the operating system knows: CPU time and memory of a process, the machine, and a quiet start for a run."""

import os
import pathlib
import platform
import subprocess
import sys
import time

import brokers

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def status(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def rss_kib(pid):
    return status(pid, "VmRSS")


def wakeups(pid):
    """Voluntary switches of all threads: each is a thread that went to sleep and was woken."""
    return sum(
        status(f"{pid}/task/{task.name}", "voluntary_ctxt_switches")
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
    )


def settle():
    """Before each run: dirty pages go to the disk, and ~3 GB of memory are touched and released, so that the page
    cache grows into pages that the hypervisor already backs; else the first touch of guest memory is measured."""
    os.sync()
    subprocess.run([sys.executable, "-c", "b'x' * (3 << 30)"], check=True)


def describe(directory):
    """The machine, for the first line of a report."""
    info = dict(line.split(":", 1) for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=brokers.ROOT, capture_output=True, text=True
    )
    mount = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", str(directory)], capture_output=True, text=True)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": next((v.strip() for k, v in info.items() if k.startswith("model name")), "?"),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "filesystem": mount.stdout.strip(),
        "chronik": commit.stdout.strip(),
    }
