#!/usr/bin/env python3
"""Every header compiles alone. A header that is the first include of some .cc file is proven by it; for the others
this writes one source file each into DIR (the library headers_alone), keeps what did not change, removes the rest.

    check_headers.py DIR
"""

import pathlib
import re
import sys

import tree

FIRST = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]', re.M)


def unproven(files):
    """`files`: {path: text}. The headers that no .cc file includes first."""
    first = set()
    for path, text in files.items():
        match = FIRST.search(text)
        if path.endswith(".cc") and match:
            first.add(match.group(1))
    return sorted(p for p in files if p.endswith(".h") and p not in first)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {}
    for header in unproven({p: tree.read(p) for p in tree.sources()}):
        wanted[header.replace("/", "__").removesuffix(".h") + ".cc"] = f'#include "{header}"\n'
    for old in folder.glob("*.cc"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    print(";".join(str(folder / name) for name in wanted), end="")


if __name__ == "__main__":
    main()
