"""scenario.md with aiokafka: asyncio, its own protocol code."""

import asyncio
import collections
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BOOTSTRAP, TOPIC, PARTITIONS, EACH = sys.argv[1], "scenario", 6, 300
CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
PATIENCE = 60


async def produce(producer, prefix):
    sends = [await producer.send(TOPIC, f"{prefix}:{i}".encode(), key=b"k%d" % (i % 10)) for i in range(EACH)]
    await asyncio.wait_for(asyncio.gather(*sends), PATIENCE)


async def make_producer(codec=None):
    producer = AIOKafkaProducer(
        bootstrap_servers=BOOTSTRAP, enable_idempotence=True, compression_type=codec, linger_ms=5
    )
    await producer.start()
    return producer


async def make_consumer(*topics, group):
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=BOOTSTRAP,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=10000,
        heartbeat_interval_ms=500,
    )
    await consumer.start()
    return consumer


async def poll_until(members, seen, done, what):
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"no {what}: {[len(m.assignment()) for m in members]}, {len(seen)} seen"
        for member in members:
            for records in (await member.getmany(timeout_ms=50)).values():
                seen.update(r.value.decode() for r in records)


async def check_all(total):
    reader = await make_consumer(group=None)
    partitions = [TopicPartition(TOPIC, p) for p in range(PARTITIONS)]
    reader.assign(partitions)
    ends = await reader.end_offsets(partitions)
    assert sum(ends.values()) == total, f"the log holds {ends}, not {total} records"
    await reader.seek_to_beginning()
    seen, last, deadline = set(), {}, time.monotonic() + PATIENCE
    while len(seen) < total and time.monotonic() < deadline:
        for records in (await reader.getmany(timeout_ms=100)).values():
            for record in records:
                prefix, number = record.value.decode().split(":")
                assert last.get((prefix, record.key), -1) < int(number), f"{record.value} out of order"
                last[prefix, record.key] = int(number)
                seen.add(record.value)
    assert len(seen) == total, f"{len(seen)} of {total}"
    await reader.stop()


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
    await admin.close()
    for codec in CODECS:
        producer = await make_producer(codec)
        await produce(producer, codec or "none")
        await producer.stop()
    seen = collections.Counter()
    a = await make_consumer(TOPIC, group="g")
    await poll_until([a], seen, lambda: len(a.assignment()) == 6, "assignment of all partitions")
    b = await make_consumer(TOPIC, group="g")
    await poll_until([a, b], seen, lambda: len(a.assignment()) == len(b.assignment()) == 3, "shared assignment")
    await poll_until([a, b], seen, lambda: len(seen) == EACH * len(CODECS), "whole topic")
    await a.commit()
    await b.commit()
    producer = await make_producer()
    print("RESTART", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await produce(producer, "after")
    await producer.stop()
    total = EACH * (len(CODECS) + 1)
    await poll_until([a, b], seen, lambda: len(seen) == total, "records after the restart")
    await a.commit()
    await b.commit()
    await b.stop()
    await poll_until([a], seen, lambda: len(a.assignment()) == 6, "assignment of all partitions")
    committed = sum([await a.committed(TopicPartition(TOPIC, p)) or 0 for p in range(PARTITIONS)])
    assert committed == total, f"committed {committed} of {total}"
    await a.stop()
    await check_all(total)
    print("OK", total)


asyncio.run(main())
