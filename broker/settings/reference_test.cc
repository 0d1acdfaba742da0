#include "broker/settings/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/testing/source_tree.h"
#include "broker/settings/properties.h"
#include "broker/settings/table.h"

namespace chronik::broker {
namespace {

using testing::HasSubstr;

TEST(Reference, ConfigsBrokerPropertiesIsUpToDate) {
  std::ifstream in(in_source_tree("configs/broker.properties"));
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_TRUE(text.str() == example_properties())
      << "write it anew: build/release/chronik config list --properties > "
         "configs/broker.properties";
}

TEST(Reference, ThePropertiesAreAllThereAndAllCommentedOut) {
  EXPECT_TRUE(parse_properties(example_properties(), "f").value().empty());
  for (const SettingDefinition* row : broker_settings().rows()) {
    EXPECT_THAT(example_properties(), HasSubstr("\n#" + std::string(row->name) + "="));
  }
}

TEST(Reference, TellsAllAboutASetting) {
  EXPECT_EQ(settings_reference("compression.lz4"),
            "Settings of the broker\n\n"
            "compression.lz4.level\n"
            "    Level for lz4 when the broker compresses: 1 (fast) to 17 (small).\n"
            "    whole number, 1 to 17; default: 9; can be changed at run time.\n\n"
            "Settings of a topic, which go before the broker's\n\n"
            "compression.lz4.level\n"
            "    Level for lz4 when the broker compresses: 1 (fast) to 17 (small).\n"
            "    whole number, 1 to 17; default: 9.\n\n");
  EXPECT_EQ(settings_reference("qwertyuiop"), "");
}

TEST(Reference, KeepsLinesShort) {
  std::istringstream all(settings_reference("") + example_properties());
  for (std::string line; std::getline(all, line);) {
    const bool one_word = line.find(' ', line.find_first_not_of("# ")) == std::string::npos;
    EXPECT_TRUE(one_word || line.size() <= 100) << line;
  }
}

}  // namespace
}  // namespace chronik::broker
