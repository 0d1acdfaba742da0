#include "broker/cli/data_directory.h"

#include <filesystem>
#include <ostream>

namespace chronik::broker::cli {

std::string full_path(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  std::string text = (failed ? std::filesystem::path(path) : absolute).lexically_normal().string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

void note_a_running_broker(const std::string& path, Disk& disk, const Console& console) {
  for (const std::string& lock : {path + "/chronik.lock", path + "/../chronik.lock"}) {
    const std::string file = full_path(lock);
    const Result<bool> there = disk.exists(file);
    if (!there || !*there) continue;
    const auto held = disk.lock(file);
    if (held || held.error().code != Errc::busy) continue;
    console.err << "chronik: a broker is using this directory: what it writes or deletes meanwhile "
                   "may look damaged\n";
    return;
  }
}

}  // namespace chronik::broker::cli
