#!/usr/bin/env python3
"""chronik in containers, driven from outside of them with librdkafka: the image, one container of it, and the three
nodes of compose.yaml.

    containers_test.py [Class.test ...]    for instance ThreeNodes.test_the_loss_of_one
"""

import os
import pathlib
import re
import sys
import tempfile
import time
import unittest

import engine
from engine import DATA, Container, docker, eventually

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
import brokers  # noqa: E402
import compose  # noqa: E402
import run as clients  # noqa: E402

IMAGE = f"chronik-test-{os.getpid()}"
IMAGE_BYTES_MAX = 60 << 20  # beyond its base
START_MAX = 1.0  # seconds from the start of the process to its first answer
STOP_MAX = 10.0  # what docker stop waits before it kills


def size_of(image):
    return int(docker("image", "inspect", "--format", "{{.Size}}", image))


class Image(unittest.TestCase):
    def test_it_is_small(self):
        own = size_of(IMAGE) - size_of(engine.BASE)
        print(f"the image is {own / (1 << 20):.1f} MiB above its base of {size_of(engine.BASE) / (1 << 20):.1f} MiB")
        self.assertGreater(own, 1 << 20)
        self.assertLessEqual(own, IMAGE_BYTES_MAX)

    def test_other_commands_run_in_it(self):
        self.assertIn("chronik ", docker("run", "--rm", IMAGE, "--version"))
        self.assertIn("listeners", docker("run", "--rm", IMAGE, "config", "list"))


