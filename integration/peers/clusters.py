"""Three nodes that are one cluster: chronik's, and Apache Kafka's by ../shared/peers/kafka."""

import os
import pathlib
import shutil
import tempfile
import time

import brokers


class ChronikCluster:
    name = "chronik"
    durability = "fdatasync on a majority before the acknowledgement"
    failovers_max = partitions_max = 10_000

    def __init__(self):
        self.nodes = [brokers.Chronik({"node.id": str(number)}) for number in (1, 2, 3)]
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

    def remove(self):
        for node in self.nodes:
            node.remove()


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

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="chronik-test-"))
        self.log = self.directory / "start.log"
        self.nodes = []

    def start(self):
        begin = time.monotonic()
        first = brokers.unused_port()
        self.nodes = [KafkaNode(self, i + 1, first + 10 * i) for i in range(3)]
        # Brokers copy partitions by the ports of the clients.
        self.between = {f"{node.host}:{port}" for node in self.nodes for port in (node.port, node.port + 1)}
        self.script("cluster", self.directory, first)
        return time.monotonic() - begin

    @property
    def bootstrap(self):
        return ",".join(node.bootstrap for node in self.nodes)

    def script(self, *arguments):
        environment = {**os.environ, "KAFKA_HEAP": "-Xmx768m -Xms768m"}
        with open(self.log, "ab") as log:
            brokers.kafka_tool(*arguments, stdout=log, stderr=log, check=True, env=environment)

    def remove(self):
        for node in self.nodes:
            if (node.directory / "pid").exists():
                node.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
