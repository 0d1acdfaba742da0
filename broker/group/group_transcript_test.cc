// Runs testdata/*.txt (base/testing/transcript.h): each is a story of one group, to be read from
// top to bottom. testdata/README.txt lists the commands.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/testing/transcript.h"
#include "broker/group/group_story.h"

namespace chronik::broker {
namespace {

class GroupTranscript : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(GroupTranscript, ReadsAsRecorded) {
  Story story;
  const Replayed replayed =
      replay_file(GetParam(), [&](const std::string& command) { return story.run(command); });
  EXPECT_EQ(replayed.recorded, replayed.actual) << how_to_rewrite;
}

INSTANTIATE_TEST_SUITE_P(Stories, GroupTranscript,
                         testing::ValuesIn(transcripts("broker/group/testdata")),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace chronik::broker
