"""A broker in a process of its own, for the Python side of integration/: chronik from the build directory, or Apache
Kafka by ../shared/peers/kafka. Ended by its id; its directory goes unless the test failed."""

import itertools
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("TEST_SHARED", ROOT.parent / "shared"))
PROGRAM = os.environ.get("TEST_PROGRAM", str(ROOT / "build/release/chronik"))
BUILD = pathlib.Path(os.environ.get("TEST_CLIENTS", ROOT / "build/clients"))  # what the peers install or compile
SKIPPED = 77  # the exit status that ctest knows as skipped
TRIES, PAUSE = 3, 10  # of a download; each pause is this many seconds longer than the one before

_count = itertools.count()


def require(condition, why):
    """Ends the test as skipped when a peer is missing; in CI (CI=true) as failed."""
    if condition:
        return
    print(f"skipped: {why}")
    sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)


def require_programs(*names):
    for name in names:
        require(shutil.which(name), f"{name} is not installed")


def require_peers():
    require_programs("java", "mvn")
    require((SHARED / "peers/kafka").exists(), f"{SHARED}/peers/kafka is not there (TEST_SHARED names the folder)")


def kafka_tool(*arguments, **options):
    return subprocess.run([str(SHARED / "peers/kafka"), *map(str, arguments)], **options)


def download(command, log, folder=None):
    """Runs a command that fetches something: three tries, for networks fail for a moment. Only downloads get them.
    A peer that cannot be fetched is missing."""
    for attempt in range(TRIES):
        time.sleep(attempt * PAUSE)
        with open(log, "wb") as out:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
            try:
                if process.wait(timeout=300) == 0:
                    return
                why = f"status {process.returncode}"
            except subprocess.TimeoutExpired:
                why = "no end after 300 s"
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        print(f"{' '.join(map(str, command))}: {why}, try {attempt + 1} of {TRIES}", file=sys.stderr, flush=True)
    last = pathlib.Path(log).read_text(errors="replace").strip().splitlines()[-1:]
    require(False, f"{' '.join(map(str, command))} failed: {''.join(last)} ({log} has all of it)")


def install_kafka():
    """The jars of Kafka and of its tools, fetched once for this user."""
    require_peers()
    BUILD.mkdir(parents=True, exist_ok=True)
    download([str(SHARED / "peers/kafka"), "install"], BUILD / "kafka.log")


def answers(host, port):
    """Whether a broker answers an ApiVersions request."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            body = struct.pack(">hhih", 18, 0, 1, -1)
            connection.sendall(struct.pack(">i", len(body)) + body)
            return len(connection.recv(4)) == 4
    except OSError:
        return False


def unused_port():
    """A port whose successor is free too: Kafka's controller takes that. Below those that the system gives to
    outgoing connections, one of which could take it before Kafka does."""
    outgoing = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10000, max(outgoing, 20000) - 1)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                continue


class Chronik:
    name = "chronik"

    def __init__(self, settings=None, directory=None, program=PROGRAM):
        number = os.getpid() & 0x3FFFF | (next(_count) + 16 & 0x1F) << 18
        self.host = f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        self.port = 9092
        self.bootstrap = f"{self.host}:{self.port}"
        self.program = program
        self.own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="chronik-test-"))
        self.data = self.directory / "data"
        self.settings = {
            "listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": str(self.data),
            "node.id": "1",
            "group.initial.rebalance.delay.ms": "0",
            **(settings or {}),
        }
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def settings_file(self):
        config = self.directory / "server.properties"
        config.write_text("".join(f"{k}={v}\n" for k, v in self.settings.items()))
        return config

    def launch(self):
        """Without waiting for an answer."""
        config = self.settings_file()
        with open(self.directory / "broker.log", "ab") as log:
            self.process = subprocess.Popen([self.program, "serve", "--config", str(config)], stdout=log, stderr=log)

    def start(self):
        """Returns the seconds from exec to the first answer."""
        begin = time.monotonic()
        self.launch()
        while not answers(self.host, self.port):
            if self.process.poll() is not None or time.monotonic() - begin > 60:
                raise RuntimeError(f"{self.name} does not start: see {self.directory}/broker.log")
            time.sleep(0.001)
        return time.monotonic() - begin

    def _end(self, number):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def kill(self):
        self._end(signal.SIGKILL)

    def stop(self):
        return self._end(signal.SIGTERM)

    def must_live(self):
        """Ends the program when the broker has ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            raise SystemExit(f"{self.name} has ended with exit status {self.process.returncode}")

    def remove(self, keep=False):
        self.kill()
        if keep:
            print(f"{self.name}'s log and data are kept in {self.directory}", file=sys.stderr)
        elif self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.remove(keep=kind is not None)


class Kafka(Chronik):
    name = "kafka"

    def __init__(self, settings=None, directory=None, heap=None):
        super().__init__({}, directory)
        self.settings = {"group.initial.rebalance.delay.ms": "0", **(settings or {})}
        self.host, self.port = "127.0.0.1", unused_port()
        self.bootstrap = f"{self.host}:{self.port}"
        self.environment = {**os.environ, **({"KAFKA_HEAP": heap} if heap else {})}
        self.started = False

    @property
    def pid(self):
        return int((self.directory / "pid").read_text())

    def _script(self, *arguments):
        with open(self.directory / "start.log", "ab") as log:
            kafka_tool(*arguments, stdout=log, stderr=log, check=True, env=self.environment)

    def launch(self):
        """Without waiting for an answer. The directory must be formatted: by an earlier start."""
        command = ["bash", "-c", f"exec {SHARED}/peers/kafka launch {self.directory} {self.port}"]
        with open(self.directory / "start.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)

    def start(self):
        begin = time.monotonic()
        if self.started:
            self._script("launch", self.directory, self.port)
        else:
            self._script("start", self.directory, self.port, *(f"{k}={v}" for k, v in self.settings.items()))
        self.started = True
        return time.monotonic() - begin

    def kill(self):
        if self.started:
            self._script("kill", self.directory)

    def stop(self):
        self._script("stop", self.directory)
        return 0


def broker_under_test(settings=None):
    """chronik, or Kafka when TEST_BROKER says so: to judge a test by the original."""
    if os.environ.get("TEST_BROKER") == "kafka":
        require_peers()
        return Kafka(settings, heap="-Xmx512m -Xms256m")
    return Chronik(settings)
