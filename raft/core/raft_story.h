// RaftStory: a few Rafts driven by text commands, for the transcript tests
// (raft_transcript_test.cc). It plays disks, network, clocks and state machines, each moving only
// when told; testdata/README.txt lists the commands.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "raft/core/describe.h"
#include "raft/core/memory_storage.h"

namespace chronik::raft {

class RaftStory {
 public:
  /// One line of a transcript; gives what came of it.
  std::string run(const std::string& line);

 private:
  struct Node {
    MemoryStorage disk;
    HardState hard_state;
    Index applied = 0;
    bool disk_held = false;
    std::deque<Ready> writing;  // taken, not durable
    std::deque<Ready> read_from_disk;
    std::vector<LogRead> log_reads;
    std::optional<SnapshotFetch> fetch;
    std::unique_ptr<Raft> raft;  // null: crashed
  };

  bool run_cluster(const std::string& command);
  bool run_node(const std::string& command);
  bool run_network(const std::string& command);
  bool run_driver(const std::string& command);

  void make_nodes();
  void plant_log();
  void start(NodeId id);
  void take_ready(NodeId id);
  void make_durable(NodeId id);
  void act(NodeId id, Ready& ready);
  void post(const std::vector<Message>& messages);
  void deliver(NodeId to, std::size_t count_max);
  void settle();
  void change();
  void snapshot();

  Node& node(std::size_t word) { return nodes_.at(number(word)); }
  Raft& raft(std::size_t word) { return *node(word).raft; }
  int number(std::size_t word) const { return std::stoi(words_.at(word)); }
  std::string option(const std::string& key, const std::string& otherwise) const;
  int option(const std::string& key, int otherwise) const {
    return std::stoi(option(key, std::to_string(otherwise)));
  }
  template <class... T>
  void say(fmt::format_string<T...> format, T&&... values) {
    if (!quiet_) out_ += fmt::format(format, std::forward<T>(values)...) + "\n";
  }
  template <class T>
  void say_result(const Result<T>& result) {
    if (!result) say("refused: {}", result.error().message);
  }

  Options options_;
  std::map<NodeId, Node> nodes_;
  std::deque<Message> network_;
  std::set<std::pair<NodeId, NodeId>> cut_;   // messages are lost
  std::set<std::pair<NodeId, NodeId>> slow_;  // messages wait in late_
  std::set<std::pair<NodeId, NodeId>> away_;  // the second, as the first was told
  std::deque<Message> late_;
  std::vector<std::string> words_;
  std::map<std::string, std::string> pairs_;
  bool quiet_ = false;
  std::string out_;
};

}  // namespace chronik::raft
