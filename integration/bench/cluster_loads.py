"""The loads on three nodes. Each takes a started cluster (clusters.py) and gives the figures of one run as a dict."""

import collections
import itertools
import selectors
import subprocess
import time

import machine
import wire

CONNECTIONS = 16  # each with one request in flight
TOPIC = "commits"
_names = itertools.count()


def connect(node):
    return wire.Connection(node.host, node.port)


class Lane:
    """A connection with one request in flight."""

    def __init__(self, node, requests, check):
        self.connection, self.requests, self.check = connect(node), requests, check

    def send(self):
        self.sent = time.monotonic()
        self.connection.send(*next(self.requests))

    def receive(self):
        self.check(self.connection.receive())
        return time.monotonic() - self.sent


def closed_loop(lanes, seconds):
    """Every answer is followed by the next request, until the time is over. The latencies, and the seconds."""
    latencies, waiting = [], selectors.DefaultSelector()
    begin = time.monotonic()
    for lane in lanes:
        waiting.register(lane.connection.socket, selectors.EVENT_READ, lane)
        lane.send()
    while waiting.get_map():
        for key, _ in waiting.select():
            latencies.append(key.data.receive())
            if time.monotonic() - begin < seconds:
                key.data.send()
            else:
                waiting.unregister(key.fileobj)
    elapsed = time.monotonic() - begin
    for lane in lanes:
        lane.connection.close()
    return sorted(latencies), elapsed


def run(cluster, lanes, seconds):
    machine.settle()
    before = sum(machine.cpu_seconds(node.pid) for node in cluster.nodes)
    latencies, elapsed = closed_loop(lanes, seconds)
    used = sum(machine.cpu_seconds(node.pid) for node in cluster.nodes) - before
    return {
        "per_s": round(len(latencies) / elapsed),
        "median_ms": round(latencies[len(latencies) // 2] * 1000, 2),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 2),
        "cpu_us_each": round(used / len(latencies) * 1e6),
    }


# -- CreateTopics: one topic a request.


def creations(made):
    while True:
        name = f"topic-{next(_names)}"
        made.append(name)
        yield wire.CREATE_TOPICS, 4, wire.create_topics_body({name: 1})


def check_creation(answer):
    if errors := wire.create_topics_errors(answer):
        raise RuntimeError(f"create: {errors}")


def create_topics(cluster, scale, nodes):
    made = []
    lanes = [Lane(nodes[i % len(nodes)], creations(made), check_creation) for i in range(CONNECTIONS)]
    figures = run(cluster, lanes, 10 * scale)
    connection = connect(cluster.nodes[0])
    for first in range(0, len(made), 500):
        connection.delete_topics(made[first : first + 500])
    connection.close()
    return figures


def create_topics_one(cluster, scale):
    return create_topics(cluster, scale, cluster.nodes[:1])


def create_topics_all(cluster, scale):
    return create_topics(cluster, scale, cluster.nodes)


# -- OffsetCommit: one partition a request; each connection has a group of its own and goes to its coordinator.


def coordinator_of(cluster, group):
    deadline = time.monotonic() + 60
    while True:
        connection = connect(cluster.nodes[0])
        error, host, port = connection.find_coordinator(group)
        connection.close()
        if error == 0:
            return next(node for node in cluster.nodes if (node.host, node.port) == (host, port))
        if time.monotonic() > deadline:
            raise RuntimeError(f"no coordinator of {group}: error {error}")
        time.sleep(0.05)


def make_topic(cluster):
    """Seen by all nodes."""
    connection = connect(cluster.nodes[0])
    connection.create_topics({TOPIC: 1})
    connection.close()


def commits(group):
    for offset in itertools.count():
        yield wire.OFFSET_COMMIT, 2, wire.offset_commit_body(group, TOPIC, 0, offset)


def check_commit(answer):
    if error := wire.offset_commit_error(answer):
        raise RuntimeError(f"commit: error {error}")


def groups(cluster, together):
    """(group, coordinator), CONNECTIONS of them. `together`: all with the coordinator that has the most of them."""
    make_topic(cluster)
    found = collections.defaultdict(list)
    for number in itertools.count():
        group = f"group-{number}"
        found[coordinator_of(cluster, group)].append(group)
        if together:
            node, most = max(found.items(), key=lambda item: len(item[1]))
            if len(most) == CONNECTIONS:
                return [(group, node) for group in most]
        elif number + 1 == CONNECTIONS:
            return [(group, node) for node, some in found.items() for group in some]


def commit_lanes(cluster, together):
    lanes = [Lane(node, commits(group), check_commit) for group, node in groups(cluster, together)]
    for lane in lanes:  # the first commit of a coordinator may find it loading
        deadline = time.monotonic() + 60
        while wire.offset_commit_error(lane.connection.call(*next(lane.requests))) != 0:
            if time.monotonic() > deadline:
                raise RuntimeError("a group takes no commit")
            time.sleep(0.05)
    return lanes


def offset_commit_one(cluster, scale):
    return run(cluster, commit_lanes(cluster, True), 10 * scale)


def offset_commit_all(cluster, scale):
    return run(cluster, commit_lanes(cluster, False), 10 * scale)


# -- What it costs the disk and the network.


def syncs(cluster, _scale, seconds=3):
    """Of one commit on each node, with one commit at a time and with CONNECTIONS of them."""
    figures = {}
    for count, name in ((1, "alone"), (CONNECTIONS, f"of_{CONNECTIONS}")):
        lanes = commit_lanes(cluster, True)[:count]
        counters = [machine.SyncCounter(node.pid) for node in cluster.nodes]
        latencies, _ = closed_loop(lanes, seconds)
        for number, counter in enumerate(counters, 1):
            figures[f"node{number}_{name}"] = round(counter.count() / len(latencies), 2)
    return figures


def segments(cluster):
    """Segments with data that were sent so far over the connections between the nodes."""
    said = subprocess.run(["ss", "-tinH", "state", "established"], capture_output=True, text=True, check=True).stdout
    total, wanted = 0, False
    for line in said.splitlines():
        words = line.split()
        if not line.startswith(("\t", " ")) or len(words) == 4:
            ends = {word.replace("[::ffff:", "").replace("]", "") for word in words[2:4]}
            wanted = bool(ends & cluster.between)
        elif wanted:
            total += sum(int(word.split(":")[1]) for word in words if word.startswith("data_segs_out:"))
    return total


def idle(cluster, _scale, seconds=20):
    time.sleep(5)
    before = [machine.cpu_seconds(node.pid) for node in cluster.nodes]
    sent = segments(cluster)
    time.sleep(seconds)
    sent = segments(cluster) - sent
    used = [machine.cpu_seconds(node.pid) - cpu for node, cpu in zip(cluster.nodes, before)]
    return {
        "messages_per_s": round(sent / seconds, 1),
        "cpu_percent_max": round(max(used) / seconds * 100, 2),
        "rss_mb_max": round(max(machine.rss_kib(node.pid) for node in cluster.nodes) / 1024, 1),
    }
