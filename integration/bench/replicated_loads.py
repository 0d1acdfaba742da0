"""Loads on three nodes whose partitions have a replica on each of them: what is written per second, and for how long
nothing is acknowledged when the node that leads is gone."""

import collections
import itertools
import os
import random
import re
import selectors
import signal
import socket
import statistics
import subprocess
import time

import brokers
import cluster_loads
import machine
import performance
import wire

REPLICAS = 3
TOPIC = "replicated"
_names = itertools.count()


def connect(node, timeout=120):
    return wire.Connection(node.host, node.port, timeout)


def fresh_topic(cluster, partitions):
    """All replicas in sync, as every node says; a topic of its own, since a deleted one is still being removed."""
    name = f"{TOPIC}-{next(_names)}"
    connection = connect(cluster.nodes[0])
    if errors := connection.create_topics({name: partitions}, replication=REPLICAS):
        raise RuntimeError(f"create {name}: {errors}")
    connection.close()
    wait_until_whole(cluster, name, partitions)
    return name


def delete_topics(cluster, names):
    connection = connect(cluster.nodes[0])
    connection.delete_topics(names)
    connection.close()


def is_whole(node, name, partitions):
    try:
        connection = connect(node)
        found = connection.partitions(name)
        connection.close()
    except OSError:
        return False
    return len(found) == partitions and all(
        leader > 0 and len(in_sync) == REPLICAS for leader, in_sync in found
    )


def wait_until_whole(cluster, name, partitions, limit=120):
    deadline = time.monotonic() + limit
    for node in cluster.nodes:
        while not is_whole(node, name, partitions):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name}: the replicas are not in sync after {limit} s")
            time.sleep(0.05)


# -- Produce, acks=all.


def produce(cluster, scale, partitions, count, size, **properties):
    properties = {name.replace("_", "."): value for name, value in properties.items()}
    name = fresh_topic(cluster, partitions)
    count = max(1000, int(count * scale))
    machine.settle()
    before = sum(machine.cpu_seconds(node.pid) for node in cluster.nodes)
    records, seconds, client = performance.produce(cluster.bootstrap, name, count, size, properties)
    used = sum(machine.cpu_seconds(node.pid) for node in cluster.nodes) - before
    delete_topics(cluster, [name])
    gigabytes = records * size / 1e9
    return {
        "mb_per_s": round(records * size / seconds / 1e6, 1),
        "records_per_s": round(records / seconds),
        "cpu_s_per_gb": round(used / gigabytes, 3),
        "cpu_us_per_record": round(used / records * 1e6, 2),
        "client_cpu_s_per_gb": round(client / gigabytes, 3),
        "seconds": round(seconds, 2),
    }


def produce_1k(cluster, scale):
    return produce(cluster, scale, 12, 1_000_000, 1024, linger_ms=5)


def produce_single(cluster, scale):
    return produce(cluster, scale, 12, 50_000, 100, linger_ms=0, batch_num_messages=1)


def produce_1000_partitions(cluster, scale):
    return produce(cluster, scale, 1000, 500_000, 1024, linger_ms=5, sticky_partitioning_linger_ms=0)


def spread(cluster, scale):
    """In turns, so that the ratio is of one and the same hour."""
    few, many = produce_1k(cluster, scale), produce_1000_partitions(cluster, scale)
    return {
        "mb_per_s_12": few["mb_per_s"],
        "mb_per_s_1000": many["mb_per_s"],
        "ratio_1000_to_12": round(many["mb_per_s"] / few["mb_per_s"], 2),
    }


# Requests a second. That leaves two cores room: where they have none, a round waits for a core, and the longer it takes
# the more requests share its sync.
SYNCS_RATE = 3_000
SYNCS_SECONDS = 15
SYNCS_PARTITIONS = (12, 100, 1000)


NOT_LEADER = 6


class Spread:
    """Requests of one record of 1 KiB, made beforehand, each to the node that leads its partition."""

    def __init__(self, cluster, topic):
        self.topic, self.batch = topic, wire.batch(b"x" * 1024)
        self.asked = connect(cluster.nodes[0])
        self.connections = {number: connect(node) for number, node in enumerate(cluster.nodes, 1)}
        self.waiting = {connection: collections.deque() for connection in self.connections.values()}
        self.answers = selectors.DefaultSelector()
        for connection in self.waiting:
            self.answers.register(connection.socket, selectors.EVENT_READ, connection)
        self.look_up()

    def look_up(self):
        seconds_until(self.knows_leaders, f"{self.topic}: each partition has a leader")

    def knows_leaders(self):
        self.leaders = [leader for leader, _ in self.asked.partitions(self.topic)]
        return all(leader in self.connections for leader in self.leaders)

    def send(self, number):
        partition = number % len(self.leaders)
        connection = self.connections[self.leaders[partition]]
        body = wire.produce_head(self.topic, partition, len(self.batch)) + self.batch
        self.waiting[connection].append(partition)
        connection.send(wire.PRODUCE, 3, body)

    def receive(self, wait):
        """How many were acknowledged. Who leads now is asked again where a node does not any more."""
        acknowledged = 0
        for key, _ in self.answers.select(wait):
            error = wire.produce_error(key.data.receive(), self.topic)
            partition = self.waiting[key.data].popleft()
            if error == NOT_LEADER:
                self.look_up()
                self.send(partition)
            elif error:
                raise RuntimeError(f"produce: error {error}")
            acknowledged += not error
        return acknowledged

    def close(self):
        for connection in (self.asked, *self.waiting):
            connection.close()


