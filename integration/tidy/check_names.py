#!/usr/bin/env python3
"""Names and words that have no place here: names without a subject, paths of one machine, unfinished work, sleeps."""

import re
import sys

import tree

SUBJECTLESS = re.compile(r"(^|[/_.])(utils?|common|helpers?|managers?|impl|misc)([/_.]|$)")
SUBJECTLESS_TYPE = re.compile(
    r"\b(?:class|struct|enum class)\s+(?:\[\[\w+\]\]\s+)?(\w*(?:Utils?|Common|Helpers?|Manager|Impl|Misc))\b"
)
# Names that the seed of the project fixed.
KEPT_NAMES = {"RaftReplicaManager", "raft_replica_manager"}
MACHINE = re.compile(r"(?<![\w.$}~-])/" + r"(?:work|farm|root|home/\w+|Users/\w+)/[A-Za-z.]")
# (files, words, why)
WORDS = [
    (
        r".*\.(h|cc|py|java|go|js|rs|msg|sh|txt)$|dev$|\.ci/.*",
        r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b",
        "finish it, or write an issue",
    ),
    (
        r".*\.(h|cc)$",
        r"\bthis_thread::sleep_\w+|(?<![\w.>])(usleep|nanosleep|sleep)\s*\(",
        "wait for the event itself",
    ),
    (r".*\.cc$", r"\bDISABLED_", "a test runs or goes"),
    (r".*\.h$", r"\busing namespace (?!\w+_literals|std::(\w+::)?\w*literals)", "name what you use"),
    (
        r"(base|protocol|wal|raft|metadata|broker)/.*(?<!_test)\.(h|cc)$",
        r"\b(throw|catch)\b(?!\s*\(\.\.\.\))",
        "no exceptions of ours: Result (base/result.h) or CHECK",
    ),
]


def name_problems(path):
    stem = path
    for kept in KEPT_NAMES:
        stem = stem.replace(kept, "kept")
    return [f"{path}: name it by its subject"] if SUBJECTLESS.search(stem) else []


def text_problems(path, text):
    problems = []
    code = tree.bare(text) if path.endswith((".h", ".cc")) else text
    for match in SUBJECTLESS_TYPE.finditer(code):
        if match.group(1) not in KEPT_NAMES and path.endswith((".h", ".cc")):
            problems.append(f"{path}:{line_of(code, match)}: {match.group(1)}: name it by its subject")
    for match in MACHINE.finditer(text):
        problems.append(f"{path}:{line_of(text, match)}: a path of one machine: {match.group(0)}")
    for files, words, why in WORDS:
        if re.match(files, path):
            # Words in comments count only for the first row: prose may speak of exceptions and of sleep.
            where = text if why.startswith("finish") else code
            for match in re.finditer(words, where):
                problems.append(f"{path}:{line_of(where, match)}: '{match.group(0).strip()}': {why}")
    return problems


def line_of(text, match):
    return text.count("\n", 0, match.start()) + 1


def main():
    problems = []
    for path in tree.tracked():
        problems += name_problems(path)
        if "/testdata/" in path or path == "LICENSE":
            continue
        data = (tree.ROOT / path).read_bytes()
        if b"\0" not in data:
            problems += text_problems(path, data.decode("utf-8", "replace"))
    return tree.report(problems, "names and words")


if __name__ == "__main__":
    sys.exit(main())
