"""Just enough of Kafka's protocol to time what a client library would blur: a start, one acknowledged record, ten
thousand topics in one request, a thousand idle connections. Not a client."""

import socket
import struct
import time

PRODUCE, METADATA, OFFSET_COMMIT, FIND_COORDINATOR, API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS = 0, 3, 8, 10, 18, 19, 20


def crc32c(data, table=[]):
    """CRC-32C. Slow: a megabyte takes a good part of a second."""
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def text(value):
    data = value.encode()
    return struct.pack(">h", len(data)) + data


def varint(value):
    value, out = value << 1 ^ value >> 31, bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def batch(value, count=1):
    """A v2 batch of so many records."""
    now, records = int(time.time() * 1000), bytearray()
    for offset in range(count):
        record = b"\0" + varint(0) + varint(offset) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(record)) + record
    body = struct.pack(">hiqqqhii", 0, count - 1, now, now, -1, -1, -1, count) + records
    return struct.pack(">qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body


class Connection:
    def __init__(self, host, port, timeout=120):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.socket.close()

    def call(self, key, version, body):
        """The response body, behind the correlation id."""
        self.send(key, version, body)
        return self.receive()

    def send(self, key, version, body):
        self.socket.sendall(framed(key, version, body))

    def receive(self):
        size = struct.unpack(">i", self._receive(4))[0]
        return self._receive(size)[4:]

    def _receive(self, size):
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("the broker closed the connection")
            data += part
        return bytes(data)

    def api_versions(self):
        return self.call(API_VERSIONS, 0, b"")

    def create_topics(self, topics, timeout_ms=120000, replication=1):
        """`topics`: {name: partitions}. The error codes that are not 0, by topic."""
        return create_topics_errors(self.call(CREATE_TOPICS, 4, create_topics_body(topics, timeout_ms, replication)))

    def partitions(self, topic):
        """[(node that leads, nodes in sync)] by partition; empty while the topic is not known. -1: nobody leads."""
        return _partitions(self.call(METADATA, 1, struct.pack(">i", 1) + text(topic)))

    def delete_topics(self, names, timeout_ms=120000):
        body = struct.pack(">i", len(names)) + b"".join(map(text, names)) + struct.pack(">i", timeout_ms)
        return _errors(self.call(DELETE_TOPICS, 3, body)[4:], message=False)

    def find_coordinator(self, group):
        """(error code, host, port)."""
        answer = self.call(FIND_COORDINATOR, 0, text(group))
        error, _, size = struct.unpack_from(">hih", answer)
        return error, answer[8 : 8 + size].decode(), struct.unpack_from(">i", answer, 8 + size)[0]

    def produce(self, topic, partition, value, acks=-1):
        """The error code of one record."""
        records = batch(value)
        return produce_error(self.call(PRODUCE, 3, produce_head(topic, partition, len(records), acks) + records), topic)

    def send_parts(self, parts):
        """Of one buffer or several, without a copy."""
        sent = self.socket.sendmsg(parts)
        for part in parts:
            if sent < len(part):
                self.socket.sendall(memoryview(part)[sent:])
            sent = max(0, sent - len(part))


def produce_head(topic, partition, size, acks=-1):
    """What comes before the batch of one partition."""
    return struct.pack(">hhii", -1, acks, 30000, 1) + text(topic) + struct.pack(">iii", 1, partition, size)


def produce_error(answer, topic):
    return struct.unpack_from(">h", answer, 4 + 2 + len(topic) + 4 + 4)[0]


def framed(key, version, body, more=0):
    """A request of which `more` bytes follow."""
    frame = struct.pack(">hhi", key, version, 1) + text("bench") + body
    return struct.pack(">i", len(frame) + more) + frame


def create_topics_body(topics, timeout_ms=120000, replication=1):
    body = struct.pack(">i", len(topics))
    for name, partitions in topics.items():
        body += text(name) + struct.pack(">ihii", partitions, replication, 0, 0)
    return body + struct.pack(">ib", timeout_ms, 0)


def create_topics_errors(answer):
    return _errors(answer[4:], message=True)


def offset_commit_body(group, topic, partition, offset):
    """Of nobody's member: without a generation."""
    return (
        text(group)
        + struct.pack(">i", -1)
        + text("")
        + struct.pack(">qi", -1, 1)
        + text(topic)
        + struct.pack(">iiq", 1, partition, offset)
        + text("")
    )


def offset_commit_error(answer):
    """Of one partition of one topic, which come last."""
    return struct.unpack(">h", answer[-2:])[0]


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def numbers(self):
        return [self.number(">i") for _ in range(self.number(">i"))]

    def skip(self, form):
        """`s`: a text; else a number."""
        for kind in form:
            size = self.number(">h") if kind == "s" else struct.calcsize(">" + kind)
            self.at += max(0, size)


def _partitions(answer):
    """Of the one topic in a Metadata response of version 1."""
    reader, found = _Reader(answer), {}
    for _ in range(reader.number(">i")):
        reader.skip("isis")  # a broker
    reader.skip("iihsb")  # the controller; one topic
    for _ in range(reader.number(">i")):
        reader.skip("h")
        index, leader = reader.number(">i"), reader.number(">i")
        reader.numbers()  # the replicas
        found[index] = (leader, reader.numbers())
    return [found[index] for index in sorted(found)]


def _errors(answer, message):
    """{topic: code} of an array of (name, error code[, message])."""
    count, at, result = struct.unpack_from(">i", answer)[0], 4, {}
    for _ in range(count):
        size = struct.unpack_from(">h", answer, at)[0]
        name = answer[at + 2 : at + 2 + size].decode()
        at += 2 + size
        code = struct.unpack_from(">h", answer, at)[0]
        at += 2
        if message:
            at += 2 + max(0, struct.unpack_from(">h", answer, at)[0])
        if code != 0:
            result[name] = code
    return result
