"""The compose file of the tree, run as a user runs it, with ports and names of the test's own."""

import os
import shutil

import brokers
import engine

FILE = brokers.ROOT / "compose.yaml"
NODES = (1, 2, 3)


def program():
    """docker compose, or the docker-compose before it."""
    if engine.run("docker", "compose", "version", check=False).returncode == 0:
        return ["docker", "compose"]
    brokers.require(shutil.which("docker-compose"), "neither docker compose nor docker-compose is installed")
    return ["docker-compose"]


class Project:
    def __init__(self, image, name):
        self.ports = {}
        while len(self.ports) < len(NODES):
            port = brokers.unused_port()
            if port not in self.ports.values():
                self.ports[len(self.ports) + 1] = port
        own = {"IMAGE": image, **{f"PORT_{n}": str(port) for n, port in self.ports.items()}}
        self.environment = {**os.environ, **own}
        self.command = [*program(), "--file", str(FILE), "--project-name", name]

    def compose(self, *arguments, **options):
        return engine.run(*self.command, *arguments, env=self.environment, **options)

    def up(self):
        self.compose("up", "--detach", "--no-build")

    def node(self, number):
        return engine.Container(self.compose("ps", "--all", "--quiet", f"chronik-{number}").stdout.strip())

    def nodes(self):
        return [self.node(n) for n in NODES]

    def bootstrap(self, *numbers):
        return ",".join(f"127.0.0.1:{self.ports[n]}" for n in numbers or NODES)

    def remove(self):
        self.compose("down", "--volumes", "--timeout", "0")
