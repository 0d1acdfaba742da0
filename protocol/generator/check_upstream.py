#!/usr/bin/env python3
"""Compares the .msg files with Kafka's own definitions, where those are available as facts:

    check_upstream.py [FOLDER]      a folder of NN_Name.json and other/*.json; default ../shared/wire/schema

For every message and every version: the same fields in the same order with the same wire type, nullability,
tag, default and mark lossy. Exit code 77 (skipped) when there is no such folder.
"""

import glob
import json
import os
import sys

sys.dont_write_bytecode = True

from model import NEVER, SCALARS, snake_case  # noqa: E402
from parse import parse_file  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def upstream_range(text):
    """`3+`, `0-12`, `4`, `none` as a pair of versions, or None."""
    if text in (None, "none"):
        return None
    if text.endswith("+"):
        return int(text[:-1]), NEVER
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def holds(text, version):
    found = upstream_range(text)
    return found is not None and found[0] <= version <= found[1]


def upstream_default(field):
    value = field.get("default")
    if value is None or value == "":
        return None
    text = str(value).lower()
    if text in ("null", "true", "false"):
        return {"null": "null", "true": 1, "false": None}[text]
    return int(text, 0) or None


def upstream_rows(fields, version, path=""):
    rows = []
    for field in fields:
        if not holds(field.get("versions") or field.get("taggedVersions"), version):
            continue
        name = f"{path}/{snake_case(field['name'])}"
        array = field["type"].startswith("[]")
        base = field["type"].removeprefix("[]")
        nullable = holds(field.get("nullableVersions"), version)
        # A default of null counts only where null may be: else Kafka's field is empty.
        default = upstream_default(field)
        if default == "null" and upstream_range(field.get("nullableVersions")) is None:
            default = None
        tag = field["tag"] if holds(field.get("taggedVersions"), version) else None
        rows.append((name, base, array, nullable, tag, default, bool(field.get("ignorable"))))
        if base not in SCALARS:
            rows += upstream_rows(field["fields"], version, name)
    return rows


def our_rows(message, struct, version, path=""):
    rows = []
    for field in struct.fields:
        if version not in field.versions:
            continue
        name = f"{path}/{field.name}"
        nullable = field.nullable is not None and version in field.nullable
        default = field.default if field.default == "null" else (int(field.default or 0) or None)
        rows.append((name, field.type, field.array, nullable, field.tag, default, field.lossy))
        if field.is_struct:
            rows += our_rows(message, message.structs[field.type], version, name)
    return rows


def compare(message, facts, key, where):
    problems = []
    versions = upstream_range(facts["validVersions"])
    if versions != (message.versions.first, message.versions.last):
        return [f"{where}: versions {facts['validVersions']} upstream, {message.versions} here"]
    flexible = upstream_range(facts.get("flexibleVersions")) or (NEVER, NEVER)
    if flexible[0] != message.flexible:
        problems.append(f"{where}: flexible from {flexible[0]} upstream, from {message.flexible} here")
    if key != message.key:
        problems.append(f"{where}: number {key} upstream, {message.key} here")
    for version in message.versions:
        theirs = upstream_rows(facts.get("fields", []), version)
        ours = our_rows(message, message.root, version)
        for here, there in zip(ours + [None] * len(theirs), theirs + [None] * len(ours)):
            if here != there:
                problems.append(f"{where} version {version}: {there} upstream, {here} here")
                break
    return problems


def upstream(folder):
    """(message name, its facts, its number) of all that have a version."""
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as handle:
            api = json.load(handle)
        for kind in ("request", "response"):
            if api[kind]["validVersions"] != "none":
                unstable = api.get("latestVersionUnstable", False)
                yield api[kind]["name"], api[kind], api["apiKey"], unstable
    for path in sorted(glob.glob(os.path.join(folder, "other", "*.json"))):
        with open(path, encoding="utf-8") as handle:
            record = json.load(handle)
        if record["type"] != "header":  # protocol/header.h, by hand
            yield record["name"], record, record.get("apiKey"), False


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "..", "shared", "wire", "schema")
    if not os.path.isdir(folder):
        print(f"skipped: no folder {folder} with Kafka's definitions")
        return 77
    ours = {}
    for path in glob.glob(os.path.join(ROOT, "protocol/schema/*.msg")) + glob.glob(
            os.path.join(ROOT, "protocol/schema/records/*.msg")):
        for message in parse_file(path).messages:
            ours[message.name] = (message, os.path.relpath(path, ROOT))
    problems, count, versions = [], 0, 0
    for name, facts, key, unstable in upstream(folder):
        if name not in ours:
            problems.append(f"{name}: not here")
            continue
        message, path = ours.pop(name)
        problems += compare(message, facts, key, f"{path}: {name}")
        if unstable != (message.unstable == message.versions.last):
            problems.append(f"{path}: {name}: the last version is {'' if unstable else 'not '}unstable upstream")
        count += 1
        versions += message.versions.last - message.versions.first + 1
    problems += [f"{path}: {name}: not upstream" for name, (_, path) in ours.items()]
    for problem in problems:
        print(problem)
    print(f"{count} messages, {versions} versions, {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
