#!/usr/bin/env python3
"""Rooms include only what lies to their left (ARCHITECTURE.md), and the few headers that one room may not see.

A place is a folder or a file of the tree; a file belongs to the longest place that matches. A file may include a place
of a lower rank, and its own place; places of the same rank do not see each other.
"""

import re
import sys

import tree

# In order; one row is one rank. broker/ is split further, since it is the room with the most doors.
ORDER = [
    ["base"],
    ["raft/core"],
    ["protocol"],
    ["wal"],
    ["raft"],
    ["metadata"],
    ["broker/messages"],
    ["broker/runtime", "broker/settings"],
    ["broker/partition"],
    ["broker/group", "broker/txn", "broker/quota"],
    ["broker/broker.h", "broker/broker.cc"],
    ["broker/api"],
    ["broker/net"],
    ["broker"],
    ["integration"],
]
RANK = {place: rank for rank, row in enumerate(ORDER) for place in row}
RANK["broker/broker.cc"] = RANK["broker/broker.h"]
PAIRS = {"broker/broker.cc": "broker/broker.h"}

# (which files, which headers they may not name, why)
OPERATING_SYSTEM = r"<(fstream|filesystem|unistd\.h|fcntl\.h|sys/[a-z_]+\.h|linux/[a-z_]+\.h)>"
BANS = [
    (r"(?!broker/(runtime|net)/)", r"<boost/asio", "Asio is named only in broker/runtime and broker/net"),
    (
        r"(protocol|wal|raft|metadata|broker/(partition|group|txn|quota|api))/(?!.*_(test|bench|fuzz|main)\.cc$)",
        OPERATING_SYSTEM,
        "storage is reached through base/file.h, the system through base/ and broker/runtime",
    ),
    (
        r"(raft/core|metadata)/(?!event_source|.*_(test|bench|fuzz)\.cc$)",  # event_source makes events for tests
        r'<(chrono|ctime|time\.h|random|thread|mutex|condition_variable)>|"base/(clock|random|posix_disk)\.h"',
        "decisions are pure: time and random are handed in as values",
    ),
    (
        r"(base|protocol|wal|raft|metadata|broker)/(?!.*_(test|bench|fuzz)\.cc$)",
        r"<(gtest|gmock|benchmark)/",
        "tests stay in tests",
    ),
    (r"(?!integration/)", r"<librdkafka/", "client libraries are for integration/"),
]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"][^>"\n]+[>"])', re.M)


def place_of(path):
    """The longest place that `path` lies in, or None for what is not ours."""
    parts = path.split("/")
    for length in range(len(parts), 0, -1):
        place = "/".join(parts[:length])
        if place in RANK:
            return PAIRS.get(place, place)
    return None


def check(path, text):
    problems = []
    here = place_of(path)
    if here is None:
        return [f"{path}: in no room; the rooms are {' < '.join(tree.ROOMS)}"]
    for match in INCLUDE.finditer(text):
        name = match.group(1)
        line = text.count("\n", 0, match.start()) + 1
        for files, headers, why in BANS:
            if re.match(files, path) and re.match(headers, name):
                problems.append(f"{path}:{line}: {name}: {why}")
        if name[0] != '"':
            continue
        there = place_of(name[1:-1])
        if there is None:
            problems.append(f"{path}:{line}: {name}: name it from the root of the tree")
        elif there != here and RANK[there] >= RANK[here]:
            problems.append(f"{path}:{line}: {name}: {here} comes before {there} and may not include it")
        if here == "raft/core" and there not in ("raft/core", "base"):
            problems.append(f"{path}:{line}: {name}: raft/core includes only base")
        if here == "protocol" and there == "raft/core":
            problems.append(f"{path}:{line}: {name}: protocol includes only base")
        if here == "wal" and there == "raft/core":
            problems.append(f"{path}:{line}: {name}: wal knows no Raft")
    if path.endswith(".h") and not re.search(r"^#pragma once$", text, re.M):
        problems.append(f"{path}: no #pragma once")
    return problems


def main():
    return tree.report([p for path in tree.sources() for p in check(path, tree.read(path))], "include order")


if __name__ == "__main__":
    sys.exit(main())
