"""The loads. Each takes a started broker (or a way to start one) and gives the figures of one run as a dict."""

import concurrent.futures
import os
import time

import machine
import performance
import wire

TOPIC = "bench"
SPREAD_FIGURES = ("mb_per_s", "broker_cpu_s_per_gb", "client_cpu_s_per_gb")


def connect(broker):
    return wire.Connection(broker.host, broker.port)


def fresh_topic(broker, partitions, name=TOPIC):
    connection = connect(broker)
    connection.delete_topics([name])
    deadline = time.monotonic() + 60
    # Kafka deletes behind the answer: the name is free a little later.
    while errors := connection.create_topics({name: partitions}):
        if time.monotonic() > deadline:
            raise RuntimeError(f"create {name}: {errors}")
        time.sleep(0.05)
    # A log's files are made with its first record: not part of what is measured.
    for partition in range(partitions):
        while connection.produce(name, partition, b"warm") != 0:
            time.sleep(0.05)
    connection.close()


def wait_until_removed(broker, limit=120):
    """The files of topics that were deleted before are removed beside what is written. Kafka keeps its for a minute."""
    deadline = time.monotonic() + limit
    while any(name.endswith(".deleted") for name in os.listdir(broker.data)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{broker.data}: deleted partitions are there after {limit} s")
        time.sleep(0.05)


def _figures(broker, size, run):
    wait_until_removed(broker)
    machine.settle()
    before = machine.cpu_seconds(broker.pid)
    records, seconds, client = run()
    used = machine.cpu_seconds(broker.pid) - before
    gigabytes = records * size / 1e9
    return {
        "mb_per_s": round(records * size / seconds / 1e6, 1),
        "records_per_s": round(records / seconds),
        "broker_cpu_s_per_gb": round(used / gigabytes, 3),
        "broker_cpu_us_per_record": round(used / records * 1e6, 2),
        "client_cpu_s_per_gb": round(client / gigabytes, 3),
        "seconds": round(seconds, 2),
    }


def produce(broker, scale, partitions, count, size, **properties):
    properties = {name.replace("_", "."): value for name, value in properties.items()}
    fresh_topic(broker, partitions)
    count = max(1000, int(count * scale))
    return _figures(broker, size, lambda: performance.produce(broker.bootstrap, TOPIC, count, size, properties))


def produce_1k(broker, scale):
    return produce(broker, scale, 12, 3_000_000, 1024, linger_ms=5)


def produce_100b(broker, scale):
    return produce(broker, scale, 12, 10_000_000, 100, linger_ms=5)


def produce_single(broker, scale):
    return produce(broker, scale, 12, 100_000, 100, linger_ms=0, batch_num_messages=1)


def produce_1000_partitions(broker, scale):
    return produce(broker, scale, 1000, 1_500_000, 1024, linger_ms=5, sticky_partitioning_linger_ms=0)


def produce_spread(broker, scale):
    """In turns, so that the ratio is of one and the same hour. What the client spends is half of the answer: it has the
    same cores."""
    return spread_figures(produce_1k(broker, scale), produce_1000_partitions(broker, scale))


def produce_spread_made(broker, scale):
    """As produce_spread, of requests that are made beforehand: what the broker takes from a client that spends next to
    nothing. Each has one batch, as large as those that librdkafka sends then."""
    few, many = (produce_made(broker, scale, *load) for load in ((12, 940, 3e9), (1000, 135, 1.5e9)))
    return spread_figures(few, many)


def spread_figures(few, many):
    return {
        **{f"{key}_{count}": run[key] for count, run in ((12, few), (1000, many)) for key in SPREAD_FIGURES},
        "ratio_1000_to_12": round(many["mb_per_s"] / few["mb_per_s"], 2),
    }


def syncs_in_bulk(broker, scale):
    """Syncs of as many bytes over a few partitions and over many, in requests that are made beforehand."""
    figures = {}
    for partitions, records in ((12, 940), (1000, 135)):
        fresh_topic(broker, partitions)
        counter = machine.SyncCounter(broker.pid)
        run = send_made(broker, scale, partitions, records, 1.5e9)
        figures[f"per_gb_{partitions}"] = round(counter.count() / (run["mb_per_s"] * run["seconds"] / 1e3))
    figures["times_as_many"] = round(figures["per_gb_1000"] / max(figures["per_gb_12"], 1), 2)
    return figures


def produce_made(broker, scale, partitions, records, size):
    fresh_topic(broker, partitions)
    return send_made(broker, scale, partitions, records, size)


def send_made(broker, scale, partitions, records, size):
    """Over four connections, with 64 MB on their way, like a producer's buffer."""
    batch = wire.batch(b"x" * 1024, records)
    connections = [connect(broker) for _ in range(4)]
    window = int(64e6 / len(connections) / len(batch))
    each = max(window, int(size * scale / len(connections) / len(batch)))

    def send(number):
        connection, errors = connections[number], set()
        for i in range(each + window):
            if i >= window:
                errors.add(wire.produce_error(connection.receive(), TOPIC))
            if i < each:
                partition = (i * len(connections) + number) % partitions
                head = wire.produce_head(TOPIC, partition, len(batch))
                connection.send_parts([wire.framed(wire.PRODUCE, 3, head, len(batch)), batch])
        return errors

    def run():
        begin, before = time.monotonic(), time.process_time()
        with concurrent.futures.ThreadPoolExecutor(len(connections)) as threads:
            errors = set().union(*threads.map(send, range(len(connections))))
        if errors != {0}:
            raise RuntimeError(f"produce: errors {errors}")
        return each * len(connections) * records, time.monotonic() - begin, time.process_time() - before

    figures = _figures(broker, 1024, run)
    for connection in connections:
        connection.close()
    return figures


def consume_1k(broker, scale):
    """Everything is written once; every run reads it again in a new group."""
    count = max(1000, int(3_000_000 * scale))
    if getattr(broker, "filled", 0) != count:
        fresh_topic(broker, 12, "consume")
        performance.produce(broker.bootstrap, "consume", count, 1024, {"linger.ms": 5})
        broker.filled = count
    group = f"bench-{time.monotonic_ns()}"
    return _figures(broker, 1024, lambda: performance.consume(broker.bootstrap, "consume", count, group))


def first_ack(make_broker, _scale):
    """From exec on an empty directory to the first acknowledged record, its topic made on the way."""
    broker = make_broker()
    try:
        broker.prepare()
        begin = time.monotonic()
        broker.spawn()
        connection = None
        while connection is None:
            try:
                connection = connect(broker)
            except OSError:
                if time.monotonic() - begin > 60:
                    raise
        answered = time.monotonic() - begin
        connection.create_topics({TOPIC: 1})
        while connection.produce(TOPIC, 0, b"first") != 0:
            pass
        acked = time.monotonic() - begin
        connection.close()
        return {"listening_ms": round(answered * 1000, 1), "first_ack_ms": round(acked * 1000, 1)}
    finally:
        broker.remove()


def idle(make_broker, _scale, seconds=10, connections=1000):
    broker = make_broker()
    try:
        broker.start()
        time.sleep(12)  # the checkpoint after a start is written ten seconds later, once
        cpu, woken = machine.cpu_seconds(broker.pid), machine.wakeups(broker.pid)
        time.sleep(seconds)
        figures = {
            "idle_rss_mb": round(machine.rss_kib(broker.pid) / 1024, 1),
            "idle_cpu_percent": round((machine.cpu_seconds(broker.pid) - cpu) / seconds * 100, 2),
            "idle_wakeups_per_s": round((machine.wakeups(broker.pid) - woken) / seconds, 1),
        }
        before, held = machine.rss_kib(broker.pid), []
        for _ in range(connections):
            held.append(connect(broker))
            held[-1].api_versions()
        time.sleep(1)
        figures["kib_per_idle_connection"] = round((machine.rss_kib(broker.pid) - before) / connections, 2)
        return figures
    finally:
        broker.remove()


def many_topics(make_broker, _scale, topics=10_000):
    """Ten thousand topics by one request; then the start and the memory with them."""
    broker = make_broker()
    topics = getattr(broker, "topics_per_request_max", topics)
    try:
        broker.start()
        connection = connect(broker)
        begin = time.monotonic()
        errors = connection.create_topics({f"topic-{i}": 1 for i in range(topics)})
        created = time.monotonic() - begin
        if errors:
            raise RuntimeError(f"{len(errors)} of {topics} topics: error {next(iter(errors.values()))}")
        for i in range(topics):
            while connection.produce(f"topic-{i}", 0, b"one") != 0:
                time.sleep(0.01)
        connection.close()
        broker.stop()
        machine.settle()
        started = broker.start()
        connection = connect(broker)
        while connection.produce(f"topic-{topics - 1}", 0, b"two") != 0:
            time.sleep(0.01)
        return {
            "topics": topics,
            "create_s": round(created, 3),
            "start_s": round(started, 3),
            "rss_mb": round(machine.rss_kib(broker.pid) / 1024, 1),
        }
    finally:
        broker.remove()


def start_after_kill(make_broker, scale):
    """kill -9 with 10 GB in 12 logs; then exec to the first answer, and to the first record that is acknowledged."""
    broker = make_broker()
    count = max(1000, int(10_000_000 * scale))
    try:
        broker.start()
        fresh_topic(broker, 12)
        performance.produce(broker.bootstrap, TOPIC, count, 1024, {"linger.ms": 5})
        broker.kill()
        machine.settle()
        begin = time.monotonic()
        broker.start()
        answered = time.monotonic() - begin
        connection = connect(broker)
        while connection.produce(TOPIC, 0, b"again") != 0:
            time.sleep(0.001)
        acked = time.monotonic() - begin
        size = sum(file.stat().st_size for file in broker.data.rglob("*.log"))
        return {"log_gb": round(size / 1e9, 1), "start_s": round(answered, 3), "first_ack_s": round(acked, 3)}
    finally:
        broker.remove()
