"""scenario.md as far as kcat goes (librdkafka 2.0.2 of Debian). It makes a topic by using it, and shows no assignment:
two members read side by side, leave with their offsets committed, and later members get only what came after that."""

import selectors
import subprocess
import sys
import time

BOOTSTRAP, TOPIC, PARTITIONS, EACH = sys.argv[1], "scenario", 6, 300
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PATIENCE = 60


def kcat(*arguments, stdin=None):
    command = ["kcat", "-b", BOOTSTRAP, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def produce(prefix, *more):
    lines = "".join(f"k{i % 10}|{prefix}:{i}\n" for i in range(EACH))
    kcat("-P", "-t", TOPIC, "-K", "|", "-X", "enable.idempotence=true", *more, stdin=lines)


def consume_in_group(count):
    """What two members read, until it is `count` different records or the time is over."""
    command = [
        "kcat",
        "-b",
        BOOTSTRAP,
        "-q",
        "-u",
        "-f",
        "%s\n",
        "-X",
        "auto.offset.reset=earliest",
        "-G",
        "g",
        TOPIC,
    ]
    members = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    seen, deadline, selector = set(), time.monotonic() + PATIENCE, selectors.DefaultSelector()
    rest = {m.stdout: b"" for m in members}
    for out in rest:
        selector.register(out, selectors.EVENT_READ)
    while len(seen) < count and time.monotonic() < deadline:
        for key, _ in selector.select(1):
            *lines, rest[key.fileobj] = (rest[key.fileobj] + key.fileobj.read1()).split(b"\n")
            seen.update(lines)
    for member in members:
        member.terminate()
        member.wait(PATIENCE)
    return seen


def check_all(total):
    last, seen = {}, 0
    for line in kcat("-C", "-t", TOPIC, "-o", "beginning", "-e", "-q", "-f", "%k %s\n").splitlines():
        key, value = line.split()
        prefix, number = value.split(":")
        assert last.get((key, prefix), -1) < int(number), f"{value} after {last[key, prefix]}"
        last[key, prefix] = int(number)
        seen += 1
    assert seen == total, f"{seen} records, not {total}"


def main():
    for codec in CODECS:
        produce(codec, "-z", codec)
    seen = consume_in_group(EACH * len(CODECS))
    assert len(seen) == EACH * len(CODECS), f"{len(seen)} read"
    print("RESTART", flush=True)
    sys.stdin.readline()
    produce("after")
    seen = consume_in_group(EACH)
    assert len(seen) == EACH, f"{len(seen)} read after the restart: {sorted(seen)[:5]}"
    check_all(EACH * (len(CODECS) + 1))
    print("OK", EACH * (len(CODECS) + 1))


main()
