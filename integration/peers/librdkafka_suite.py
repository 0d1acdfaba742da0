#!/usr/bin/env python3
"""librdkafka's own tests against a chronik of its own: each that passes on Apache Kafka must pass here.

    JOBS=4 LIMIT=240 LOGS=DIR librdkafka_suite.py SOURCE [cluster] [NNNN ...]

SOURCE is a checkout of confluentinc/librdkafka 2.15 (git clone -b v2.15.0 ...), built by the first run; four tests,
which read statistics, need the package rapidjson-dev. `cluster`: against three nodes, each in a rack of its own,
whose topics have three replicas, and what passes on three nodes of Kafka; else against one node. NNNN: only these
tests, excepted or not. JOBS at a time (4), LIMIT seconds each (240), a log of each in LOGS. About ten minutes on two
cores. What passes on Kafka is the table of ../shared/peers/librdkafka-verdicts.md, and WITH_RAPIDJSON; EXCEPTED says
which of those need what chronik does not have yet. What fails is run once more, alone, with a new broker.
TEST_BROKER=kafka runs against Kafka.
"""

import os
import re
import subprocess
import sys
import tempfile

import brokers
import clusters

SHARE_GROUPS = "share groups (KIP-932)"
TRANSACTIONS = "transactions"
ACLS = "ACLs; Kafka as it runs here has no authorizer and fails it, too"
# Those of KIP-848 skip with the classic protocol, which is the default.
EXCEPTED = {
    "0055": TRANSACTIONS + ": one of its cases measures commit_transaction",
    "0061": TRANSACTIONS + ": the lag behind a transaction's markers",
    "0081": ACLS,
    "0103": TRANSACTIONS,
    **{number: ACLS for number in ("0109", "0115", "0119")},
    "0129": TRANSACTIONS + ": fetches aborted ones",
    "0137": TRANSACTIONS + ": batches between control records",
    **{str(number).zfill(4): SHARE_GROUPS for number in range(170, 191)},
}
RAPIDJSON = os.path.exists("/usr/include/rapidjson/schema.h")  # the package rapidjson-dev
# Skipped in the table, whose librdkafka was built without it; with it they pass on one node, or on three, of Kafka.
WITH_RAPIDJSON = [{"0053_stats", "0110_batch_size"}, {"0053_stats", "0101_fetch_from_follower", "0110_batch_size"}]
# 0089 and 0118 count on one rebalance for two consumers that start together. These ask to join up to 50 ms apart: a
# client whose first metadata request misses its topic tries no other connection for that long. With a delay of 0 on a
# busy machine Kafka failed 3 of 10 and 4 of 20 runs of them, chronik 3 and 3; with this delay neither failed any.
SETTINGS = {
    "auto.create.topics.enable": "true",
    "num.partitions": "4",
    "group.initial.rebalance.delay.ms": "100",
}
LOGS = os.environ.get("LOGS") or tempfile.mkdtemp(prefix="librdkafka-tests-")


def build(source):
    """Builds the tests once. CMake's way does not look for RapidJSON, with which four of them read statistics."""
    if os.path.exists(f"{source}/build/tests/test-runner"):
        return
    # Without the folder in the names of their sources, which the tests make topics of.
    flags = f"-fmacro-prefix-map={os.path.abspath(source)}/tests/="
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DRDKAFKA_BUILD_TESTS=ON", "-DRDKAFKA_BUILD_EXAMPLES=ON"]
    options += ["-DWITH_CURL=OFF", "-DWITH_SASL=OFF", "-DWITH_ZSTD=ON"]
    options += [f"-DCMAKE_C_FLAGS={flags}", f"-DCMAKE_CXX_FLAGS={flags}" + " -DWITH_RAPIDJSON=1" * RAPIDJSON]
    folder = f"{source}/build"
    for command in (["cmake", "-S", source, "-B", folder, "-G", "Ninja", *options], ["ninja", "-C", folder]):
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def verdicts(three):
    """Of each test on one node, or on three nodes, of Kafka."""
    text = (brokers.SHARED / "peers/librdkafka-verdicts.md").read_text()
    rows = re.findall(r"^\| (\d{4}_\w+) \| (\w+).*? \| (\w+)", text, re.M)
    more = dict.fromkeys(WITH_RAPIDJSON[three] if RAPIDJSON else (), "PASSED")
    return {name: both[three] for name, *both in rows} | more


def three_nodes(settings):
    """With a rack for each node, as 0101 wants them."""
    selector = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
    return clusters.cluster_under_test(
        {**settings, "default.replication.factor": "3", "replica.selector.class": selector},
        lambda number: {"broker.rack": f"RACK{number}"},
    )


def run_tests(source, broker, tests, environment=None):
    """The numbers of those that passed."""
    run = subprocess.run(
        [str(brokers.SHARED / "peers/librdkafka-tests"), source, broker.bootstrap, *(t[:4] for t in tests)],
        stdout=subprocess.PIPE,
        text=True,
        # Unbuffered, the verdicts of tests that end together would run into one another.
        env={**os.environ, "LOGS": LOGS, "PYTHONUNBUFFERED": "", **(environment or {})},
    )
    print(run.stdout, flush=True)
    return set(re.findall(r"^PASSED (\d{4}) ", run.stdout, re.M))


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    source, three = sys.argv[1], "cluster" in sys.argv[2:]
    only = [word for word in sys.argv[2:] if word != "cluster"]
    under_test = three_nodes if three else brokers.broker_under_test
    brokers.require((brokers.SHARED / "peers/librdkafka-tests").exists(), f"{brokers.SHARED}/peers is not there")
    brokers.require(os.path.exists(f"{source}/tests/test.c"), f"{source} is no checkout of librdkafka")
    build(source)
    theirs = verdicts(three)
    wanted = only or [t for t, verdict in theirs.items() if verdict == "PASSED" and t[:4] not in EXCEPTED]
    print(f"{len(wanted)} tests" + ("" if only else " that pass on Kafka"))
    with under_test(SETTINGS) as broker:
        passed = run_tests(source, broker, wanted)
        broker.must_live()
    missed = [t for t in wanted if t[:4] not in passed]
    if missed:
        # Some want a quiet machine; some leave topics behind when they fail. What fails alone, too, has failed.
        print(f"again, one at a time, with a new broker: {' '.join(missed)}", flush=True)
        with under_test(SETTINGS) as broker:
            passed |= run_tests(source, broker, missed, {"JOBS": "1"})
            broker.must_live()
    missed = [t for t in wanted if t[:4] not in passed]
    for number, why in ({} if only else EXCEPTED).items():
        for name in (t for t in theirs if t[:4] == number):
            print(f"excepted {name}: {why}")
    print(f"{len(wanted) - len(missed)} of {len(wanted)} pass" + "".join(f"\nmissed: {t}" for t in missed))
    if missed:
        raise SystemExit(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
