#include "metadata/persistent_table.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/random.h"

namespace chronik::metadata {
namespace {

struct Entry {
  std::string key;
  int value = 0;
};

// HashBits: how many bits of the hash differ, so that deep branches and chains are met too.
template <int HashBits>
struct Traits {
  using Key = std::string_view;
  static Key key(const Entry& entry) { return entry.key; }
  static std::uint64_t hash(Key key) {
    const std::uint64_t full = std::hash<std::string_view>{}(key);
    return HashBits == 64 ? full : (full & ((std::uint64_t{1} << HashBits) - 1)) << (64 - HashBits);
  }
};

template <class Table>
std::map<std::string, int> contents(const Table& table) {
  std::map<std::string, int> found;
  table.for_each([&](const Entry& entry) { found[entry.key] = entry.value; });
  EXPECT_EQ(found.size(), table.size());
  for (const auto& [key, value] : found) {
    EXPECT_NE(table.find(key), nullptr) << key;
    if (const Entry* entry = table.find(key)) {
      EXPECT_EQ(entry->value, value);
    }
  }
  // A cursor goes the same way as for_each.
  typename Table::Cursor cursor(table);
  table.for_each([&](const Entry& entry) { EXPECT_EQ(cursor.next(), &entry); });
  EXPECT_EQ(cursor.next(), nullptr);
  return found;
}

template <class T>
class PersistentTableTest : public testing::Test {};
using Tables = testing::Types<PersistentTable<Entry, Traits<64>>, PersistentTable<Entry, Traits<7>>,
                              PersistentTable<Entry, Traits<2>>>;
TYPED_TEST_SUITE(PersistentTableTest, Tables);

TYPED_TEST(PersistentTableTest, AnOldCopyNeverChanges) {
  Random random(7);
  TypeParam table;
  std::map<std::string, int> model;
  std::vector<std::pair<TypeParam, std::map<std::string, int>>> kept;
  for (int step = 0; step < 6000; ++step) {
    const std::string key = "key-" + std::to_string(random.below(400));
    switch (random.below(4)) {
      case 0:
        EXPECT_EQ(table.erase(key), model.erase(key) == 1);
        break;
      case 1:
        if (Entry* entry = table.find_mutable(key)) {
          entry->value = step;
          model.at(key) = step;
        } else {
          EXPECT_FALSE(model.contains(key));
        }
        break;
      default:
        EXPECT_EQ(table.put({key, step}), !model.contains(key));
        model[key] = step;
    }
    ASSERT_EQ(table.size(), model.size());
    if (random.one_in(100)) kept.emplace_back(table, model);
    if (kept.size() > 20) kept.erase(kept.begin() + static_cast<long>(random.below(20)));
  }
  EXPECT_EQ(contents(table), model);
  for (const auto& [copy, then] : kept) EXPECT_EQ(contents(copy), then);
  for (const auto& [key, value] : model) EXPECT_TRUE(table.erase(key));
  EXPECT_TRUE(table.empty());
  EXPECT_TRUE(contents(table).empty());
}

TEST(PersistentTable, ACopyThatIsNotChangedSharesEverything) {
  PersistentTable<Entry, Traits<64>> table;
  for (int i = 0; i < 1000; ++i) table.put({std::to_string(i), i});
  auto copy = table;
  EXPECT_TRUE(copy.same_as(table));
  copy.put({"x", 1});
  EXPECT_FALSE(copy.same_as(table));
  EXPECT_EQ(table.find("x"), nullptr);
  // What the change did not touch is the same object in both.
  int shared = 0;
  for (int i = 0; i < 1000; ++i) {
    shared += table.find(std::to_string(i)) == copy.find(std::to_string(i)) ? 1 : 0;
  }
  EXPECT_EQ(shared, 1000);
}

TEST(PersistentTable, OtherThreadsReadOldCopiesWhileTheOwnerChangesItsOwn) {
  using Table = PersistentTable<Entry, Traits<64>>;
  Table table;
  for (int i = 0; i < 500; ++i) table.put({std::to_string(i), i});
  for (int round = 0; round < 20; ++round) {
    std::thread reader([copy = table, round]() mutable {
      int sum = 0;
      copy.for_each([&](const Entry& entry) { sum += entry.value; });
      EXPECT_EQ(sum, 499 * 500 / 2 + round * 1000);
      copy = Table();
    });
    table.find_mutable("17")->value += 1000;
    for (int i = 500; i < 600; ++i) table.put({std::to_string(i), i});
    for (int i = 500; i < 600; ++i) table.erase(std::to_string(i));
    reader.join();
  }
}

}  // namespace
}  // namespace chronik::metadata
