"""Records in and out with librdkafka (confluent-kafka), from outside of the containers. Every wait ends."""

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PATIENCE = 60  # seconds


def metadata(bootstrap, topic=None):
    return AdminClient({"bootstrap.servers": bootstrap}).list_topics(topic, timeout=PATIENCE)


def brokers_by(bootstrap):
    """{id: "host:port"} as clients are told there."""
    return {b.id: f"{b.host}:{b.port}" for b in metadata(bootstrap).brokers.values()}


def controller(bootstrap):
    return metadata(bootstrap).controller_id


def leaders(bootstrap, topic):
    return {p.id: p.leader for p in metadata(bootstrap, topic).topics[topic].partitions.values()}


def in_sync(bootstrap, topic):
    """{partition: the nodes that have all of it}"""
    return {p.id: sorted(p.isrs) for p in metadata(bootstrap, topic).topics[topic].partitions.values()}


def create(bootstrap, topic, partitions, replicas=1):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, partitions, replicas)], operation_timeout=PATIENCE)[topic].result(PATIENCE)


def produce(bootstrap, topic, values, partition=0):
    producer = Producer({"bootstrap.servers": bootstrap})
    failed = []
    for value in values:
        producer.produce(topic, value, partition=partition, on_delivery=lambda e, m: e and failed.append(e))
    assert producer.flush(PATIENCE) == 0 and not failed, failed


def consumer_of(bootstrap, group):
    config = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False}
    return Consumer({**config, "auto.offset.reset": "error"})


def consume(bootstrap, topic, count, partition=0):
    """The first records of a partition."""
    consumer = consumer_of(bootstrap, "reader")
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    values, deadline = [], time.monotonic() + PATIENCE
    while len(values) < count:
        assert time.monotonic() < deadline, f"{len(values)} records of {count}"
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            values.append(message.value().decode())
    consumer.close()
    return values


class Stream:
    """A producer that goes on writing to some partitions and a consumer that goes on reading them, at once. Every
    record must be acknowledged, and come once, in its order."""

    def __init__(self, bootstrap, topic, partitions, group):
        self.topic, self.partitions = topic, partitions
        self.written = dict.fromkeys(partitions, 0)
        self.read = dict.fromkeys(partitions, 0)
        self.failures = []
        self.gap = 0.0
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
        self.consumer = consumer_of(bootstrap, group)
        self.consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.consumer.close()

    def go_on(self, count):
        """Until that many records more of each partition were written, acknowledged and read."""
        wanted = {p: n + count for p, n in self.read.items()}
        last, deadline = time.monotonic(), time.monotonic() + PATIENCE
        while self.read != wanted:
            assert time.monotonic() < deadline, f"read {self.read}, wanted {wanted}, failures {self.failures}"
            self._write(wanted)
            self.producer.poll(0)
            message = self.consumer.poll(0.01)
            if message is not None and message.error() is None:
                self.gap = max(self.gap, time.monotonic() - last)
                last = time.monotonic()
                self._take(message)
        assert self.producer.flush(PATIENCE) == 0, "records without an acknowledgement"

    def _write(self, wanted):
        """One record to each partition, a few ahead of the reader."""
        for p in self.partitions:
            if self.written[p] < min(wanted[p], self.read[p] + 10):
                self.producer.produce(self.topic, str(self.written[p]), partition=p, on_delivery=self._acknowledged)
                self.written[p] += 1

    def _acknowledged(self, error, message):
        if error is not None:
            self.failures.append(str(error))

    def _take(self, message):
        p, number = message.partition(), int(message.value())
        if number != self.read[p]:
            self.failures.append(f"record {number} of partition {p} came in the place of {self.read[p]}")
        self.read[p] = number + 1

    def commit(self):
        """In the end in the group, whoever coordinates it."""
        offsets = [TopicPartition(self.topic, p, n) for p, n in self.read.items()]
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.consumer.commit(offsets=offsets, asynchronous=False)
            except Exception as problem:
                if time.monotonic() > deadline:
                    raise
                print(f"commit: {problem}", flush=True)

    def committed(self):
        found = self.consumer.committed([TopicPartition(self.topic, p) for p in self.partitions], timeout=PATIENCE)
        return {p.partition: p.offset for p in found}
