#!/usr/bin/env python3
"""The style checks find what they are for, and nothing else."""

import unittest

import check_headers
import check_includes
import check_names
import check_sizes
import tree


class Includes(unittest.TestCase):
    def problems(self, path, *includes):
        return check_includes.check(path, "#pragma once\n" + "".join(f"#include {i}\n" for i in includes))

    def test_left_may_not_include_right(self):
        self.assertTrue(self.problems("wal/log.h", '"metadata/image.h"'))
        self.assertTrue(self.problems("base/x.cc", '"protocol/codec.h"'))
        self.assertTrue(self.problems("wal/log.h", '"raft/core/raft.h"'))
        self.assertTrue(self.problems("raft/core/raft.h", '"protocol/codec.h"'))
        self.assertTrue(self.problems("broker/group/group.h", '"broker/net/connection.h"'))
        self.assertTrue(self.problems("broker/group/group.h", '"broker/txn/transaction.h"'))
        self.assertTrue(self.problems("broker/broker.h", '"broker/api/table.h"'))

    def test_right_may_include_left_and_itself(self):
        for path, *includes in (
            ("wal/log.h", '"base/file.h"', '"protocol/record_batch.h"', '"wal/segment.h"', "<vector>"),
            ("broker/net/connection.cc", '"broker/api/table.h"', "<boost/asio/ip/tcp.hpp>"),
        ):
            self.assertEqual(self.problems(path, *includes), [])
        self.assertEqual(self.problems("broker/chronik_main.cc", '"broker/server.h"', '"broker/net/listener.h"'), [])

    def test_banned_headers(self):
        self.assertTrue(self.problems("broker/api/produce.cc", "<boost/asio/post.hpp>"))
        self.assertTrue(self.problems("metadata/image.cc", "<random>"))
        self.assertTrue(self.problems("metadata/image.h", '"base/clock.h"'))
        self.assertTrue(self.problems("wal/segment.cc", "<fstream>"))
        self.assertEqual(self.problems("metadata/image_test.cc", '"base/random.h"'), [])

    def test_includes_start_at_the_root(self):
        self.assertTrue(self.problems("wal/log.cc", '"log.h"'))


class Sizes(unittest.TestCase):
    def test_functions_are_found(self):
        text = """namespace a {
class B : public C {
 public:
  B(int x) : x_{x}, y_{std::move(x)} {
    f();
  }
  int size() const { return x_; }

 private:
  int x_{0};
};
constexpr int table[] = {
    1, 2};
TEST(A, B) {
  auto l = [&](int i) {
    g(i);
  };
}
enum class E {
  a,
};
static struct Point make(int a,
                         int b) {
  return {a, b};
}
template <class T>
  requires(sizeof(T) > 4)
void big(T t) {
  if (t) {
    f();
  }
}
}
"""
        self.assertEqual(check_sizes.functions(text), [(4, 3), (7, 1), (14, 5), (22, 4), (26, 7)])

    def test_braces_in_literals_and_comments_do_not_count(self):
        text = "void f() {\n  g(\"{\", '{', R\"(\n{{)\"); // {\n  int big = 1'000'000;\n}\nvoid h() {\n}\n"
        self.assertEqual([size for _, size in check_sizes.functions(text)], [5, 2])

    def test_limits_and_exceptions(self):
        long_function = "void f() {\n" + "  g();\n" * 80 + "}\n"
        self.assertEqual(len(check_sizes.check({"a/b.cc": long_function}, {})), 1)
        self.assertEqual(check_sizes.check({"a/b.cc": long_function}, {("function", "a/b.cc"): 82}), [])
        self.assertIn("lower", check_sizes.check({"a/b.cc": long_function}, {("function", "a/b.cc"): 90})[0])
        self.assertIn("remove", check_sizes.check({"a/b.cc": "int a;\n"}, {("file", "a/b.cc"): 700})[0])
        self.assertEqual(len(check_sizes.check({"a/b.h": "\n" * 301}, {})), 1)
        self.assertEqual(len(check_sizes.check({"a/b.h": "x" * 101 + "\n"}, {})), 1)


class Names(unittest.TestCase):
    def test_names_without_a_subject(self):
        for path in ("base/string_utils.h", "broker/common/x.cc", "wal/log_manager.cc", "wal/impl.h"):
            self.assertTrue(check_names.name_problems(path), path)
        for path in ("raft/multi/raft_replica_manager.h", "protocol/compression.h", "broker/api/list_groups.cc"):
            self.assertFalse(check_names.name_problems(path), path)

    def test_words(self):
        self.assertTrue(check_names.text_problems("wal/a.cc", "// TO" + "DO later\n"))
        self.assertTrue(check_names.text_problems("README.md", "see /" + "work/notes\n"))
        self.assertTrue(check_names.text_problems("wal/a.cc", "class LogManager {};\n"))
        self.assertTrue(check_names.text_problems("wal/a_test.cc", "std::this_thread::sleep_for(1s);\n"))
        self.assertFalse(check_names.text_problems("wal/a.cc", "// we never sleep() and throw nothing\nint work;\n"))


class Headers(unittest.TestCase):
    def test_first_include_proves_a_header(self):
        files = {"a/x.h": "", "a/y.h": "", "a/x.cc": '#include "a/x.h"\n#include "a/y.h"\n'}
        self.assertEqual(check_headers.unproven(files), ["a/y.h"])


class Tree(unittest.TestCase):
    def test_bare_keeps_lines(self):
        text = "a; // x\n/* b\n c */ \"d\" 'e'\n#define F(x) \\\n  {x}\nf;\n"
        self.assertEqual(tree.bare(text).count("\n"), text.count("\n"))
        self.assertNotIn("{", tree.bare(text))


if __name__ == "__main__":
    unittest.main()
