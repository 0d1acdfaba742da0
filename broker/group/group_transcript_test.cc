// Runs testdata/*.txt: each is a story of one group, commands and what came of them, to be read
// from top to bottom. After a change of behaviour, review and rewrite them:
//   CHRONIK_REWRITE=1 build/release/broker_test --gtest_filter='*GroupTranscript*'
//
// A story is made of remarks (lines with '#'), and of a command line, "----", its expected output,
// and an empty line. testdata/README.txt lists the commands.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/testing/source_tree.h"
#include "broker/group/group_story.h"

namespace chronik::broker {
namespace {

std::string replay(std::istream& in) {
  Story story;
  std::string result, line;
  bool in_output = false;
  while (std::getline(in, line)) {
    if (in_output) {
      in_output = !line.empty();
      continue;
    }
    if (line == "----") {
      in_output = true;
      continue;
    }
    if (!line.empty() || !result.ends_with("\n\n")) result += line + "\n";
    if (!line.empty() && line[0] != '#') result += "----\n" + story.run(line) + "\n";
  }
  return result;
}

class GroupTranscript : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(GroupTranscript, ReadsAsRecorded) {
  std::ifstream file(GetParam());
  std::stringstream recorded;
  recorded << file.rdbuf();
  std::istringstream commands(recorded.str());
  const std::string actual = replay(commands);
  if (std::getenv("CHRONIK_REWRITE") != nullptr) std::ofstream(GetParam()) << actual;
  EXPECT_EQ(recorded.str(), actual) << "to rewrite: CHRONIK_REWRITE=1 broker_test "
                                       "--gtest_filter='*GroupTranscript*'";
}

std::vector<std::filesystem::path> stories() {
  std::vector<std::filesystem::path> paths;
  const std::filesystem::path folder = in_source_tree("broker/group/testdata");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename() != "README.txt") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

INSTANTIATE_TEST_SUITE_P(Stories, GroupTranscript, testing::ValuesIn(stories()),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace chronik::broker
