// Transcripts: tests that read as stories. A transcript is a text file of remarks (lines with '#')
// and of commands, each with "----", what came of it, and an empty line. The test replays the
// commands and compares; after a change of behaviour it rewrites the files, for review. For tests
// only; they read and write files of the source tree.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace chronik {

/// Runs one command and returns what came of it: lines, each with its end.
using RunCommand = std::function<std::string(const std::string& command)>;

/// What the transcript would be if it were recorded now.
std::string replay(std::string_view transcript, const RunCommand& run);

/// A file as it was recorded, and its replay.
struct Replayed {
  std::string recorded;
  std::string actual;
};
/// Replays a file that must be readable, and writes the replay to it when CHRONIK_REWRITE is set.
Replayed replay_file(const std::filesystem::path& path, const RunCommand& run);

/// To be shown where the two differ.
inline constexpr std::string_view how_to_rewrite =
    "if that is right: run this test with CHRONIK_REWRITE=1, and review the diff";

/// The transcripts of a folder of the source tree, sorted: its .txt files but README.txt, which
/// says what the commands are.
std::vector<std::filesystem::path> transcripts(std::string_view folder);

}  // namespace chronik
