"""What the operating system knows: CPU time and memory of a process, the machine, and a quiet start for a run."""

import mmap
import os
import pathlib
import platform
import re
import signal
import subprocess
import tempfile
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


SYNCS = ("fsync", "fdatasync", "syncfs", "msync")


class SyncCounter:
    """Counts the syncs of a process, in the kernel: traced, it is so much slower that it makes fewer."""

    def __init__(self, pid):
        commands, to_perf = os.pipe()
        from_perf, answers = os.pipe()
        self.control = os.fdopen(to_perf, "w")
        calls = ",".join(f"syscalls:sys_enter_{name}" for name in SYNCS)
        self.process = subprocess.Popen(
            ["perf", "stat", "-x", ",", "-e", calls, "-p", str(pid), "--delay", "-1"]
            + ["--control", f"fd:{commands},{answers}"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(commands)
        os.close(answers)
        self.control.write("enable\n")
        self.control.flush()
        with os.fdopen(from_perf) as said:
            if not said.readline().startswith("ack"):
                raise RuntimeError(f"perf stat may not count (is this root?): {self.process.communicate()[1][-300:]}")

    def count(self):
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate()[1]
        self.control.close()
        counted = re.findall(r"^(\d+),[^,]*,syscalls:sys_enter_", said, re.MULTILINE)
        if len(counted) != len(SYNCS):
            raise RuntimeError(f"perf stat: {said[-300:]}")
        return sum(map(int, counted))


_ballast = None  # a file of holes, whose pages are in the page cache


def memory_free():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemFree:"):
            return int(line.split()[1]) << 10
    return 0


def settle(left_free=768 << 20):
    """Before each run: dirty pages go to the disk, and the memory that is free is taken for the page cache, by reading
    holes. A hypervisor takes free memory back, and its next touch costs ten times what a copy into it does; what a run
    needs is now taken from the page cache, as on a machine that has been up for a while."""
    global _ballast
    os.sync()
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 26 << 26
    if _ballast is None:
        _ballast = tempfile.TemporaryFile(dir="/var/tmp")  # not where holes are memory, as in /dev/shm
        _ballast.truncate(size)
    step = 64 << 20
    for at in range(0, size, step):
        if memory_free() < left_free:
            return
        populated = mmap.MAP_SHARED | mmap.MAP_POPULATE
        mmap.mmap(_ballast.fileno(), step, flags=populated, prot=mmap.PROT_READ, offset=at).close()


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
