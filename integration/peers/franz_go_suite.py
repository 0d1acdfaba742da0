#!/usr/bin/env python3
"""franz-go's own tests against three nodes of Kafka, then against three of chronik: what passes there must pass here.

    LOGS=DIR franz_go_suite.py SOURCE [PATTERN]

SOURCE is a checkout of twmb/franz-go (1.21 was used), whose package kgo has the tests that need a broker; PATTERN: only
these tests (a regular expression of go test), excepted or not. Topics have three replicas. KGO_TEST_RECORDS is what the
longest test passes through three chained groups (50000 here; 500000 is franz-go's own, for machines with more than two
cores). What fails is run once more, alone, with a new cluster. TEST_BROKER=kafka or chronik runs against that one only.
The logs of the clients are in LOGS.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import brokers
import clusters

# Tests that pass on Kafka and need what chronik does not have yet. Cases of KIP-848 and tests of share groups skip by
# themselves where a broker does not offer them: those verdicts are counted as excepted by SKIPPED_WITHOUT.
EXCEPTED = {"TestTxnEtl": "transactions"}
SKIPPED_WITHOUT = {
    "TestShareGroup": "share groups (KIP-932)",
    "/848": "the new group protocol (KIP-848)",
}
# Groups of franz-go's tests form with Kafka's own default delay of 3 s in its CI; a short one is enough.
SETTINGS = {"group.initial.rebalance.delay.ms": "100"}
LIMIT = "20m"
LOGS = pathlib.Path(os.environ.get("LOGS") or tempfile.mkdtemp(prefix="franz-go-tests-"))


def run_tests(source, cluster, log, only=None, without=()):
    """The verdict of each test and of each of its cases: pass, fail or skip."""
    command = ["go", "test", "-json", "-count=1", f"-timeout={LIMIT}", "./pkg/kgo"]
    command += [f"-run={only}"] if only else []
    command += [f"-skip=^({'|'.join(without)})$"] if without else []
    environment = {
        "KGO_TEST_RECORDS": "50000",
        "KGO_TEST_STABLE_FETCH": "true",
        **os.environ,
        "KGO_SEEDS": cluster.bootstrap,
        "KGO_TEST_RF": "3",
    }
    with open(LOGS / f"{log}.json", "wb") as out:
        subprocess.run(command, cwd=source, stdout=out, stderr=out, env=environment)
    verdicts = {}
    for line in (LOGS / f"{log}.json").read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # of the compiler
        name = event.get("Test")
        if name and event["Action"] == "run":
            verdicts[name] = "no end"
        elif name and event["Action"] in ("pass", "fail", "skip"):
            verdicts[name] = event["Action"]
    if not verdicts:
        raise SystemExit(f"no test ran: see {LOGS / log}.json")
    return verdicts


def judge(source, name, make, only, without):
    """The verdicts of one broker; a failure counts when it fails alone, too."""
    with make(SETTINGS) as cluster:
        verdicts = run_tests(source, cluster, name, only, without)
        cluster.must_live()
    failed = sorted({test.split("/")[0] for test, verdict in verdicts.items() if verdict in ("fail", "no end")})
    for test in failed:
        print(f"{name}: again, alone, with a new cluster: {test}", flush=True)
        with make(SETTINGS) as cluster:
            verdicts |= run_tests(source, cluster, f"{name}-{test}", f"^{test}$")
            cluster.must_live()
    count = {v: list(verdicts.values()).count(v) for v in sorted(set(verdicts.values()))}
    print(f"{name}: " + ", ".join(f"{n} {v}" for v, n in count.items()), flush=True)
    return verdicts


def why_excepted(test):
    if test.split("/")[0] in EXCEPTED:
        return EXCEPTED[test.split("/")[0]]
    return next((why for part, why in SKIPPED_WITHOUT.items() if part in test), None)


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 2
    source, only = sys.argv[1], (sys.argv[2:] or [None])[0]
    brokers.require_programs("go")
    brokers.require((pathlib.Path(source) / "pkg/kgo/helpers_test.go").exists(), f"{source} is no checkout of franz-go")
    LOGS.mkdir(parents=True, exist_ok=True)
    chosen, theirs, ours = os.environ.get("TEST_BROKER"), None, None
    if chosen != "chronik":
        brokers.install_kafka()
        theirs = judge(source, "kafka", clusters.KafkaCluster, only, ())
    if chosen != "kafka":
        ours = judge(source, "chronik", clusters.ChronikCluster, only, () if only else EXCEPTED)
    missed = [] if theirs and ours else [t for t, v in (theirs or ours).items() if v in ("fail", "no end")]
    if theirs and ours:
        for test in sorted(t for t, verdict in theirs.items() if verdict == "pass" and ours.get(t) != "pass"):
            why = why_excepted(test)
            print(f"excepted {test}: {why}" if why else f"differs {test}: {ours.get(test, 'not run')}")
            missed += [] if why else [test]
    print(f"logs: {LOGS}")
    print("\n".join(f"missed: {test}" for test in missed) or "nothing is missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