class OneContainer(unittest.TestCase):
    def setUp(self):
        self.port = brokers.unused_port()
        self.address = f"127.0.0.1:{self.port}"

    def create(self, *options, command=()):
        container = Container(docker("create", *options, IMAGE, *command))
        self.addCleanup(container.remove)
        return container

    def published(self, *options):
        """With its port published, and clients told so."""
        advertised = f"CHRONIK_ADVERTISED_LISTENERS=PLAINTEXT://{self.address}"
        return self.create("--publish", f"{self.address}:9092", "--env", advertised, *options)

    def volume(self):
        name = docker("volume", "create")
        self.addCleanup(docker, "volume", "rm", name)
        return name

    def start(self, container):
        container.docker("start")
        eventually(lambda: brokers.answers("127.0.0.1", self.port), f"an answer; its log:\n{container.log()}")

    def test_a_client_outside_and_data_that_outlives_the_container(self):
        volume = self.volume()
        first = self.published("--volume", f"{volume}:{DATA}")
        self.start(first)
        records.create(self.address, "greetings", 1)
        records.produce(self.address, "greetings", ["hello", "world"])
        self.assertEqual(records.consume(self.address, "greetings", 2), ["hello", "world"])

        took = first.stop()
        print(f"docker stop took {took:.2f} s")
        self.assertLess(took, STOP_MAX)
        self.assertEqual(first.exit_code(), 0, first.log())
        self.assertIn("stopped", first.log().splitlines()[-1])
        first.remove()

        second = self.published("--volume", f"{volume}:{DATA}")
        self.start(second)
        self.assertEqual(records.consume(self.address, "greetings", 2), ["hello", "world"])

    def test_the_command_of_the_readme(self):
        # It publishes 9092, which this machine may use already: so all of it but that number.
        text = (brokers.ROOT / "README.md").read_text()
        command = re.search(r"^docker run (.* )?-p 127\.0\.0\.1:9092:9092 (.* )?chronik$", text, re.M)
        self.assertIsNotNone(command, "README.md has no command to run a container")
        container = self.create("--publish", f"{self.address}:9092")
        self.start(container)
        self.assertEqual(records.brokers_by(self.address), {1: "127.0.0.1:9092"}, "where the command publishes it")

    def test_it_answers_within_a_second(self):
        container = self.published()
        begin = time.time()
        self.start(container)
        answered = time.time()
        took = answered - container.started_at()
        print(f"the first answer came {took:.2f} s after its start, {answered - begin:.2f} s after docker start began")
        self.assertLess(took, START_MAX)

    def test_its_process_is_the_broker_without_rights(self):
        container = self.published()
        self.start(container)
        status = container.run_inside("cat", "/proc/1/status").stdout
        self.assertEqual(re.search(r"^Name:\s+(.*)", status)[1], "chronik", "signals go to it, not to a shell")
        self.assertEqual(re.search(r"^Uid:\s+(.*)", status, re.M)[1].split(), ["10001"] * 4)
        self.assertEqual(int(re.search(r"^CapEff:\s+(.*)", status, re.M)[1], 16), 0)

    def test_it_needs_nothing_but_its_volume(self):
        container = self.published("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
        self.start(container)
        records.create(self.address, "t", 1)
        records.produce(self.address, "t", ["1"])
        self.assertEqual(records.consume(self.address, "t", 1), ["1"])

    def test_its_health_follows_the_broker(self):
        container = self.published("--health-interval=300ms", "--health-retries=1", "--health-start-period=0s")
        self.start(container)
        container.wait_for_health("healthy")
        container.docker("kill", "--signal=STOP")
        container.wait_for_health("unhealthy")
        container.docker("kill", "--signal=CONT")
        container.wait_for_health("healthy")

    def test_a_node_that_waits_for_the_others(self):
        """It cannot serve without a majority; it is not healthy, and still ends when it is told to."""
        nodes = "CHRONIK_CLUSTER_NODES=1@chronik-1:9192,2@chronik-2:9192,3@chronik-3:9192"
        quick = ("--health-interval=300ms", "--health-retries=1", "--health-start-period=0s")
        container = self.published("--hostname", "chronik-2", "--env", nodes, *quick)
        container.docker("start")
        container.wait_for_health("unhealthy")
        self.assertLess(container.stop(), STOP_MAX)
        self.assertEqual(container.exit_code(), 0, container.log())

    def test_a_node_of_a_cluster_without_a_number(self):
        line = self.refused("--env", "CHRONIK_CLUSTER_NODES=1@chronik-1:9192,2@chronik-2:9192", code=2)
        self.assertTrue(line.startswith("chronik: node.id is not set, and the host name "), line)

    def refused(self, *options, code=1):
        """What it says when it does not start."""
        container = self.create(*options)
        container.docker("start")
        eventually(lambda: not container.inspect(".State.Running"), "its end", STOP_MAX)
        self.assertEqual(container.exit_code(), code, container.log())
        lines = container.log().splitlines()
        self.assertEqual(len(lines), 1, lines)
        return lines[0]

    def test_a_volume_that_it_may_not_write(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            line = self.refused("--volume", f"{folder}:{DATA}")
        self.assertTrue(line.startswith(f"chronik: data directory {DATA}: "), line)
        self.assertIn("Permission denied", line)
        self.assertIn("10001", line, "whom to give it to")
        line = self.refused("--volume", f"{self.volume()}:{DATA}:ro")
        self.assertIn("Read-only file system", line)

    def test_a_data_directory_that_is_not_there(self):
        line = self.refused("--env", "CHRONIK_LOG_DIRS=/nowhere/data")
        self.assertTrue(line.startswith("chronik: data directory /nowhere/data: "), line)
        self.assertIn("Permission denied", line)


class ThreeNodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.project = compose.Project(IMAGE, f"chronik-test-{os.getpid()}")
        cls.addClassCleanup(cls.project.remove)
        begin = time.monotonic()
        cls.project.up()
        cls.wait_for_all()
        print(f"three nodes were healthy {time.monotonic() - begin:.1f} s after compose up began", flush=True)

    @classmethod
    def wait_for_all(cls):
        for node in cls.project.nodes():
            node.wait_for_health("healthy")
        wanted = {n: cls.project.bootstrap(n) for n in compose.NODES}
        for n in compose.NODES:
            eventually(lambda: records.brokers_by(cls.project.bootstrap(n)) == wanted, f"node {n} knows {wanted}")

    def test_who_is_told_what(self):
        node = self.project.node(2)
        networks = node.inspect(".NetworkSettings.Networks").values()
        inside = next(iter(networks))["IPAddress"]
        self.assertEqual(records.brokers_by(f"{inside}:9092"), {n: f"chronik-{n}:9092" for n in compose.NODES})
        for n in compose.NODES:
            other = f"--listeners=PLAINTEXT://chronik-{n}:9092,OUTSIDE://:19092"
            done = node.run_inside("chronik", "health", "--config=/etc/chronik/broker.properties", other)
            self.assertEqual(done.stdout, f"the broker on chronik-{n}:9092 answers\n")

    def test_the_loss_of_one(self):
        """The one that leads the metadata: it coordinates the consumer's group too."""
        everywhere = self.project.bootstrap()
        records.create(everywhere, "t", 6)
        leaders = records.leaders(everywhere, "t")
        self.assertEqual(sorted(leaders.values()), [1, 1, 2, 2, 3, 3])
        victim = records.controller(everywhere)
        of_victim = [p for p, leader in leaders.items() if leader == victim]
        of_others = [p for p, leader in leaders.items() if leader != victim]
        for p in of_victim:
            records.produce(everywhere, "t", [f"kept {p}"], partition=p)

        with records.Stream(everywhere, "t", of_others, "g") as stream:
            stream.go_on(200)
            self.project.node(victim).docker("kill")
            stream.go_on(400)
            stream.commit()
            print(f"the longest gap of the stream was {stream.gap:.2f} s")
            self.assertEqual(stream.failures, [])
            self.assertEqual(stream.committed(), stream.read)
        survivors = self.project.bootstrap(*(n for n in compose.NODES if n != victim))
        eventually(lambda: len(records.brokers_by(survivors)) == 2, "that clients hear no more of it")

        self.project.node(victim).docker("start")
        self.wait_for_all()
        for p in of_victim:
            self.assertEqual(records.consume(everywhere, "t", 1, partition=p), [f"kept {p}"])

    def test_replicas_and_the_loss_of_each(self):
        """One after the other is killed and started again, under a load that goes on all the time."""
        everywhere, partitions = self.project.bootstrap(), range(3)
        records.create(everywhere, "replicated", len(partitions), replicas=3)
        whole = dict.fromkeys(partitions, list(compose.NODES))
        eventually(lambda: records.in_sync(everywhere, "replicated") == whole, "that all replicas are there")
        with records.Stream(everywhere, "replicated", partitions, "of replicas") as stream:
            stream.go_on(100)
            for n in compose.NODES:
                self.project.node(n).docker("kill")
                stream.go_on(300)
                self.project.node(n).docker("start")
                stream.go_on(300)
                eventually(lambda: records.in_sync(everywhere, "replicated") == whole, f"that node {n} has all again")
            stream.commit()
            print(f"each node was killed once: the longest gap of the stream was {stream.gap:.2f} s")
            self.assertEqual(stream.failures, [])
            self.assertEqual(stream.committed(), stream.written)
        self.wait_for_all()
        for p in partitions:
            wanted = [str(number) for number in range(stream.written[p])]
            self.assertEqual(records.consume(everywhere, "replicated", len(wanted), partition=p), wanted)

    def test_a_clean_stop_of_all(self):
        everywhere = self.project.bootstrap()
        records.create(everywhere, "all", 3)
        for p in range(3):
            records.produce(everywhere, "all", [f"in {p}"], partition=p)
        begin = time.monotonic()
        self.project.compose("stop")
        print(f"compose stop of three nodes took {time.monotonic() - begin:.2f} s")
        self.assertEqual([node.exit_code() for node in self.project.nodes()], [0, 0, 0])
        self.project.up()
        self.wait_for_all()
        for p in range(3):
            self.assertEqual(records.consume(everywhere, "all", 1, partition=p), [f"in {p}"])


def main():
    brokers.BUILD.mkdir(parents=True, exist_ok=True)
    python = clients.confluent()[0]
    if sys.prefix == sys.base_prefix:
        os.execv(python, [python, "-B", *sys.argv])
    global records
    import records

    with engine.engine(), engine.image(IMAGE):
        done = unittest.main(exit=False, verbosity=2).result
    return 0 if done.wasSuccessful() and done.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
