"""Reads the .msg language (schema/README.md). Every complaint names the file, the line and the way out."""

import os
import re

from model import INTEGER_BITS, NEVER, NULLABLE_SCALARS, SCALARS
from model import Field, File, Message, Range, Struct, snake_case

FRAMINGS = ("none", "key", "version", "metadata")
FIELD = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*)\s+"
    r"(?P<type>\[?[A-Za-z][A-Za-z0-9]*\]?)(?P<null>\?(?:@\d*(?:\.\.\d*)?)?)?"
    r"(?:\s*=\s*(?P<default>\S+))?"
    r"(?:\s+@(?P<versions>\d*(?:\.\.\d*)?))?"
    r"(?:\s+tag\s+(?P<tag>\d+))?"
    r"(?P<lossy>\s+lossy)?\s*$"
)


class SchemaError(Exception):
    pass


class Parser:
    def __init__(self, path, text):
        self.path = path
        self.lines = []  # (number, indentation, text, comment)
        above = []
        for number, raw in enumerate(text.splitlines(), 1):
            body, _, comment = raw.partition("#")
            if not body.strip():
                above = above + [comment.strip()] if comment.strip() else []
                continue
            indent = len(body) - len(body.lstrip(" "))
            if "\t" in body or indent % 2:
                self.fail(number, "indent with two spaces a level, no tabs")
            self.lines.append((number, indent, body.strip(), " ".join(above + [comment.strip()]).strip()))
            above = []
        self.at = 0

    def fail(self, number, text):
        raise SchemaError(f"{self.path}:{number}: {text}")

    def range(self, text, outer, number):
        """`3`, `3..`, `..5`, `3..5`, cut to `outer`."""
        first, dots, last = text.partition("..")
        if not dots:
            last = first
        low = int(first) if first else outer.first
        high = int(last) if last else outer.last
        found = Range(max(low, outer.first), min(high, outer.last))
        if low > high or found.first > found.last:
            self.fail(number, f"versions {text}: none of them is within {outer.first}..{outer.last}")
        return found

    def file(self):
        messages = []
        while self.at < len(self.lines):
            number, indent, text, comment = self.lines[self.at]
            self.at += 1
            words = text.split()
            if indent != 0 or words[0] not in ("api", "record"):
                self.fail(number, "expected `api Name = key ...` or `record Name ...` at the margin")
            head = self.head(number, words)
            if words[0] == "record":
                messages.append(self.message(head, "record", head["name"], comment))
                continue
            for kind in ("request", "response"):
                if self.at == len(self.lines) or self.lines[self.at][2] != kind:
                    self.fail(number, f"api {head['name']} lacks its `{kind}` section")
                self.at += 1
                messages.append(self.message(head, kind, head["name"] + kind.capitalize(), comment))
        if not messages:
            raise SchemaError(f"{self.path}: no message in it")
        folder = "messages" if messages[0].kind != "record" else "records"
        stem = snake_case(re.sub(r"(Request|Response)$", "", messages[0].name))
        base = re.sub(r"^\d\d+_", "", os.path.basename(self.path)[: -len(".msg")])
        if folder == "messages" and base != stem:
            raise SchemaError(f"{self.path}: the file of api {stem} is to be named NN_{stem}.msg")
        return File(self.path, base, folder, messages)

    def head(self, number, words):
        head = {"name": words[1], "key": None, "flexible": NEVER, "unstable": None, "framing": "none"}
        rest = words[2:]
        if rest[:1] == ["="]:
            head["key"] = int(rest[1])
            rest = rest[2:]
        if len(rest) % 2:
            self.fail(number, "after the name come pairs: versions, flexible, unstable, framing")
        options = dict(zip(rest[::2], rest[1::2]))
        unknown = set(options) - {"versions", "flexible", "unstable", "framing"}
        if unknown or "versions" not in options:
            self.fail(number, f"unknown {sorted(unknown)}, or no `versions A..B`")
        first, _, last = options["versions"].partition("..")
        head["versions"] = Range(int(first), int(last or first))
        if "flexible" in options:
            head["flexible"] = int(options["flexible"].removesuffix(".."))
        if "unstable" in options:
            head["unstable"] = int(options["unstable"].removesuffix(".."))
        head["framing"] = options.get("framing", "none")
        if head["framing"] not in FRAMINGS:
            self.fail(number, f"framing is one of {', '.join(FRAMINGS)}")
        return head

    def message(self, head, kind, name, comment):
        root = Struct(name)
        message = Message(name, kind, head["key"], head["versions"], head["flexible"],
                          head["unstable"], head["framing"], comment, root, {})
        self.fields(message, root, 2, head["versions"])
        return message

    def fields(self, message, struct, indent, outer):
        tags = set()
        while self.at < len(self.lines) and self.lines[self.at][1] >= indent:
            number, here, text, comment = self.lines[self.at]
            if here != indent:
                self.fail(number, f"indented by {here}, expected {indent}")
            self.at += 1
            field = self.field(message, number, text, comment, outer)
            if any(f.name == field.name for f in struct.fields):
                self.fail(number, f"{field.name} is there twice")
            if field.tag is not None:
                if field.tag in tags or field.versions.first < message.flexible:
                    self.fail(number, "a tag is unique in its struct and needs flexible versions")
                tags.add(field.tag)
            struct.fields.append(field)
            if field.is_struct:
                self.nested(message, field, number, indent + 2)

    def nested(self, message, field, number, indent):
        has_body = self.at < len(self.lines) and self.lines[self.at][1] >= indent
        if has_body == (field.type in message.structs):
            self.fail(number, f"struct {field.type}: give its fields below its first use, and only there")
        if has_body:
            inner = Struct(field.type)
            self.fields(message, inner, indent, message.versions)
            message.structs[field.type] = inner

    def field(self, message, number, text, comment, outer):
        match = FIELD.match(text)
        if not match:
            self.fail(number, f"cannot read `{text}`: name type[?] [= default] [@versions] [tag N] [lossy]")
        wire = match["type"]
        array = wire.startswith("[")
        if array != wire.endswith("]"):
            self.fail(number, f"unbalanced brackets in {wire}")
        wire = wire.strip("[]")
        if wire not in SCALARS and not wire[0].isupper():
            self.fail(number, f"unknown type {wire}; there are {', '.join(SCALARS)} and structs (Capital)")
        versions = self.range(match["versions"], outer, number) if match["versions"] else outer
        nullable = None
        if match["null"]:
            if not array and wire in SCALARS and wire not in NULLABLE_SCALARS:
                self.fail(number, f"{wire} cannot be null")
            nullable = self.range(match["null"][2:], versions, number) if match["null"] != "?" else versions
        default = self.default(match["default"], wire, array, nullable, number)
        tag = int(match["tag"]) if match["tag"] else None
        return Field(match["name"], wire, array, nullable, versions, default, tag,
                     bool(match["lossy"]), comment, number)

    def default(self, text, wire, array, nullable, number):
        if text is None:
            return None
        if text == "null":
            if nullable is None:
                self.fail(number, "default null, but the type has no `?`")
            return "null"
        if array or wire not in INTEGER_BITS and wire != "bool":
            self.fail(number, f"the default of a {wire} can only be null or left out (empty, zero)")
        if wire == "bool":
            if text not in ("true", "false"):
                self.fail(number, f"{text} is no bool")
            return text == "true" or None
        value = int(text, 0)
        bits = INTEGER_BITS[wire]
        low, high = (0, 2**bits - 1) if wire.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if not low <= value <= high:
            self.fail(number, f"{value} does not fit {wire}")
        return value or None


def parse_file(path):
    with open(path, encoding="utf-8") as handle:
        return Parser(path, handle.read()).file()
