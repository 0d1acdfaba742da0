#!/usr/bin/env python3
"""Generates C++ from .msg files. Run by CMake (cmake/messages.cmake); by hand:

    generate.py --include protocol --namespace protocol --sources 12 --out DIR schema/*.msg ...

Writes DIR/<include>/messages/<api>.h, DIR/<include>/records/<name>.h and the sources
DIR/<include>/messages_<n>.cc and messages_catalog.cc. A file that would not change is left alone, so
that a changed schema rebuilds only its own readers.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True

from emit import Emitter  # noqa: E402
from parse import SchemaError, parse_file  # noqa: E402


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as handle:
            if handle.read() == text:
                return
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def weight(file):
    return sum(len(s.fields) + 2 for m in file.messages for s in [m.root, *m.structs.values()])


def groups(files, count):
    """`count` runs of files of about equal weight; empty ones where there are too few files."""
    runs = [[] for _ in range(count)]
    total, done = sum(map(weight, files)), 0
    for file in files:
        runs[min(count - 1, done * count // max(total, 1))].append(file)
        done += weight(file)
    return runs


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--include", required=True, help="folder of the headers, as includes name it")
    arguments.add_argument("--namespace", required=True, help="below chronik::")
    arguments.add_argument("--sources", type=int, default=1, help="number of sources to spread over")
    arguments.add_argument("--out", required=True)
    arguments.add_argument("files", nargs="+")
    options = arguments.parse_args()
    try:
        files = [parse_file(path) for path in options.files]
    except SchemaError as error:
        sys.exit(str(error))
    root = os.path.commonpath([os.path.dirname(f.path) for f in files])
    for file in files:
        file.path = os.path.join(options.include, "schema", os.path.relpath(file.path, root))
    names = [m.name for f in files for m in f.messages]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        sys.exit(f"two files define {', '.join(sorted(twice))}; rename one")
    emitter = Emitter(options.namespace, options.include)
    base = os.path.join(options.out, options.include)
    for file in files:
        write(os.path.join(base, file.folder, file.stem + ".h"), emitter.header(file))
    for number, run in enumerate(groups(files, options.sources)):
        write(os.path.join(base, f"messages_{number}.cc"), emitter.source(run))
    write(os.path.join(base, "messages_catalog.cc"), emitter.catalog(files))


if __name__ == "__main__":
    main()
