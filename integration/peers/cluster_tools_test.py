#!/usr/bin/env python3
"""Kafka's tools that move replicas, elect leaders and describe topics do with three nodes of chronik what they do with
three of Kafka: the commands of cluster_tools.steps go to one after the other, and their output is compared as
tools_test.py compares it. Six nodes at once would be too much for a small machine."""

import json
import pathlib
import re
import sys
import tempfile
import time

import brokers
import clusters
import tools_test

UNTIL_LIMIT = 90  # seconds, for a step that is repeated


def assignment(topic="moved", **replicas):
    """Of the partitions of the topic: p0=[1, 2] ..."""
    partitions = [{"topic": topic, "partition": int(name[1:]), "replicas": on} for name, on in replicas.items()]
    return json.dumps({"version": 1, "partitions": partitions})


FILES = {
    "MOVE_FILE": assignment(p0=[2, 3], p1=[3, 1]),
    "MORE_FILE": assignment(p0=[1, 2, 3]),
    "FEWER_FILE": assignment(p0=[2, 1]),
    "NOWHERE_FILE": assignment(p0=[1, 9]),
    "TWICE_FILE": assignment(p0=[1, 1]),
    "MISSING_FILE": assignment(p7=[1, 2]),
    "GROW_FILE": assignment("alone", p0=[1, 2, 3]),
    "SHRINK_FILE": assignment("alone", p0=[3]),
}


def run(step, cluster):
    """The output of the tool; of one that says how far something is, when it is done."""
    if step.command.startswith("node "):
        _, verb, number = step.command.split()
        getattr(cluster.nodes[int(number) - 1], verb)()
        return ""
    limit = time.monotonic() + UNTIL_LIMIT
    while True:
        output = tools_test.run_step(step, cluster)
        if step.until is None or re.search(step.until, output) or time.monotonic() > limit:
            return output


def outputs(steps, make, end):
    """What each step gave on a new cluster; the last one begins before `end`."""
    with tempfile.TemporaryDirectory(prefix="chronik-test-") as directory, make() as cluster:
        cluster.tools = pathlib.Path(directory)
        cluster.files = {name: cluster.tools / f"{name}.json" for name in FILES}
        for name, text in FILES.items():
            cluster.files[name].write_text(text)
        result = []
        for step in steps:
            begin = time.monotonic()
            if begin > end:
                raise SystemExit(f"not at the end after {tools_test.LIMIT} s: next would be '{step.name}'")
            result.append(run(step, cluster))
            print(f"{cluster.name} {time.monotonic() - begin:4.1f} s  {step.name}: {step.command}"[:120], flush=True)
        return result


def main():
    brokers.install_kafka()
    failed = []
    steps = tools_test.all_steps("cluster_tools.steps")
    end = time.monotonic() + tools_test.LIMIT
    theirs = outputs(steps, clusters.KafkaCluster, end)
    ours = outputs(steps, clusters.ChronikCluster, end)
    for step, our, their in zip(steps, ours, theirs):
        found = tools_test.differences(step, our, their)
        if found:
            print(f"differs: {step.name}: {step.command}")
            failed.append(step.name)
        for line in found:
            print(f"    {line}")
    print(f"{len(failed)} of {len(steps)} steps differ" + (": " + ", ".join(failed) if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
