#!/usr/bin/env python3
"""The generator by its example (testdata/), its complaints, and the comparison with upstream."""

import os
import sys
import unittest

sys.dont_write_bytecode = True

import check_upstream  # noqa: E402
from emit import Emitter  # noqa: E402
from parse import Parser, SchemaError  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(HERE, "testdata", "example")


def text_of(path):
    with open(path, encoding="utf-8") as handle:
        return handle.read()


def parse(text, path="1_example.msg"):
    return Parser(path, text).file()


class Example(unittest.TestCase):
    """After a wanted change of the output: generator_test.py --write"""

    def outputs(self):
        file = parse(text_of(EXAMPLE + ".msg"), "example.msg")
        emitter = Emitter("protocol", "protocol")
        return {".h": emitter.header(file), ".cc": emitter.source([file])}

    def test_output_is_what_testdata_shows(self):
        for suffix, text in self.outputs().items():
            if "--write" in sys.argv:
                with open(EXAMPLE + suffix + ".txt", "w", encoding="utf-8") as handle:
                    handle.write(text)
            self.assertEqual(text, text_of(EXAMPLE + suffix + ".txt"))


class Complaints(unittest.TestCase):
    def complaint(self, *lines, head="record Example    versions 0..2    flexible 1.."):
        with self.assertRaises(SchemaError) as caught:
            parse("\n".join([head, *lines]))
        return str(caught.exception)

    def test_each_names_file_line_and_reason(self):
        cases = [
            (["  size int33"], "1_example.msg:2: unknown type int33"),
            (["  size int32?"], "int32 cannot be null"),
            (["  size int8 = 128"], "128 does not fit int8"),
            (["  size int32 = null"], "default null, but the type has no `?`"),
            (["  size int32 @3.."], "versions 3..: none of them is within 0..2"),
            (["  size int32 tag 1"], "a tag is unique in its struct and needs flexible versions"),
            (["  a int8 @1.. tag 1", "  b int8 @1.. tag 1"], "1_example.msg:3: a tag is unique"),
            (["  a int8", "  a int8"], "a is there twice"),
            (["  part Part"], "struct Part: give its fields below its first use"),
            (["   a int8"], "indent with two spaces a level"),
            (["  a [int8"], "unbalanced brackets in [int8"),
            (["  a int8 maybe"], "cannot read `a int8 maybe`"),
        ]
        for lines, expected in cases:
            self.assertIn(expected, self.complaint(*lines), lines)

    def test_of_the_head(self):
        self.assertIn("no `versions A..B`", self.complaint(head="record Example    flexible 0.."))
        self.assertIn("lacks its `request` section", self.complaint(head="api Example = 1    versions 0"))
        self.assertIn("framing is one of", self.complaint(head="record E    versions 0    framing box"))


class Upstream(unittest.TestCase):
    FACTS = {"validVersions": "0-2", "flexibleVersions": "1+", "fields": [
        {"name": "GroupId", "type": "string", "versions": "0+"},
        {"name": "Members", "type": "[]Member", "versions": "1+", "ignorable": True, "fields": [
            {"name": "Id", "type": "string", "versions": "1+", "nullableVersions": "1+", "default": "null"},
            {"name": "Age", "type": "int64", "versions": "2+", "taggedVersions": "2+", "tag": 0, "default": "-1"}]}]}
    SAME = ("record E = 7    versions 0..2    flexible 1..\n  group_id string\n  members [Member] @1.. lossy\n"
            "    id string? = null\n    age int64 = -1 @2.. tag 0\n")

    def differences(self, text):
        return check_upstream.compare(parse(text).messages[0], self.FACTS, 7, "e.msg")

    def test_the_same_is_no_difference(self):
        self.assertEqual(self.differences(self.SAME), [])

    def test_whatever_differs_is_found(self):
        for was, now in [("= 7", "= 8"), ("0..2", "0..3"), ("1..\n", "2..\n"), ("group_id", "group"), (" lossy", ""),
                         ("[Member] @1..", "[Member]"), ("string? = null", "string"), ("string? = null", "string?"),
                         ("int64", "int32"), ("= -1", "= -2"), ("tag 0", "tag 1"), (" @2.. tag", " @1.. tag")]:
            changed = self.SAME.replace(was, now, 1)
            self.assertNotEqual(changed, self.SAME)
            self.assertNotEqual(self.differences(changed), [], (was, now))


if __name__ == "__main__":
    unittest.main(argv=[a for a in sys.argv if a != "--write"])