def send_at_random(cluster, topic, rate, count):
    """Requests to one partition after the other that come independently of each other, as from many clients, and at the
    same times in each run. The seconds until all were acknowledged."""
    spread, gaps = Spread(cluster, topic), random.Random(1)
    sent = acknowledged = 0
    due = begin = time.monotonic()
    limit = begin + 10 * count / rate + 60
    while acknowledged < count:
        if time.monotonic() > limit:
            raise RuntimeError(f"{topic}: {acknowledged} of {count} were acknowledged in time")
        wait = due - time.monotonic() if sent < count else 1
        if wait <= 0:
            spread.send(sent)
            sent, due = sent + 1, due + gaps.expovariate(rate)
        else:
            acknowledged += spread.receive(wait)
    spread.close()
    return time.monotonic() - begin


def syncs_by_partitions(cluster, scale):
    """Syncs of all nodes in a second, with the same requests over a few partitions and over many."""
    figures = {}
    count = int(SYNCS_RATE * SYNCS_SECONDS * scale)
    for partitions in SYNCS_PARTITIONS:
        name = fresh_topic(cluster, partitions)
        machine.settle()
        counters = [machine.SyncCounter(node.pid) for node in cluster.nodes]
        seconds = send_at_random(cluster, name, SYNCS_RATE, count)
        figures[f"per_s_{partitions}"] = round(sum(counter.count() for counter in counters) / seconds)
        figures[f"requests_per_s_{partitions}"] = round(count / seconds)
        delete_topics(cluster, [name])
    few, *many = (figures[f"per_s_{partitions}"] for partitions in SYNCS_PARTITIONS)
    # Kafka syncs next to nothing.
    figures["most_times_as_many"] = round(max(many) / max(few, 1), 2)
    figures["least_times_as_many"] = round(min(many) / max(few, 1), 2)
    return figures


# Records of 1 KiB a second: half of what three nodes of Kafka take at most (produce_1k) on the machine of README.md.
# Half of that gives the same picture.
LATENCY_RATE = 60_000
LATENCY = re.compile(r"([\d.]+) ms 50th, \d+ ms 95th, (\d+) ms 99th, (\d+) ms 99\.9th")


def latency(cluster, scale):
    """What a producer waits for its acknowledgements that writes at an even pace: Kafka's own, with its defaults."""
    name = fresh_topic(cluster, 12)
    machine.settle()
    warm, count = LATENCY_RATE * 5, int(LATENCY_RATE * 20 * scale)
    arguments = ["--topic", name, "--record-size", 1024, "--throughput", LATENCY_RATE]
    arguments += ["--num-records", warm + count, "--warmup-records", warm]
    arguments += ["--bootstrap-server", cluster.bootstrap, "--command-property", "acks=all"]
    done = brokers.kafka_tool("tool", "producer-perf", *arguments, capture_output=True, text=True, check=True)
    found = list(LATENCY.finditer(done.stdout))
    delete_topics(cluster, [name])
    if not found:
        raise RuntimeError(f"producer-perf: {done.stdout[-500:]} {done.stderr[-500:]}")
    return {f"{name}_ms": float(value) for name, value in zip(("p50", "p99", "p999"), found[-1].groups())}


# -- Ten thousand partitions: what they cost while nothing is written, and how long they are without a leader.


def leaderless(asked, names, gone):
    """How many partitions have no leader, or the one that is gone."""
    connection = connect(asked)
    found = [leader for name in names for leader, _ in connection.partitions(name)]
    connection.close()
    return sum(leader in (-1, gone) for leader in found)


def seconds_until(is_so, what, limit=120):
    begin = time.monotonic()
    while not is_so():
        if time.monotonic() - begin > limit:
            raise RuntimeError(f"{what}: not after {limit} s")
        time.sleep(0.01)
    return time.monotonic() - begin


def wait_until_idle(cluster, limit=180):
    """Until the checkpoints of new logs, ten seconds behind their last record, are written."""
    deadline = time.monotonic() + limit
    time.sleep(12)
    while True:
        before = [machine.cpu_seconds(node.pid) for node in cluster.nodes]
        time.sleep(5)
        used = max(machine.cpu_seconds(node.pid) - cpu for node, cpu in zip(cluster.nodes, before))
        if used / 5 < 0.02 or time.monotonic() > deadline:
            return


