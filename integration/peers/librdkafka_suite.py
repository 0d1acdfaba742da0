#!/usr/bin/env python3
"""librdkafka's own tests against a chronik of its own: each that passes on one node of Apache Kafka must pass here.

    JOBS=4 LIMIT=240 LOGS=DIR librdkafka_suite.py SOURCE [NNNN ...]

SOURCE is a checkout of confluentinc/librdkafka 2.15 (git clone -b v2.15.0 ...), built by the first run; NNNN: only
these tests, excepted or not. JOBS at a time (4), LIMIT seconds each (240), a log of each in LOGS. About ten minutes
on two cores. What passes on Kafka is the table of ../shared/peers/librdkafka-verdicts.md; EXCEPTED says which of
those need what chronik does not have yet. What fails is run once more, alone, with a new broker. TEST_BROKER=kafka runs
against Kafka.
"""

import os
import re
import subprocess
import sys
import tempfile

import brokers

SHARE_GROUPS = "share groups (KIP-932)"
TRANSACTIONS = "transactions"
# The tests that need ACLs (0081, 0109, 0115, 0119) or KIP-848 fail or skip on Kafka as it runs here, too.
EXCEPTED = {
    "0055": TRANSACTIONS + ": one of its cases measures commit_transaction",
    "0061": TRANSACTIONS + ": the lag behind a transaction's markers",
    "0129": TRANSACTIONS + ": fetches aborted ones",
    "0137": TRANSACTIONS + ": batches between control records",
    **{str(number).zfill(4): SHARE_GROUPS for number in range(170, 191)},
}
# 0089 and 0118 count on one rebalance for two consumers that start together. These ask to join up to 50 ms apart: a
# client whose first metadata request misses its topic tries no other connection for that long. With a delay of 0 on a
# busy machine Kafka failed 3 of 10 and 4 of 20 runs of them, chronik 3 and 3; with this delay neither failed any.
SETTINGS = {
    "auto.create.topics.enable": "true",
    "num.partitions": "4",
    "group.initial.rebalance.delay.ms": "100",
}
LOGS = os.environ.get("LOGS") or tempfile.mkdtemp(prefix="librdkafka-tests-")


def expected():
    """Names of the tests that pass on one node of Kafka."""
    text = (brokers.SHARED / "peers/librdkafka-verdicts.md").read_text()
    return re.findall(r"^\| (\d{4}_\w+) \| PASSED", text, re.M)


def run_tests(source, broker, tests, environment=None):
    """The names of those that passed."""
    run = subprocess.run(
        [str(brokers.SHARED / "peers/librdkafka-tests"), source, broker.bootstrap, *(t[:4] for t in tests)],
        stdout=subprocess.PIPE,
        text=True,
        # Unbuffered, the verdicts of tests that end together would run into one another.
        env={**os.environ, "LOGS": LOGS, "PYTHONUNBUFFERED": "", **(environment or {})},
    )
    print(run.stdout, flush=True)
    return set(re.findall(r"^PASSED \d{4} (\S+)", run.stdout, re.M))


def must_live(broker):
    if broker.process is not None and broker.process.poll() is not None:
        raise SystemExit(f"the broker has ended with exit status {broker.process.returncode}")


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    source, only = sys.argv[1], sys.argv[2:]
    brokers.require((brokers.SHARED / "peers/librdkafka-tests").exists(), f"{brokers.SHARED}/peers is not there")
    brokers.require(os.path.exists(f"{source}/tests/test.c"), f"{source} is no checkout of librdkafka")
    wanted = [t for t in expected() if (t[:4] in only if only else t[:4] not in EXCEPTED)]
    print(f"{len(wanted)} tests that pass on Kafka")
    with brokers.broker_under_test(SETTINGS) as broker:
        passed = run_tests(source, broker, wanted)
        must_live(broker)
    missed = [t for t in wanted if t not in passed]
    if missed:
        # Some want a quiet machine; some leave topics behind when they fail. What fails alone, too, has failed.
        print(f"again, one at a time, with a new broker: {' '.join(missed)}", flush=True)
        with brokers.broker_under_test(SETTINGS) as broker:
            passed |= run_tests(source, broker, missed, {"JOBS": "1"})
            must_live(broker)
    missed = [t for t in wanted if t not in passed]
    for number, why in ({} if only else EXCEPTED).items():
        for name in (t for t in expected() if t[:4] == number):
            print(f"excepted {name}: {why}")
    print(f"{len(wanted) - len(missed)} of {len(wanted)} pass" + "".join(f"\nmissed: {t}" for t in missed))
    if missed:
        raise SystemExit(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
