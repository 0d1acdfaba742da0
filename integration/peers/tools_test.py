#!/usr/bin/env python3
"""Kafka's own command line tools do with chronik what they do with Kafka. The commands of tools.steps go to both,
and their output is compared line by line, without what differs between any two brokers (ids, addresses, times).

    tools_test.py [WORD ...]     only the steps whose name contains one of the words, and what they need

With TEST_BROKER=kafka two Kafkas are compared: what differs then is not stable and has no place here.
"""

import concurrent.futures
import difflib
import json
import os
import pathlib
import re
import shlex
import sys
import time

import brokers

NOISE = re.compile(
    r"^(Picked up|NOTE: Picked|SLF4J|WARNING|\s+at |\s*\.\.\. \d+ more|Caused by|\[\d{4}-\d\d-\d\d .*\] (WARN|INFO) |"
    r"\[[\d.]+s\]\[warning\]\[cds)"
)
PATTERNS = [
    (r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+\] ", ""),
    (r"TopicId: [\w-]{22}", "TopicId: ID"),
    (r"(127(\.\d+){3}|localhost|/127(\.\d+){3}):\d+", "BROKER"),
    (r"/?127(\.\d+){3}\s+\d+", "HOST PORT"),
    (r"/?127(\.\d+){3}", "HOST"),
    (r"console-consumer-\d+", "console-consumer-N"),
    (r"(console-consumer|consumer-\w+|sarama|rdkafka)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"\1-MEMBER"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"CreateTime:\d+", "CreateTime:T"),
    (r'"(timestamp|time)":\d+', r'"\1":T'),
    (r"Cluster ID: [\w-]{22}", "Cluster ID: ID"),
    (r" {2,}", " "),
    # Kafka's formatter writes min.insync.replicas as a config of the whole cluster (KIP-966, which is not here).
    (r"min\.insync\.replicas=1,(?=retention)|DYNAMIC_DEFAULT_BROKER_CONFIG:min\.insync\.replicas=1, ", ""),
    (r"(?<=Configs: )min\.insync\.replicas=1$", ""),
    (r'"[^"]*/chronik-test-\w+(/\d)?/data"', '"DIRECTORY"'),
    # In Kafka, who comes back into it stands at its end.
    (r"(?<=Isr: )\d+(,\d+)+", lambda isr: ",".join(sorted(isr.group().split(",")))),
    # Which broker is lost is said here, and only here most replicas of a partition must be there.
    (r"(?<=: )(Broker \d+, the preferred leader, cannot be reached|The preferred leader was not available)", "LOST"),
    (r"(?<=: )(All|Most) brokers (specified )?in the manual .*", "LOST"),
    # No log directory is cordoned (KIP-1066) where there is one.
    (" or some brokers have all their log directories cordoned", ""),
    # What to do instead is said here only.
    ("; set them in the file, the environment or on the command line, and restart", ""),
]


# With keys, that they go to the same partitions everywhere.
INPUTS = {
    "records": "".join(f"h:{i}%k{i % 3}|value {i}\n" for i in range(20)),
    "lines": "".join(f"k{i}|value of a line {i}\n" for i in range(10)),
}
STEP_LIMIT, LIMIT = 180, 2100  # seconds; ctest waits longer, since what it kills leaves brokers behind
STEP = re.compile(r"^(?P<name>[^\[:]+?)\s*(\[(?P<marks>.*?)\])?\s*: (?P<command>.*?)(\s+<\s+(?P<input>\w+))?$")


class Step:
    """One line of tools.steps."""

    def __init__(self, line):
        match = STEP.match(line)
        self.name, self.command, self.input = match["name"], match["command"], INPUTS.get(match["input"])
        marks = (match["marks"] or "").split()
        self.order, self.shape, self.any_leader = "order" in marks, "shape" in marks, "leader" in marks
        self.keep = next((m.removeprefix("keep=") for m in marks if m.startswith("keep=")), None)
        self.until = next((m.removeprefix("until=") for m in marks if m.startswith("until=")), None)

    def lines(self, text):
        """What counts of an output."""
        result = []
        for line in text.splitlines():
            if NOISE.match(line) or (self.keep and not re.search(self.keep, line)):
                continue
            line = with_sorted_keys(line)
            for pattern, replacement in PATTERNS:
                line = re.sub(pattern, replacement, line)
            if self.any_leader:
                line = re.sub(r"Leader: \d+", "Leader: N", line)
            if self.shape:
                line = re.sub(r"-?\d+([.,]\d+)*", "N", line)
            if line.strip():
                result.append(line.rstrip())
        return sorted(result) if self.order else result


def with_sorted_keys(line):
    """The keys of an object come in the order in which that run of the JVM found its getters."""
    try:
        value = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return line
    return json.dumps(value, sort_keys=True, separators=(",", ":")) if isinstance(value, dict) else line


def all_steps(file="tools.steps"):
    lines = (pathlib.Path(__file__).parent / file).read_text().splitlines()
    return [Step(line) for line in lines if line and not line.startswith("#")]


# Where chronik answers otherwise on purpose, or where a line by line comparison is the wrong one:
# (pattern of steps, pattern of the lines that both sides leave out, why).
DIFFERENT = [
    ("^api versions$", ".", "compared by check_api_versions"),
    ("^log dirs$", ".", "compared by check_log_dirs"),
    ("topics|offsets of all", r"^__consumer_offsets", "offsets are metadata here, not a topic"),
    ("topics with overrides", r"Topic: __consumer_offsets", "the same"),
    ("describe all", r"^\s+(log\.)?flush\.(interval\.)?messages=", "synced before every acknowledgement here"),
    ("lead first", ".", "preferred leaders take their partitions back at once here, there when asked"),
    ("cluster-wide", r"^\s+min\.insync\.replicas=1", "a config of the whole cluster in Kafka (KIP-966)"),
    ("all broker configs", r"^\s+(chronik\.|cluster\.|node\.role)", "not Kafka's"),
    (
        "all broker configs",
        r"^\s+(advertised\.listeners|controller\.|listener|log\.dirs?|node\.id|offsets\.topic|process\.roles"
        r"|share\.coordinator\.state\.topic|transaction\.state\.log)[\w.]*=",
        "set by the file that ../shared/peers/kafka writes, or by ours; the default of log.dir is our own",
    ),
]


def java_options(archive):
    """Most of a tool's life is the start of the JVM: quicker by what the first one leaves in `archive`."""
    share = "SharedArchiveFile" if archive.exists() else "ArchiveClassesAtExit"
    return f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:{share}={archive}"


def run_step(step, broker):
    # An archive for each side: two that write the same one at once would leave a broken one.
    environment = {**os.environ, "JAVA_TOOL_OPTIONS": java_options(broker.tools / "tools.jsa")}
    command = re.sub(r"\b[A-Z]+_FILE\b", lambda name: str(broker.files[name.group()]), step.command)
    if "BOOTSTRAP" not in command:
        command += " --bootstrap-server BOOTSTRAP"
    words = shlex.split(command.replace("BOOTSTRAP", broker.bootstrap).replace("|", "'|'"))
    done = brokers.kafka_tool(
        "tool", *words, input=step.input, capture_output=True, text=True, timeout=STEP_LIMIT, env=environment
    )
    return done.stdout + done.stderr


def differences(step, ours, theirs):
    def kept(text):
        patterns = [pattern for steps, pattern, _ in DIFFERENT if re.search(steps, step.name)]
        return [line for line in step.lines(text) if not any(re.search(p, line) for p in patterns)]

    return list(difflib.unified_diff(kept(theirs), kept(ours), "Kafka", "here", lineterm="", n=0))


def check_api_versions(ours, theirs):
    """Every API that is offered here is offered by Kafka in the same versions."""

    def ranges(text):
        return dict(re.findall(r"^\s*(\w+\(\d+\)): ([^\[\n,]+)", text, re.M))

    ours, theirs = ranges(ours), ranges(theirs)
    problems = [
        f"{api}: {v} here, {theirs.get(api)} by Kafka"
        for api, v in ours.items()
        if "UNSUPPORTED" not in v and v.strip() != theirs.get(api, "").strip()
    ]
    return problems if len(ours) > 20 else [f"only {len(ours)} APIs"]


def check_log_dirs(ours, theirs):
    """The same partitions, with the same keys."""

    def partitions(text):
        line = next(line for line in text.splitlines() if line.startswith("{"))
        found = []
        for broker in json.loads(line)["brokers"]:
            for directory in broker["logDirs"]:
                assert directory["error"] is None, directory
                found += [(broker["broker"], p["partition"], sorted(p)) for p in directory["partitions"]]
        return sorted(found, key=str)

    return [] if partitions(ours) == partitions(theirs) else [f"{partitions(ours)}\n{partitions(theirs)}"]


# Groups that nobody is in and that committed nothing go with a sweep every ten minutes, counted from when each side
# began: on a busy machine the steps would see it on one side only.
SETTINGS = {"offsets.retention.check.interval.ms": "86400000"}

CHECKS = {"api versions": check_api_versions, "log dirs": check_log_dirs}


def main():
    brokers.install_kafka()
    words = sys.argv[1:]
    failed = []
    start = time.monotonic()
    with brokers.broker_under_test(SETTINGS) as here, brokers.Kafka(
        SETTINGS, heap="-Xmx512m -Xms256m"
    ) as kafka, concurrent.futures.ThreadPoolExecutor(2) as pool:
        for broker in (here, kafka):
            broker.tools = broker.directory
            broker.files = {"RECORDS_FILE": broker.directory / "delete.json"}
            broker.files["RECORDS_FILE"].write_text(
                '{"partitions":[{"topic":"p","partition":0,"offset":4}],"version":1}'
            )
        for step in all_steps():
            if words and not any(w in step.name for w in words):
                if step.name not in ("create topic", "console producer", "create the second topic"):
                    continue
            begin = time.monotonic()
            if begin - start > LIMIT:
                raise SystemExit(f"not at the end after {LIMIT} s: next would be '{step.name}'")
            ours, theirs = pool.map(run_step, (step, step), (here, kafka))
            found = differences(step, ours, theirs)
            if step.name in CHECKS:
                found += CHECKS[step.name](ours, theirs)
            took = f"{time.monotonic() - begin:4.1f} s"
            print(f"{'differs' if found else 'same   '} {took}  {step.name}: {step.command}"[:120], flush=True)
            for line in found:
                print(f"    {line}")
            failed += [step.name] if found else []
    print(f"{len(failed)} steps differ" + (": " + ", ".join(failed) if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
