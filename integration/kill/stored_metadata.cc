#include "integration/kill/stored_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace chronik::integration {

namespace {

struct Stored {
  std::int64_t index = 0;
  std::int64_t term = 0;
  std::int64_t last_index = 0;
  std::string hash;
};

std::string field(const std::string& line, const std::string& name) {
  const std::size_t at = line.find(name + "=");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 1;
  return line.substr(begin, line.find_first_of(" \n", begin) - begin);
}

std::optional<Stored> dump(const BrokerProcess& node, std::optional<std::int64_t> at,
                           Problems& problems) {
  const std::string said = node.directory() + "/metadata.dump";
  std::filesystem::remove(said);
  std::vector<std::string> command{BrokerProcess::program(), "metadata", "dump",
                                   node.data_directory(), "--hash"};
  if (at) command.push_back(fmt::format("--at={}", *at));
  const int status = run_program(command, said);
  std::stringstream text;
  text << std::ifstream(said).rdbuf();
  if (status != 0) {
    problems.push_back(fmt::format("{}: no dump of the metadata: {}", node.host(), text.str()));
    return std::nullopt;
  }
  return Stored{std::stoll(field(text.str(), "index")), std::stoll(field(text.str(), "term")),
                std::stoll(field(text.str(), "last_index")), field(text.str(), "hash")};
}

}  // namespace

std::string compare_stored_metadata(ClusterProcesses& cluster, Problems& problems) {
  std::optional<std::int64_t> smallest;
  for (int id = 1; id <= cluster.count(); ++id) {
    const std::optional<Stored> whole = dump(cluster.node(id), std::nullopt, problems);
    if (!whole) return {};
    smallest = std::min(smallest.value_or(whole->last_index), whole->last_index);
  }
  std::vector<Stored> images;
  for (int id = 1; id <= cluster.count(); ++id) {
    const std::optional<Stored> image = dump(cluster.node(id), smallest, problems);
    if (!image) return {};
    images.push_back(*image);
  }
  for (const Stored& image : images) {
    if (image.hash == images.front().hash && image.term == images.front().term) continue;
    problems.push_back(
        fmt::format("the images after entry {} differ: term {} hash {}, term {} hash {}", *smallest,
                    images.front().term, images.front().hash, image.term, image.hash));
  }
  return fmt::format("images after entry {} of term {}: hash {}", *smallest, images.front().term,
                     images.front().hash);
}

}  // namespace chronik::integration
