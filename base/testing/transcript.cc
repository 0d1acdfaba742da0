#include "base/testing/transcript.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "base/testing/source_tree.h"

namespace chronik {

std::string replay(std::string_view transcript, const RunCommand& run) {
  std::istringstream lines{std::string(transcript)};
  std::string result;
  bool in_output = false;
  for (std::string line; std::getline(lines, line);) {
    if (in_output) {
      in_output = !line.empty();
      continue;
    }
    if (line == "----") {
      in_output = true;
      continue;
    }
    if (!line.empty() || !result.ends_with("\n\n")) result += line + "\n";
    if (!line.empty() && line[0] != '#') result += "----\n" + run(line) + "\n";
  }
  return result;
}

Replayed replay_file(const std::filesystem::path& path, const RunCommand& run) {
  std::ifstream file(path);
  CHECK_MSG(file.is_open(), "cannot read " + path.string());
  std::stringstream recorded;
  recorded << file.rdbuf();
  Replayed replayed{recorded.str(), replay(recorded.str(), run)};
  if (std::getenv("CHRONIK_REWRITE") != nullptr) std::ofstream(path) << replayed.actual;
  return replayed;
}

std::vector<std::filesystem::path> transcripts(std::string_view folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(in_source_tree(folder))) {
    if (entry.path().extension() == ".txt" && entry.path().filename() != "README.txt") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace chronik
