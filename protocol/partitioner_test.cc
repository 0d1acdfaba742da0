#include "protocol/partitioner.h"

#include <gtest/gtest.h>

namespace chronik::protocol {
namespace {

// The whole tables are vectors of wire_check; here the corners.
TEST(Partitioner, Murmur2IsKafkas) {
  EXPECT_EQ(murmur2({}), 275646681);
  EXPECT_EQ(partition_of_key({}, 12), 9);
  EXPECT_EQ(murmur2(as_bytes("5")), 55100550);
  EXPECT_EQ(partition_of_key(as_bytes("5"), 100), 50);
}

TEST(Partitioner, TextIsHashedAsUtf16) {
  EXPECT_EQ(java_hash(""), 0);
  EXPECT_EQ(java_hash("group"), 98629247);
  EXPECT_EQ(java_hash("\xf0\x9f\x98\x80"), 0xd83d * 31 + 0xde00);
}

TEST(Partitioner, TheLeastHashGoesToPartitionZero) {
  EXPECT_EQ(java_hash("polygenelubricants"), -2147483647 - 1);
  EXPECT_EQ(partition_of_id("polygenelubricants", 50), 0);
  EXPECT_EQ(partition_of_id("my-group", 50), 12);
}

}  // namespace
}  // namespace chronik::protocol
