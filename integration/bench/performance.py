"""rdkafka_performance, the example program of librdkafka: one run, and the figures it prints."""

import os
import pathlib
import re
import resource
import subprocess

import brokers

VERSION = "v2.15.0"
PRODUCED = re.compile(r"(\d+) delivered \(offset -?\d+, (\d+) failed\) in (\d+)ms: \d+ msgs/s and ([\d.]+) MB/s")
CONSUMED = re.compile(r"(\d+) messages \(\d+ bytes\) consumed in (\d+)ms: \d+ msgs/s \(([\d.]+) MB/s\)")


def program():
    """Built from $LIBRDKAFKA (a checkout), or from a clone in build/librdkafka."""
    source = pathlib.Path(os.environ.get("LIBRDKAFKA", brokers.ROOT / "build/librdkafka"))
    built = source / "build/examples/rdkafka_performance"
    if built.exists():
        return str(built)
    if not source.exists():
        url = "https://github.com/confluentinc/librdkafka"
        done = subprocess.run(["git", "clone", "-q", "--depth", "1", "-b", VERSION, url, str(source)])
        brokers.require(
            done.returncode == 0, f"librdkafka cannot be cloned: set LIBRDKAFKA to a checkout of {VERSION}"
        )
    options = [
        "-DCMAKE_BUILD_TYPE=Release",
        "-DRDKAFKA_BUILD_TESTS=OFF",
        "-DRDKAFKA_BUILD_EXAMPLES=ON",
        "-DWITH_CURL=OFF",
        "-DWITH_SASL=OFF",
        "-DWITH_ZSTD=ON",
    ]
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    subprocess.run(["cmake", "-S", source, "-B", source / "build", "-G", "Ninja", *options], **quiet)
    subprocess.run(["ninja", "-C", source / "build", "rdkafka_performance"], **quiet)
    return str(built)


def _run(arguments, pattern, limit):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True, timeout=limit)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = list(pattern.finditer(done.stdout))
    if done.returncode != 0 or not found:
        raise RuntimeError(
            f"rdkafka_performance: status {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}"
        )
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found[-1], cpu


def produce(bootstrap, topic, count, size, properties, limit=600, rate=None):
    """(records, seconds, client CPU seconds). `rate`: records a second; as many as it can by default."""
    settings = [word for name, value in properties.items() for word in ("-X", f"{name}={value}")]
    match, cpu = _run(
        ["-P", "-t", topic, "-b", bootstrap, "-s", size, "-c", count, "-a", -1, "-i", 3600000, *settings]
        + (["-r", rate] if rate else []),
        PRODUCED,
        limit,
    )
    if int(match[1]) != count:
        raise RuntimeError(f"{match[2]} of {count} records failed")
    return count, int(match[3]) / 1000, cpu


def consume(bootstrap, topic, count, group, limit=600):
    match, cpu = _run(
        [
            "-G",
            group,
            "-t",
            topic,
            "-b",
            bootstrap,
            "-c",
            count,
            "-o",
            "beginning",
            "-i",
            3600000,
            "-X",
            "auto.offset.reset=earliest",
            "-X",
            "enable.auto.commit=false",
        ],
        CONSUMED,
        limit,
    )
    return int(match[1]), int(match[2]) / 1000, cpu
