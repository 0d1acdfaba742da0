"""Three nodes that are one cluster: chronik's, and Apache Kafka's by ../shared/peers/kafka. Within `with` they run;
their directories go at its end unless something failed."""

import os
import pathlib
import shutil
import sys
import tempfile
import time

import brokers


class ChronikCluster:
    name = "chronik"
    durability = "fdatasync on a majority before the acknowledgement"
    failovers_max = partitions_max = 10_000

    def __init__(self, settings=None, settings_of=lambda number: {}):
        self.nodes = [
            brokers.Chronik({"node.id": str(number), **(settings or {}), **settings_of(number)}) for number in (1, 2, 3)
        ]
        members = ",".join(f"{node.settings['node.id']}@{node.host}:9192" for node in self.nodes)
        for node in self.nodes:
            node.settings |= {"cluster.nodes": members, "cluster.listeners": f"{node.host}:9192"}
        self.between = {f"{node.host}:9192" for node in self.nodes}  # where the nodes listen for one another

    def start(self):
        begin = time.monotonic()
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            while not brokers.answers(node.host, node.port):
                if node.process.poll() is not None or time.monotonic() - begin > 60:
                    raise RuntimeError(f"a node does not start: see {node.directory}/broker.log")
                time.sleep(0.001)
        return time.monotonic() - begin

    @property
    def bootstrap(self):
        return ",".join(node.bootstrap for node in self.nodes)

    def must_live(self):
        """Ends the program when a node has ended by itself."""
        for node in self.nodes:
            node.must_live()

    def remove(self, keep=False):
        for node in self.nodes:
            node.remove(keep)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.remove(keep=kind is not None)


class KafkaNode:
    def __init__(self, cluster, number, port):
        self.cluster, self.directory, self.host, self.port = cluster, cluster.directory / str(number), "127.0.0.1", port
        self.bootstrap = f"{self.host}:{port}"

    @property
    def pid(self):
        return int((self.directory / "pid").read_text())

    def kill(self):
        self.cluster.script("kill", self.directory)

    def stop(self):
        self.cluster.script("stop", self.directory)

    def start(self):
        self.cluster.script("launch", self.directory, self.port)


class KafkaCluster:
    name = "kafka"
    durability = "page cache of the replicas (Kafka's default: no sync before the acknowledgement)"
    failovers_max = 3  # each takes ten seconds, and then a start
    partitions_max = 1000  # more take minutes here

    def __init__(self, settings=None, settings_of=lambda number: {}):
        self.settings, self.settings_of = settings or {}, settings_of
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="chronik-test-"))
        self.log = self.directory / "start.log"
        self.nodes = []

    def start(self):
        begin = time.monotonic()
        first = brokers.unused_port()
        self.nodes = [KafkaNode(self, i + 1, first + 10 * i) for i in range(3)]
        # Brokers copy partitions by the ports of the clients.
        self.between = {f"{node.host}:{port}" for node in self.nodes for port in (node.port, node.port + 1)}
        self.script("cluster", self.directory, first, *(f"{k}={v}" for k, v in self.settings.items()))
        for number, node in enumerate(self.nodes, 1):
            self.add_settings(node, self.settings_of(number))
        return time.monotonic() - begin

    @property
    def bootstrap(self):
        return ",".join(node.bootstrap for node in self.nodes)

    def script(self, *arguments):
        environment = {**os.environ, "KAFKA_HEAP": "-Xmx768m -Xms768m"}
        with open(self.log, "ab") as log:
            brokers.kafka_tool(*arguments, stdout=log, stderr=log, check=True, env=environment)

    def add_settings(self, node, settings):
        """The script gives all nodes the same ones, so what one has of its own takes a start more."""
        if not settings:
            return
        with open(node.directory / "server.properties", "a") as file:
            file.writelines(f"{k}={v}\n" for k, v in settings.items())
        node.stop()
        node.start()

    def must_live(self):
        """Ends the program when a node has ended by itself."""
        for node in self.nodes:
            try:
                os.kill(node.pid, 0)
            except ProcessLookupError:
                raise SystemExit(f"a node of Kafka has ended: see {node.directory}/server.log") from None

    def remove(self, keep=False):
        for node in self.nodes:
            if (node.directory / "pid").exists():
                node.kill()
        if keep:
            print(f"the logs and data of Kafka are kept in {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.remove(keep=kind is not None)


def cluster_under_test(settings=None, settings_of=lambda number: {}):
    """Three nodes of chronik, or of Kafka when TEST_BROKER says so: to judge a test by the original. `settings_of`
    gives what a node (1 to 3) has besides."""
    if os.environ.get("TEST_BROKER") == "kafka":
        brokers.require_peers()
        return KafkaCluster(settings, settings_of)
    return ChronikCluster(settings, settings_of)
