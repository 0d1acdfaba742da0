"""The tree as the style checks see it: which files are ours, and C++ text without comments and literals."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ["base", "protocol", "wal", "raft", "metadata", "broker", "integration"]


def tracked(root=ROOT):
    """Paths relative to `root` of all files that are committed or would be (git ls-files, else a walk)."""
    try:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        out = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
        paths = sorted({p for p in out.split("\0") if p})
    except (OSError, subprocess.CalledProcessError):
        paths = []
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f not in ("build", ".git", "node_modules", "__pycache__")]
            paths += [os.path.relpath(os.path.join(folder, n), root) for n in names]
    return [p for p in sorted(paths) if (root / p).is_file()]


def sources(suffixes=(".h", ".cc"), root=ROOT):
    return [p for p in tracked(root) if p.endswith(suffixes) and "/testdata/" not in p]


def read(path, root=ROOT):
    return (root / path).read_text(encoding="utf-8", errors="replace")


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.S,
)


def bare(text):
    """C++ text with comments, literals and preprocessor lines blanked; every line stays where it was."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    text = _TOKEN.sub(blank, text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


def report(problems, what):
    """Prints the problems and gives the exit status of a check."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problem{'s' if len(problems) != 1 else ''}")
    return 1 if problems else 0