def many_partitions(cluster, scale, idle_seconds=20, each=1000):
    topics = max(1, int(min(cluster.partitions_max, 10_000 * scale) / each))
    begin = time.monotonic()
    names = [fresh_topic(cluster, each) for _ in range(topics)]
    created = time.monotonic() - begin
    wait_until_idle(cluster)
    before = [machine.cpu_seconds(node.pid) for node in cluster.nodes]
    sent = cluster_loads.segments(cluster)
    time.sleep(idle_seconds)
    used = [machine.cpu_seconds(node.pid) - cpu for node, cpu in zip(cluster.nodes, before)]
    sent = cluster_loads.segments(cluster) - sent
    memory = max(machine.rss_kib(node.pid) for node in cluster.nodes)
    victim, others = cluster.nodes[2], cluster.nodes[:2]
    victim.kill()
    failover = seconds_until(lambda: not any(leaderless(node, names, 3) for node in others), "new leaders")
    victim.start()
    begin = time.monotonic()
    for name in names:
        wait_until_whole(cluster, name, each)
    whole = time.monotonic() - begin
    delete_topics(cluster, names)
    return {
        "partitions": topics * each,
        "create_s": round(created, 2),
        "idle_cpu_percent_max": round(max(used) / idle_seconds * 100, 2),
        "messages_per_s": round(sent / idle_seconds, 1),
        "rss_mb_max": round(memory / 1024, 1),
        "failover_s": round(failover, 2),
        "whole_again_s": round(whole, 2),
    }


# -- Failover.


class AckMeter:
    """integration/bench/ack_meter_main.cc: a producer at 1,000 records a second."""

    def __init__(self, cluster, topic):
        program = brokers.ROOT / "build/release/ack_meter"
        # Which node a client comes to first is not always the one that leads.
        bootstrap = ",".join(random.sample([node.bootstrap for node in cluster.nodes], len(cluster.nodes)))
        command = [program, "--bootstrap", bootstrap, "--topic", topic]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith("-"):
            raise RuntimeError(f"ack_meter: {command}: {answer or 'it ended'}")
        return answer

    def end(self):
        return float(self.ask("end"))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def leader(cluster, name):
    connection = connect(cluster.nodes[0])
    found = connection.partitions(name)[0][0]
    connection.close()
    return cluster.nodes[found - 1]


def longest_pause(cluster, name, act):
    """Milliseconds. The client is a new one each time: one that has just lost a node again and again waits for seconds
    before it connects to it once more."""
    wait_until_whole(cluster, name, 1)
    node = None
    meter = AckMeter(cluster, name)
    try:
        meter.end()  # it writes
        # What the client does once a second shall not come at one and the same time in all runs.
        time.sleep(1 + random.random())
        # Not before: the leader that is preferred may have taken the partition back meanwhile.
        node = leader(cluster, name)
        meter.ask("begin")
        act(node)
        return meter.end()
    finally:
        meter.close()
        if node is not None:
            node.start()


def replaced_after(cluster, name):
    """Milliseconds from the SIGSTOP of the node that leads to the first record that another one acknowledges, to
    clients that know nothing yet and ask the other nodes."""
    wait_until_whole(cluster, name, 1)
    stopped = leader(cluster, name)
    number = cluster.nodes.index(stopped) + 1
    others = itertools.cycle(node for node in cluster.nodes if node is not stopped)
    os.kill(stopped.pid, signal.SIGSTOP)
    begin = time.monotonic()
    try:
        while not takes_record(cluster, next(others), name, number):
            if time.monotonic() - begin > 60:
                raise RuntimeError("nobody replaces a node that was stopped")
        return (time.monotonic() - begin) * 1000
    finally:
        os.kill(stopped.pid, signal.SIGCONT)


def takes_record(cluster, asked, name, stopped):
    """Whether the leader that `asked` names acknowledges a record."""
    try:
        connection = connect(asked, timeout=1)
        found = connection.partitions(name)
        connection.close()
        if not found or found[0][0] in (-1, stopped):
            time.sleep(0.005)
            return False
        connection = connect(cluster.nodes[found[0][0] - 1], timeout=1)
        error = connection.produce(name, 0, b"fresh")
        connection.close()
        return error == 0
    except (OSError, socket.timeout):
        return False


def percentile(values, percent):
    return sorted(values)[(len(values) * percent + 99) // 100 - 1]


def failover(cluster, scale):
    """The longest pauses that a producer sees at kill -9 and at a clean stop of the node that leads, and when a paused
    one is replaced."""
    count = min(cluster.failovers_max, max(1, int(20 * scale)))
    name = fresh_topic(cluster, 1)
    kinds = {
        "kill": lambda: longest_pause(cluster, name, lambda node: node.kill()),
        "stop": lambda: longest_pause(cluster, name, lambda node: node.stop()),
        "pause": lambda: replaced_after(cluster, name),
    }
    figures = {"times_each": count}
    for kind, measure in kinds.items():
        pauses = [measure() for _ in range(count)]
        figures[f"{kind}_median_ms"] = round(statistics.median(pauses), 1)
        figures[f"{kind}_p99_ms"] = round(percentile(pauses, 99), 1)
    return figures
