#!/usr/bin/env python3
"""Runs one client program of this folder against a broker of its own: run.py LANGUAGE.

Every program does the same with its own library (see scenario.md): makes a topic, produces with every codec it has,
consumes in a group whose members come and go, commits, lives through a kill -9 of the broker, and at last reads
everything from the start: each record once, in order. It says `RESTART` on stdout when it wants the broker killed and
started again, and goes on when it reads a line; its last line is `OK <records>`.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))
import brokers  # noqa: E402

BUILD = pathlib.Path(os.environ.get("TEST_CLIENTS", brokers.ROOT / "build/clients"))
LIMIT = 240  # seconds for the program, without its installation


def install(command, folder, log):
    folder.mkdir(parents=True, exist_ok=True)
    with open(BUILD / log, "wb") as out:
        done = subprocess.run(command, cwd=folder, stdout=out, stderr=out)
    brokers.require(done.returncode == 0, f"{' '.join(map(str, command))} failed: see {BUILD / log}")


def python(name, *packages):
    """A virtual environment with `packages`."""
    brokers.require_programs("python3")
    folder = BUILD / name
    if not (folder / "installed").exists():
        install([sys.executable, "-m", "venv", folder], BUILD, f"{name}.log")
        install([folder / "bin/pip", "install", "-q", *packages], folder, f"{name}.log")
        (folder / "installed").touch()
    return [str(folder / "bin/python"), str(HERE / name / "scenario.py")]


def confluent():
    return python("confluent", "confluent-kafka==2.16.1")


def aiokafka():
    return python("aiokafka", "aiokafka[snappy,lz4,zstd]==0.14.0")


def go():
    brokers.require_programs("go")
    version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True).stdout.strip()
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    # From 1.21 on, go fetches the version that go.mod names by itself, where it may.
    brokers.require(numbers >= (1, 21), f"{version} is older than go.mod can tell: 1.21 or later is needed")
    program = BUILD / "go/scenario"
    install(["go", "build", "-o", program, "."], HERE / "go", "go.log")
    return [str(program)]


def kafkajs():
    brokers.require_programs("node", "npm")
    folder = BUILD / "kafkajs"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "scenario.js"):
        shutil.copy(HERE / "kafkajs" / name, folder / name)
    if not (folder / "node_modules/kafkajs").exists():
        install(["npm", "install", "--silent", "--no-audit", "--no-fund"], folder, "kafkajs.log")
    return ["node", str(folder / "scenario.js")]


def java():
    brokers.require_peers()
    brokers.kafka_tool("install", check=True)
    cache = os.environ.get("XDG_CACHE_HOME", f"{pathlib.Path.home()}/.cache")
    home = os.environ.get("PEERS_HOME", f"{cache}/chronik-peers")
    classes, jars = BUILD / "java", f"{home}/kafka-tools/*"
    install(["javac", "-d", classes, "-cp", jars, HERE / "java/Scenario.java"], classes, "java.log")
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{classes}:{jars}", "Scenario"]


def kcat():
    brokers.require_programs("kcat")
    return [sys.executable, str(HERE / "kcat/scenario.py")]


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
    clients = {f.__name__: f for f in (java, go, confluent, aiokafka, kafkajs, kcat)}
    if len(sys.argv) != 2 or sys.argv[1] not in clients:
        raise SystemExit(f"usage: run.py {'|'.join(clients)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    command = clients[sys.argv[1]]()
    # kcat makes its topic by using it.
    first_use = {"auto.create.topics.enable": "true", "num.partitions": "6"}
    settings = first_use if sys.argv[1] == "kcat" else {"auto.create.topics.enable": "false"}
    with brokers.broker_under_test(settings) as broker:
        run(command, broker)


if __name__ == "__main__":
    main()
