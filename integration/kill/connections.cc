#include "integration/kill/connections.h"

#include <fstream>
#include <sstream>

namespace chronik::integration {

namespace {

constexpr const char* about_nodes = "another node of the cluster is ";

std::string word_at(const std::string& line, std::size_t at) {
  return line.substr(at, line.find_first_of(" \n", at) - at);
}

}  // namespace

/// The whole lines since the last time.
std::string Connections::unread(int node) {
  std::ifstream file(cluster_.node(node).directory() + "/broker.log");
  file.seekg(static_cast<std::streamoff>(views_[node].read));
  std::stringstream text;
  text << file.rdbuf();
  std::string lines = text.str();
  lines.resize(lines.rfind('\n') + 1);
  views_[node].read += lines.size();
  return lines;
}

void Connections::forget(int node) {
  unread(node);
  views_[node].connected.clear();
}

bool Connections::complete() {
  bool complete = true;
  for (int node = 1; node <= cluster_.count(); ++node) {
    std::istringstream lines(unread(node));
    for (std::string line; std::getline(lines, line);) {
      const std::size_t at = line.find(about_nodes);
      const std::size_t name = line.find("node=", at);
      if (at == std::string::npos || name == std::string::npos) continue;
      const bool is_there = word_at(line, at + std::string(about_nodes).size()) == "there";
      const std::string other = word_at(line, name);
      if (is_there) {
        views_[node].connected.insert(other);
      } else {
        views_[node].connected.erase(other);
      }
    }
    complete = complete && static_cast<int>(views_[node].connected.size()) + 1 == cluster_.count();
  }
  return complete;
}

}  // namespace chronik::integration
