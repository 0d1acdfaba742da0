"""scenario.md with confluent-kafka (librdkafka's newest)."""

import collections
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP, TOPIC, PARTITIONS, EACH = sys.argv[1], "scenario", 6, 300
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PATIENCE = 60


def produce(producer, prefix):
    failed = []
    for i in range(EACH):
        producer.produce(TOPIC, f"{prefix}:{i}", f"k{i % 10}", on_delivery=lambda e, m: e and failed.append(e))
        producer.poll(0)
    assert producer.flush(PATIENCE) == 0 and not failed, failed


def consumer(**more):
    config = {
        "bootstrap.servers": BOOTSTRAP,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 10000,
        **more,
    }
    return Consumer(config)


def poll_until(members, seen, done, what):
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"no {what}: {[len(m.assignment()) for m in members]}, {len(seen)} seen"
        for member in members:
            messages = [m for m in member.consume(100, 0.02) if m.error() is None]
            seen.update(m.value().decode() for m in messages)
            if messages:
                member.commit(asynchronous=True)


def check_all(total):
    reader = consumer(**{"group.id": "reader"})
    reader.assign([TopicPartition(TOPIC, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    ends = sum(reader.get_watermark_offsets(TopicPartition(TOPIC, p), timeout=PATIENCE)[1] for p in range(PARTITIONS))
    assert ends == total, f"the log holds {ends} records, not {total}"
    last = {}
    deadline = time.monotonic() + PATIENCE
    seen = set()
    while len(seen) < total and time.monotonic() < deadline:
        message = reader.poll(0.1)
        if message is None or message.error():
            continue
        prefix, number = message.value().decode().split(":")
        key = prefix, message.key()
        assert last.get(key, -1) < int(number), f"{message.value()} after {last[key]}"
        last[key] = int(number)
        seen.add(message.value())
    assert len(seen) == total, f"{len(seen)} of {total}"
    reader.close()


def main():
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(PATIENCE)
    safe = {"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True}
    for codec in CODECS:
        produce(Producer({**safe, "compression.type": codec}), codec)
    seen = collections.Counter()
    a, b = consumer(**{"group.id": "g"}), consumer(**{"group.id": "g"})
    a.subscribe([TOPIC])
    poll_until([a], seen, lambda: len(a.assignment()) == 6, "assignment of all partitions")
    b.subscribe([TOPIC])
    poll_until([a, b], seen, lambda: len(a.assignment()) == len(b.assignment()) == 3, "shared assignment")
    poll_until([a, b], seen, lambda: len(seen) == EACH * len(CODECS), "whole topic")
    producer = Producer(safe)
    print("RESTART", flush=True)
    sys.stdin.readline()
    produce(producer, "after")
    total = EACH * (len(CODECS) + 1)
    poll_until([a, b], seen, lambda: len(seen) == total, "records after the restart")
    for member in (a, b):
        read = [p for p in member.position(member.assignment()) if p.offset >= 0]
        member.commit(offsets=read, asynchronous=False)
    b.close()
    poll_until([a], seen, lambda: len(a.assignment()) == 6, "assignment of all partitions")
    partitions = [TopicPartition(TOPIC, p) for p in range(PARTITIONS)]
    committed = sum(p.offset for p in a.committed(partitions, timeout=PATIENCE))
    assert committed == total, f"committed {committed} of {total}"
    a.close()
    check_all(total)
    print("OK", total)


main()
