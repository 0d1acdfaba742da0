#!/usr/bin/env python3
"""Measures chronik and Apache Kafka in turns, with the same client on the same machine, and prints JSON lines: the
machine, each run, and per load the medians, their spread, the ratio and the targets. A line says how durable an
acknowledgement was. Kafka is ../shared/peers/kafka; the client is rdkafka_performance of librdkafka. To repeat it:
settle() in machine.py, and nothing else running meanwhile.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import brokers  # noqa: E402
import cluster_loads  # noqa: E402
import clusters  # noqa: E402
import loads  # noqa: E402
import machine  # noqa: E402
import replicated_loads  # noqa: E402

# Figure: (what it is compared with, most or least). x: of Kafka's; else absolute.
RUNNING = {
    "produce-1k": (loads.produce_1k, {"mb_per_s": (">= x", 1.3), "broker_cpu_s_per_gb": ("<= x", 0.5)}),
    "produce-100b": (loads.produce_100b, {"records_per_s": (">= x", 1.0), "broker_cpu_s_per_gb": ("<= x", 0.4)}),
    "produce-single": (
        loads.produce_single,
        {"records_per_s": (">= x", 3.0), "broker_cpu_us_per_record": ("<= x", 0.3)},
    ),
    "consume-1k": (loads.consume_1k, {"broker_cpu_s_per_gb": ("<= x", 0.6)}),
    "produce-1000-partitions": (loads.produce_1000_partitions, {"mb_per_s": (">= x", 1.4)}),
    "produce-spread": (loads.produce_spread, {"ratio_1000_to_12": (">=", 0.6)}),
    "produce-spread-made": (loads.produce_spread_made, {"ratio_1000_to_12": (">=", 0.6)}),
    "syncs-in-bulk": (loads.syncs_in_bulk, {"times_as_many": ("<=", 1.1)}),
}
STARTING = {
    "first-ack": (loads.first_ack, {"first_ack_ms": ("<=", 50)}),
    "idle": (
        loads.idle,
        {"idle_rss_mb": ("<=", 15), "idle_cpu_percent": ("<=", 0.2), "kib_per_idle_connection": ("<=", 8)},
    ),
    "many-topics": (loads.many_topics, {"create_s": ("<=", 2), "start_s": ("<=", 1), "rss_mb": ("<=", 100)}),
    "start-after-kill": (loads.start_after_kill, {"start_s": ("<=", 2)}),
}
# Of three nodes. What a commit costs the disk, and what idle nodes say, is the same in every run.
CLUSTER = {
    "cluster-create-topics-one": (cluster_loads.create_topics_one, {"per_s": (">= x", 1.0)}),
    "cluster-create-topics-all": (cluster_loads.create_topics_all, {"per_s": (">= x", 1.0)}),
    "cluster-offset-commit-one": (cluster_loads.offset_commit_one, {"per_s": (">= x", 1.0)}),
    "cluster-offset-commit-all": (cluster_loads.offset_commit_all, {"per_s": (">= x", 1.0)}),
    "cluster-syncs": (cluster_loads.syncs, {}),
    "cluster-idle": (cluster_loads.idle, {"cpu_percent_max": ("<=", 0.3)}),
    "cluster-produce-1k": (replicated_loads.produce_1k, {"mb_per_s": (">= x", 1.5), "cpu_s_per_gb": ("<= x", 0.6)}),
    "cluster-produce-single": (replicated_loads.produce_single, {"records_per_s": (">= x", 3.0)}),
    "cluster-produce-1000-partitions": (replicated_loads.produce_1000_partitions, {"mb_per_s": (">= x", 1.5)}),
    "cluster-spread": (replicated_loads.spread, {"ratio_1000_to_12": (">=", 0.6)}),
    "cluster-syncs-by-partitions": (
        replicated_loads.syncs_by_partitions,
        {"most_times_as_many": ("<=", 1.1), "least_times_as_many": (">=", 0.9)},
    ),
    "cluster-latency": (replicated_loads.latency, {"p99_ms": ("<= x", 1.0)}),
    "cluster-many-partitions": (
        replicated_loads.many_partitions,
        {"idle_cpu_percent_max": ("<=", 1), "rss_mb_max": ("<=", 120), "failover_s": ("<=", 3)},
    ),
    "cluster-failover": (
        replicated_loads.failover,
        {
            "kill_median_ms": ("<=", 300),
            "kill_p99_ms": ("<=", 1000),
            "stop_p99_ms": ("<=", 100),
            "pause_p99_ms": ("<=", 1500),
        },
    ),
}
LOADS = {**RUNNING, **STARTING, **CLUSTER}


class Chronik(brokers.Chronik):
    durability = "fdatasync before the acknowledgement"

    def prepare(self):
        self.settings_file()

    def spawn(self):
        self.launch()


class Kafka(brokers.Kafka):
    durability = "page cache (Kafka's default: no sync before the acknowledgement)"
    topics_per_request_max = 1000  # more are refused: POLICY_VIOLATION

    def prepare(self):
        """Formats the directory: not part of what is timed."""
        self.start()
        self.stop()

    def spawn(self):
        self.launch()


def say(**line):
    print(json.dumps(line), flush=True)


def turns(names, rounds):
    """A B, B A, A B ...: drift of the machine hits both alike."""
    for number in range(rounds):
        for name in (names if number % 2 == 0 else names[::-1]):
            yield number + 1, name


def summary(load, targets, runs):
    """`runs`: {broker: [figures]}. Medians and spread; ratios; whether the targets are reached."""
    line = {"load": load, "summary": {}}
    for broker, figures in runs.items():
        columns = {key: [f[key] for f in figures] for key in (figures[0] if figures else ())}
        line["summary"][broker] = {
            key: {"median": statistics.median(v), "min": min(v), "max": max(v)} for key, v in columns.items()
        }
    ours, theirs = line["summary"].get("chronik", {}), line["summary"].get("kafka", {})
    line["ratio"] = {
        key: round(ours[key]["median"] / theirs[key]["median"], 3)
        for key in ours
        if key in theirs and theirs[key]["median"]
    }
    line["targets"] = {}
    for key, (rule, limit) in targets.items():
        value = line["ratio"].get(key) if rule.endswith("x") else ours.get(key, {}).get("median")
        if value is not None:
            reached = value >= limit if rule.startswith(">=") else value <= limit
            line["targets"][key] = {"wanted": f"{rule} {limit}", "is": value, "reached": reached}
    say(**line)
    return all(target["reached"] for target in line["targets"].values())


def run_load(name, makers, options, started):
    work, targets = LOADS[name]
    runs = {broker: [] for broker in makers}
    for number, broker in turns(list(makers), options.rounds + (0 if name in STARTING else 1)):
        subject = makers[broker] if name in STARTING else started[broker]
        figures = work(subject, options.scale)
        warm_up = name not in STARTING and number == 1
        say(load=name, broker=broker, durability=makers[broker].durability, run=number, warm_up=warm_up, **figures)
        if not warm_up:
            runs[broker].append(figures)
    return summary(name, targets, runs)


def run_started(table, names, makers, options):
    """The loads of `table`, on brokers or clusters that all of them share."""
    names = [name for name in names if name in table]
    started, reached = {}, []
    try:
        for broker, maker in makers.items() if names else ():
            started[broker] = maker()
            started[broker].start()
        for name in names:
            reached.append(run_load(name, makers, options, started))
    finally:
        for broker in started.values():
            broker.remove()
    return reached


def main():
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "loads", nargs="*", metavar="load", help=f"of {', '.join(LOADS)}; all by default"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="runs of each load on each broker (and one to warm up); 5"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the records written; 0.1 for a quick look")
    parser.add_argument("--without-kafka", action="store_true", help="chronik alone")
    parser.add_argument(
        "--directory", default=tempfile.gettempdir(), help="where the data lies; the temporary folder"
    )
    options = parser.parse_args()
    tempfile.tempdir = options.directory
    names = options.loads or list(LOADS)
    for name in names:
        if name not in LOADS:
            parser.error(f"no load {name}")
    makers, cluster_makers = {"chronik": Chronik}, {"chronik": clusters.ChronikCluster}
    if not options.without_kafka:
        brokers.require_peers()
        makers["kafka"] = Kafka
        cluster_makers["kafka"] = clusters.KafkaCluster
    say(machine=machine.describe(options.directory), rounds=options.rounds, scale=options.scale)
    reached = run_started(RUNNING, names, makers, options)
    reached += run_started(CLUSTER, names, cluster_makers, options)
    for name in (n for n in names if n in STARTING):
        reached.append(run_load(name, makers, options, {}))
    say(targets_reached=all(reached))


if __name__ == "__main__":
    main()
