#!/usr/bin/env python3
"""Kafka's tools that move replicas and elect leaders do with three nodes of chronik what they do with three of Kafka:
the commands of cluster_tools.steps go to both, and their output is compared as tools_test.py compares it."""

import concurrent.futures
import json
import pathlib
import re
import shutil
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
    limit = time.monotonic() + UNTIL_LIMIT
    while True:
        output = tools_test.run_step(step, cluster)
        if step.until is None or re.search(step.until, output) or time.monotonic() > limit:
            return output


def main():
    brokers.install_kafka()
    failed = []
    directory = pathlib.Path(tempfile.mkdtemp(prefix="chronik-test-"))
    both = clusters.ChronikCluster(), clusters.KafkaCluster()
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda cluster: cluster.start(), both))
            for cluster in both:
                cluster.tools = directory / cluster.name
                cluster.tools.mkdir()
                cluster.files = {name: cluster.tools / f"{name}.json" for name in FILES}
                for name, text in FILES.items():
                    cluster.files[name].write_text(text)
            for step in tools_test.all_steps("cluster_tools.steps"):
                begin = time.monotonic()
                ours, theirs = pool.map(run, (step, step), both)
                found = tools_test.differences(step, ours, theirs)
                took = f"{time.monotonic() - begin:4.1f} s"
                print(f"{'differs' if found else 'same   '} {took}  {step.name}: {step.command}"[:120], flush=True)
                for line in found:
                    print(f"    {line}")
                failed += [step.name] if found else []
    finally:
        for cluster in both:
            cluster.remove()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{len(failed)} steps differ" + (": " + ", ".join(failed) if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
