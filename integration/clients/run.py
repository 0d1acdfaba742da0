#!/usr/bin/env python3
"""Runs one client program of this folder against a broker of its own: run.py LANGUAGE, or against three nodes that are
one cluster: run.py LANGUAGE cluster. run.py prepare fetches and compiles what all of them need.

Every program does the same with its own library (see scenario.md): makes a topic, produces with every codec it has,
consumes in a group whose members come and go, commits, lives through a kill -9 of the broker, and at last reads
everything from the start: each record once, in order. It says `RESTART` on stdout when it wants the broker killed and
started again, and goes on when it reads a line; its last line is `OK <records>`.
"""

import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))
import brokers  # noqa: E402
import clusters  # noqa: E402

LIMIT = 240  # seconds for the program, without its installation


def compile_client(command, log, folder):
    """A program that does not compile has failed; it is not missing."""
    with open(brokers.BUILD / log, "wb") as out:
        done = subprocess.run(command, cwd=folder, stdout=out, stderr=out)
    if done.returncode != 0:
        text = (brokers.BUILD / log).read_text(errors="replace")
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{text[-2000:]}")


def python(name):
    """A virtual environment with the packages of requirements.txt."""
    brokers.require_programs("python3")
    folder, wanted = brokers.BUILD / name, HERE / name / "requirements.txt"
    installed, log = folder / "installed.txt", brokers.BUILD / f"{name}.log"
    if not installed.exists() or installed.read_text() != wanted.read_text():
        brokers.download([sys.executable, "-m", "venv", "--clear", folder], log)
        brokers.download([folder / "bin/pip", "install", "-q", "-r", wanted], log)
        shutil.copy(wanted, installed)
    return [str(folder / "bin/python"), str(HERE / name / "scenario.py")]


def confluent():
    return python("confluent")


def aiokafka():
    return python("aiokafka")


def go():
    brokers.require_programs("go")
    source = HERE / "go"
    version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True).stdout.strip()
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    # From 1.21 on, go fetches the version that go.mod names by itself, where it may.
    brokers.require(numbers >= (1, 21), f"{version} is older than go.mod can tell: 1.21 or later is needed")
    brokers.download(["go", "mod", "download"], brokers.BUILD / "go.log", source)
    program = brokers.BUILD / "go/scenario"
    compile_client(["go", "build", "-buildvcs=false", "-o", program, "."], "go.log", source)
    return [str(program)]


def kafkajs():
    brokers.require_programs("node", "npm")
    folder = brokers.BUILD / "kafkajs"
    installed, wanted = folder / "installed.json", HERE / "kafkajs/package.json"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "scenario.js"):
        shutil.copy(HERE / "kafkajs" / name, folder / name)
    if not installed.exists() or installed.read_text() != wanted.read_text():
        brokers.download(["npm", "install", "--no-audit", "--no-fund"], brokers.BUILD / "kafkajs.log", folder)
        shutil.copy(wanted, installed)
    return ["node", str(folder / "scenario.js")]


def java():
    brokers.install_kafka()
    cache = os.environ.get("XDG_CACHE_HOME", f"{pathlib.Path.home()}/.cache")
    home = os.environ.get("PEERS_HOME", f"{cache}/chronik-peers")
    classes, jars = brokers.BUILD / "java", f"{home}/kafka-tools/*"
    classes.mkdir(exist_ok=True)
    compile_client(["javac", "-d", classes, "-cp", jars, HERE / "java/Scenario.java"], "java.log", classes)
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{classes}:{jars}", "Scenario"]


def kcat():
    brokers.require_programs("kcat")
    return [sys.executable, str(HERE / "kcat/scenario.py")]


class OneOfThree:
    """A cluster of which the programs know one node, and another one is killed."""

    def __init__(self, settings):
        self.cluster = clusters.ChronikCluster()
        for node in self.cluster.nodes:
            node.settings |= settings
        self.victim = random.choice(self.cluster.nodes[:2])
        self.bootstrap = self.cluster.nodes[2].bootstrap

    def kill(self):
        print(f"node {self.victim.settings['node.id']} is killed", flush=True)
        self.victim.kill()

    def start(self):
        self.victim.start()

    def __enter__(self):
        self.cluster.start()
        return self

    def __exit__(self, kind, value, trace):
        for node in self.cluster.nodes:
            node.remove(keep=kind is not None)


CLIENTS = {f.__name__: f for f in (java, go, confluent, aiokafka, kafkajs, kcat)}


def prepare():
    """Fetches and compiles what the clients need before the time of a test runs. What is missing is left to the test
    of that client to tell."""
    for name, client in CLIENTS.items():
        begin = time.monotonic()
        try:
            client()
            print(f"{name}: ready after {time.monotonic() - begin:.0f} s", flush=True)
        except SystemExit:
            print(f"{name}: not ready; its test will say why", flush=True)


def run(command, broker):
    """The exit status of the program, whose last line must be `OK <records>`."""
    program = subprocess.Popen([*command, broker.bootstrap], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(LIMIT, program.kill)
    watchdog.start()
    last = ""
    try:
        for line in program.stdout:
            last = line.strip()
            print(last, flush=True)
            if last == "RESTART":
                broker.kill()
                broker.start()
                program.stdin.write("\n")
                program.stdin.flush()
        status = program.wait()
    finally:
        watchdog.cancel()
        program.kill()
        program.wait()
    if status != 0 or not last.startswith("OK "):
        raise SystemExit(f"the program ended with status {status} and '{last}'")


def main():
    if sys.argv[1:] not in (["prepare"], *([name, *more] for name in CLIENTS for more in ([], ["cluster"]))):
        raise SystemExit(f"usage: run.py {'|'.join(CLIENTS)} [cluster], or run.py prepare")
    brokers.BUILD.mkdir(parents=True, exist_ok=True)
    if sys.argv[1] == "prepare":
        return prepare()
    command = CLIENTS[sys.argv[1]]()
    # kcat makes its topic by using it.
    first_use = {"auto.create.topics.enable": "true", "num.partitions": "6"}
    settings = first_use if sys.argv[1] == "kcat" else {"auto.create.topics.enable": "false"}
    make = OneOfThree if sys.argv[2:] else brokers.broker_under_test
    with make(settings) as broker:
        run(command, broker)


if __name__ == "__main__":
    main()
