#include "protocol/errors.h"
#include "base/testing/source_tree.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace chronik::protocol {
namespace {

// testdata/errors.tsv was printed by Kafka 4.4: code, name, exception, retriable, retriable after a
// refresh of metadata, default text.
TEST(Errors, TableIsKafkas) {
  std::ifstream file(in_source_tree("protocol/testdata/errors.tsv"));
  ASSERT_TRUE(file) << "protocol/testdata/errors.tsv is missing";
  std::string line;
  std::getline(file, line);
  int count = 0;
  while (std::getline(file, line)) {
    std::vector<std::string> cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, '\t');) cells.push_back(cell);
    cells.resize(6);
    const auto number = static_cast<std::int16_t>(std::stoi(cells[0]));
    const auto code = error_from_wire(number);
    ASSERT_TRUE(code.has_value()) << line;
    EXPECT_EQ(to_wire(*code), number);
    EXPECT_EQ(error_name(*code), cells[1]);
    EXPECT_EQ(is_retriable(*code), cells[3] == "true") << line;
    EXPECT_EQ(wants_metadata_refresh(*code), cells[4] == "true") << line;
    EXPECT_EQ(error_message(*code), cells[5]);
    ++count;
  }
  EXPECT_EQ(count, 138);
}

TEST(Errors, UnknownNumbersHaveNoCode) {
  EXPECT_FALSE(error_from_wire(-2).has_value());
  EXPECT_FALSE(error_from_wire(137).has_value());
}

}  // namespace
}  // namespace chronik::protocol
