#!/usr/bin/env python3
"""All C++ sources are as clang-format 14 writes them. Exit status 77: clang-format-14 is not there."""

import os
import shutil
import subprocess
import sys

import tree


def main():
    if shutil.which("clang-format-14") is None:
        print("skipped: clang-format-14 is not installed (apt-get install clang-format-14)")
        return 1 if os.environ.get("CI") == "true" else 77
    command = ["clang-format-14", "--dry-run", "-Werror", *tree.sources()]
    run = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True)
    files = sorted({line.split(":")[0] for line in run.stderr.splitlines() if "should be clang-formatted" in line})
    if run.returncode and not files:
        print(run.stderr)
    return tree.report([f"{f}: run ./dev format" for f in files], "formatting") or run.returncode


if __name__ == "__main__":
    sys.exit(main())
