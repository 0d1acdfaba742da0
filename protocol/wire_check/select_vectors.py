#!/usr/bin/env python3
"""Chooses the vectors that the tests carry (protocol/testdata/wire) from a whole folder of them:

    select_vectors.py FROM TO

Per message: every kind at the first, the last and the first flexible version, one line at the others; lines
over LINE_MAX characters only where a kind has no shorter one. Tables and headers whole. Of the batches, one of
each kind and codec; of the broken ones all, without what wire_check does not look at.
"""
import json
import pathlib
import shutil
import sys

LINE_MAX = 600


def chosen(lines):
    vectors = [(json.loads(line), line) for line in lines]
    versions = sorted({v["v"] for v, _ in vectors})
    flexible = [v["v"] for v, _ in vectors if v["flexible"]]
    whole = {versions[0], versions[-1], *flexible[:1]}
    taken = set()
    for vector, line in sorted(vectors, key=lambda pair: len(pair[1]) > LINE_MAX):
        kind = vector["kind"] if vector["v"] in whole else "any"
        if (vector["v"], kind) in taken or vector["v"] not in whole and vector["kind"] != "random":
            continue
        if kind in ("long", "leafnulls", "maxi", "any") and len(line) > LINE_MAX:
            continue
        taken.add((vector["v"], kind))
        yield line


def one_of_each(lines, kind):
    seen = {}
    for line in lines:
        seen.setdefault(kind(json.loads(line)), line)
    return seen.values()


def without_unused(line):
    """Keeps the stage that gave the answer, and what the answer is compared with."""
    vector = json.loads(line)
    stage = vector["answer"].get("stage", "log_append")
    keep = ("id", "note", "produce_version", "topic_config", "hex", stage, "answer")
    return json.dumps({k: vector[k] for k in keep if k in vector}, separators=(",", ":"), ensure_ascii=False) + "\n"


def select_batches(source, target):
    def read(name):
        return (source / name).read_text(encoding="utf-8").splitlines(keepends=True)

    def write(name, lines):
        (target / name).write_text("".join(lines), encoding="utf-8")

    write("batches.jsonl", one_of_each(read("batches.jsonl"),
                                       lambda v: (v["kind"], v["magic"], v.get("fields", {}).get("codec"))))
    write("broken.jsonl", map(without_unused, read("broken.jsonl")))
    write("validated.jsonl", one_of_each(read("validated.jsonl"), lambda v: (v["source_codec"], v["compression_type"],
                                                                             v["timestamp_type"])))


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    for folder in ("messages", "messages_other"):
        (target / folder).mkdir(parents=True, exist_ok=True)
        for file in sorted((source / folder).glob("*.jsonl")):
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            keep = set(chosen(lines))
            (target / folder / file.name).write_text("".join(l for l in lines if l in keep), encoding="utf-8")
    for name in ("headers.jsonl", "header_versions.tsv", "murmur2.tsv", "group_partition.tsv", "crc32c.tsv"):
        shutil.copyfile(source / name, target / name)
    select_batches(source, target)


if __name__ == "__main__":
    main()
