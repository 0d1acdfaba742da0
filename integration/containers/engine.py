"""Docker as the tests of containers use it. Everything that is made here goes at the end, by its id. Where no engine
answers, one of our own is started, and stopped again; where the base image cannot be had from a registry,
../shared/peers/docker-engine makes it."""

import contextlib
import datetime
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
import brokers  # noqa: E402

BASE = "debian:bookworm-slim"
PATIENCE = 60  # seconds
DATA = "/var/lib/chronik"

# The base image is one that no registry has; only the builder before BuildKit looks no further than this machine.
os.environ.setdefault("DOCKER_BUILDKIT", "0")


def run(*command, check=True, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def docker(*arguments, **options):
    return run("docker", *arguments, **options).stdout.strip()


def answers_to_info():
    return shutil.which("docker") is not None and run("docker", "info", check=False).returncode == 0


def eventually(is_so, what, patience=PATIENCE):
    """Asks until it is so, and returns what was not false."""
    deadline = time.monotonic() + patience
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {patience} s still not: {what}")
        time.sleep(0.02)


@contextlib.contextmanager
def engine():
    """A running engine that has the base image; skips the test where none can be had."""
    with contextlib.ExitStack() as stack:
        if not answers_to_info():
            stack.enter_context(own_engine())
        if run("docker", "image", "inspect", BASE, check=False).returncode != 0:
            begin = time.monotonic()
            get_base()
            print(f"the base image was made in {time.monotonic() - begin:.0f} s", flush=True)
        yield


def firewall():
    """The rules of this machine's network, each with its table."""
    lists = {table: run("iptables", "-t", table, "-S").stdout.splitlines() for table in ("filter", "nat")}
    return [(table, shlex.split(line)) for table, lines in lists.items() for line in lines]


@contextlib.contextmanager
def network_kept():
    """An engine that ends leaves its bridge, its rules, and a machine that forwards nothing."""
    bridge = pathlib.Path("/sys/class/net/docker0")
    before, had_bridge = firewall(), bridge.exists()
    try:
        yield
    finally:
        added = [rule for rule in firewall() if rule not in before]
        for verb, undo in (("-A", "-D"), ("-N", "-X")):
            for table, words in added:
                if words[0] == verb:
                    run("iptables", "-t", table, undo, *words[1:])
        for table, words in before:
            if words[0] == "-P":
                run("iptables", "-t", table, *words)
        if bridge.exists() and not had_bridge:
            run("ip", "link", "delete", bridge.name)


@contextlib.contextmanager
def own_engine():
    """One that nobody else sees; nothing of it is kept."""
    brokers.require_programs("docker", "dockerd", "iptables", "ip")
    brokers.require(os.geteuid() == 0, "no Docker engine answers, and only root may start one")
    with network_kept(), tempfile.TemporaryDirectory(prefix="chronik-engine-", ignore_cleanup_errors=True) as folder:
        yield from running_engine(pathlib.Path(folder))


def running_engine(folder):
    os.environ["DOCKER_HOST"] = f"unix://{folder}/socket"
    brokers.BUILD.mkdir(parents=True, exist_ok=True)
    log_file = brokers.BUILD / "engine.log"
    with open(log_file, "wb") as log:
        process = subprocess.Popen(
            ["dockerd", "--host", os.environ["DOCKER_HOST"], "--data-root", folder / "data"]
            + ["--exec-root", folder / "exec", "--pidfile", folder / "pid"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: process.poll() is not None or answers_to_info(), "an engine that answers")
        brokers.require(process.poll() is None, f"dockerd does not start: {log_file} says why")
        yield
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def get_base():
    if run("docker", "pull", BASE, check=False).returncode == 0:
        return
    script = brokers.SHARED / "peers/docker-engine"
    brokers.require(script.exists(), f"no registry has {BASE}, and {script} is not there")
    # It makes this folder itself only where it starts an engine too.
    cache = os.environ.get("XDG_CACHE_HOME", f"{pathlib.Path.home()}/.cache")
    state = pathlib.Path(os.environ.get("DOCKER_STATE", f"{cache}/chronik-docker"))
    state.mkdir(parents=True, exist_ok=True)
    done = run(script, "start", check=False, env={**os.environ, "DOCKER_STATE": str(state)})
    brokers.require(done.returncode == 0, f"{script} start failed: {(done.stdout + done.stderr)[-1000:]}")


@contextlib.contextmanager
def image(name):
    """The image of the program in the build directory."""
    begin = time.monotonic()
    run("./dev", "image", name, cwd=brokers.ROOT)
    print(f"the image was built in {time.monotonic() - begin:.0f} s", flush=True)
    try:
        yield
    finally:
        docker("image", "rm", name)


class Container:
    """One that `docker create` or something else has made; this object removes it."""

    def __init__(self, made):
        self.id = made
        self.removed = False

    def docker(self, verb, *arguments, **options):
        return docker(verb, *arguments, self.id, **options)

    def inspect(self, form):
        return json.loads(self.docker("inspect", "--format", "{{json " + form + "}}"))

    def run_inside(self, *command, **options):
        return run("docker", "exec", self.id, *command, **options)

    def log(self):
        done = run("docker", "logs", self.id)
        return done.stdout + done.stderr

    def health(self):
        return self.inspect(".State.Health.Status")

    def wait_for_health(self, wanted, patience=PATIENCE):
        eventually(lambda: self.health() == wanted, f"{wanted}, but:\n{self.inspect('.State.Health')}", patience)

    def exit_code(self):
        state = self.inspect(".State")
        assert not state["Running"], "it runs"
        return state["ExitCode"]

    def stop(self):
        """The way everybody stops containers, with the patience that is the default. Returns the seconds it took."""
        begin = time.monotonic()
        self.docker("stop")
        return time.monotonic() - begin

    def started_at(self):
        """When its process began, as time.time() counts."""
        text = self.inspect(".State.StartedAt")
        seconds, fraction = text.rstrip("Z").split(".")
        whole = datetime.datetime.fromisoformat(seconds).replace(tzinfo=datetime.timezone.utc)
        return whole.timestamp() + float("0." + fraction)

    def remove(self):
        if not self.removed:
            self.docker("rm", "--force", "--volumes")
            self.removed = True
