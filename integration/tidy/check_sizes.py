#!/usr/bin/env python3
"""Size limits of files, functions and lines; exceptions.txt lists what may be larger, and may only shrink."""

import re
import sys

import tree

LINE = {".h": 100, ".cc": 100, ".py": 120, ".java": 120, ".go": 120, ".js": 120, ".rs": 120}
FUNCTION = 70
FILE = {".h": 300, ".cc": 600, ".py": 600, ".java": 600, ".go": 600, ".js": 600, ".rs": 600, "": 600}
EXCEPTIONS = "integration/tidy/exceptions.txt"
TRANSPARENT = re.compile(
    r"\b(namespace|class|struct|union|enum|extern|concept)\b(?![^{]*\)\s*(const|noexcept|override|final|\s)*$)"
)
ACCESS = re.compile(r"\b(public|private|protected)\s*:(?!:)")
QUALIFIER = {"const", "noexcept", "override", "final", "mutable", "try", "else", "do"}


def functions(text):
    """(first line, lines) of every function body in C++ text, tests included; lambdas count with what holds them."""
    text = ACCESS.sub(lambda m: ";" + " " * (len(m.group(0)) - 1), tree.bare(text))
    found, stack, head_start = [], [], 0
    for i, char in enumerate(text):
        inside = stack and stack[-1][0] in ("function", "skip")
        if char == "{":
            head = text[head_start:i]
            if inside:
                stack.append(("skip", i))
            elif re.search(r"[=,(]\s*$", head) or (re.search(r"[\w>]\s*$", head) and ctor_initialiser(head)):
                stack.append(("skip", i))
                continue
            elif TRANSPARENT.search(head) and not re.search(r"\)\s*(:[^:].*)?$", head, re.S):
                stack.append(("open", i))
            elif "(" in head and not re.search(r"=\s*[\w:<>, ]*$", head):
                first = text.count("\n", 0, head_start + len(head) - len(head.lstrip())) + 1
                stack.append(("function", i, first))
            else:
                stack.append(("skip", i))
            head_start = i + 1 if stack[-1][0] != "skip" else head_start
        elif char == "}" and stack:
            top = stack.pop()
            if top[0] == "function":
                found.append((top[2], text.count("\n", 0, i) + 2 - top[2]))
            if top[0] != "skip":
                head_start = i + 1
        elif char == ";" and not inside:
            head_start = i + 1
    return found


def ctor_initialiser(head):
    """Whether `head` ends in the name of a member (or base) that a constructor initialises with braces."""
    last = re.search(r"(\w+|>)\s*$", head).group(1)
    if last in QUALIFIER:
        return False
    return re.search(r"\)\s*(noexcept\s*)?:(?!:)", head) is not None


def measure(path, text):
    """(kind, name of the place, size, limit) of everything that has a limit."""
    lines = text.split("\n")
    count = len(lines) - (1 if lines[-1] == "" else 0)
    suffix = "." + path.rsplit(".", 1)[1] if "." in path.rsplit("/", 1)[-1] else ""
    yield "file", path, count, FILE[suffix]
    for number, line in enumerate(lines, 1):
        if suffix in LINE:
            yield "line", f"{path}:{number}", len(line), LINE[suffix]
    if suffix in (".h", ".cc"):
        for first, size in functions(text):
            yield "function", f"{path}:{first}", size, FUNCTION


def read_exceptions(text):
    """{(kind, path): allowed}; one a line: kind path allowed reason."""
    allowed = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            kind, path, size, reason = line.split(None, 3)
            allowed[kind, path] = int(size)
    return allowed


def check(files, allowed):
    """`files`: {path: text}. Problems: what is over its limit, and exceptions that are larger than what they excuse."""
    problems, largest = [], {}
    for path, text in files.items():
        for kind, place, size, limit in measure(path, text):
            key = (kind, path)
            if size > limit:
                largest[key] = max(largest.get(key, 0), size)
                if size > allowed.get(key, limit):
                    unit = "characters" if kind == "line" else "lines"
                    problems.append(f"{place}: {kind} of {size} {unit}, limit {allowed.get(key, limit)}: split it")
    for key, size in sorted(allowed.items()):
        if largest.get(key, 0) < size:
            now = largest.get(key, 0) or "within its limit"
            problems.append(f"{EXCEPTIONS}: {key[0]} {key[1]} is {now} now, not {size}: lower or remove the entry")
    return problems


def main():
    paths = tree.sources((".h", ".cc", ".py", ".java", ".go", ".js", ".rs")) + ["dev"]
    files = {p: tree.read(p) for p in paths}
    return tree.report(check(files, read_exceptions(tree.read(EXCEPTIONS))), "size limits")


if __name__ == "__main__":
    sys.exit(main())
