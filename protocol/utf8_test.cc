#include "protocol/utf8.h"

#include <gtest/gtest.h>

#include "base/posix_disk.h"
#include "base/testing/source_tree.h"
#include "protocol/wire_check/vectors.h"

namespace chronik::protocol {
namespace {

// testdata/utf8_java.tsv was printed by java.lang.String: any bytes, and what it makes of them.
TEST(Utf8, ReplacesWhatJavaReplaces) {
  PosixDisk disk;
  int count = 0;
  wire_check::for_each_row(disk, in_source_tree("protocol/testdata/utf8_java.tsv"),
                           [&](const std::string& where, const std::vector<std::string>& cells) {
                             const Bytes before = wire_check::from_hex(cells[0]).value();
                             const Bytes after = wire_check::from_hex(cells[1]).value();
                             EXPECT_EQ(replace_invalid_utf8(as_text(before)), as_text(after))
                                 << where;
                             EXPECT_EQ(is_utf8(as_text(before)), before == after) << where;
                             ++count;
                           });
  EXPECT_EQ(count, 400);
}

TEST(Utf8, FindsTheOneBadByteBehindManyGoodOnes) {
  for (std::size_t length = 1; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      std::string text(length, 'a');
      EXPECT_TRUE(is_utf8(text));
      text[at] = '\x80';
      EXPECT_FALSE(is_utf8(text)) << length << " " << at;
    }
  }
}

TEST(Utf8, IsCutBetweenCharacters) {
  EXPECT_EQ(cut_utf8("abc", 3), "abc");
  EXPECT_EQ(cut_utf8("abc", 2), "ab");
  EXPECT_EQ(cut_utf8("a\xe2\x82\xac", 3), "a");
  EXPECT_EQ(cut_utf8("\xe2\x82\xac", 2), "");
}

}  // namespace
}  // namespace chronik::protocol
