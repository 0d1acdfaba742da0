#include "wal/offset_map.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/random.h"

namespace chronik::wal {
namespace {

TEST(OffsetMap, KnowsTheLastOffsetOfEachKey) {
  Random random(3);
  OffsetMap map(500, 1 << 20, 0.9, 17);
  std::map<std::string, Offset> expected;
  for (Offset offset = 0; offset < 5'000; ++offset) {
    const std::string key = "key " + std::to_string(random.below(500));
    ASSERT_TRUE(map.put(as_bytes(key), offset));
    expected[key] = offset;
  }
  for (const auto& [key, offset] : expected) EXPECT_EQ(map.find(as_bytes(key)), offset);
  EXPECT_EQ(map.size(), expected.size());
  EXPECT_EQ(map.find(as_bytes("another")), std::nullopt);
  EXPECT_EQ(map.find({}), std::nullopt);
  ASSERT_TRUE(map.put({}, 9'999));
  EXPECT_EQ(map.find({}), 9'999);
}

TEST(OffsetMap, AnEarlierOffsetChangesNothing) {
  OffsetMap map(10, 1 << 20, 0.9, 1);
  ASSERT_TRUE(map.put(as_bytes("a"), 7));
  ASSERT_TRUE(map.put(as_bytes("a"), 3));
  EXPECT_EQ(map.find(as_bytes("a")), 7);
}

TEST(OffsetMap, TakesNoMoreMemoryThanAllowedAndSaysWhenItIsFull) {
  OffsetMap map(1'000'000, 100 * OffsetMap::slot_bytes, 0.9, 1);
  EXPECT_EQ(map.memory_bytes(), 100 * OffsetMap::slot_bytes);
  EXPECT_EQ(map.keys_max(), 90u);
  std::size_t taken = 0;
  while (map.put(as_bytes(std::to_string(taken)), static_cast<Offset>(taken))) ++taken;
  EXPECT_EQ(taken, 90u);
  EXPECT_EQ(map.size(), 90u);
  EXPECT_TRUE(map.put(as_bytes("5"), 1'000)) << "a key that is known needs no room";
  EXPECT_EQ(map.find(as_bytes("5")), 1'000);
  EXPECT_EQ(map.find(as_bytes("90")), std::nullopt);
}

TEST(OffsetMap, HasRoomForOneKeyWhateverIsAllowed) {
  for (const double load : {-1.0, 0.0, 0.5, 1.0, 7.0}) {
    OffsetMap map(5, 0, load, 1);
    EXPECT_TRUE(map.put(as_bytes("a"), 1));
    EXPECT_EQ(map.find(as_bytes("a")), 1);
    EXPECT_EQ(map.find(as_bytes("b")), std::nullopt);
  }
}

TEST(OffsetMap, TakesNoMoreMemoryThanItNeeds) {
  EXPECT_LT(OffsetMap(1'000, 128u << 20, 0.9, 1).memory_bytes(), 100'000u);
}

}  // namespace
}  // namespace chronik::wal
