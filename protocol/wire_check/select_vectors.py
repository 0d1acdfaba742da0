#!/usr/bin/env python3
"""Chooses the vectors that the tests carry (protocol/testdata/wire) from a whole folder of them:

    select_vectors.py FROM TO

Per message: every kind at the first, the last and the first flexible version, one line at the others; lines
over LINE_MAX characters only where a kind has no shorter one. Tables and headers whole.
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


if __name__ == "__main__":
    main()
