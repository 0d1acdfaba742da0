// Raft as stories: runs testdata/*.txt, commands and what came of them. After a change of
// behaviour, review and rewrite them:
//   CHRONIK_REWRITE=1 build/release/raft_test --gtest_filter='*RaftTranscript*'
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/testing/transcript.h"
#include "raft/core/raft_story.h"

namespace chronik::raft {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

SharedBytes payload_of(const std::string& text) { return SharedBytes::copy_of(as_bytes(text)); }

}  // namespace

std::string RaftStory::run(const std::string& line) {
  out_.clear();
  words_.clear();
  pairs_.clear();
  for (const std::string& word : split(line, ' ')) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      words_.push_back(word);
    } else {
      pairs_[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  quiet_ = words_.back() == "quietly";
  if (quiet_) words_.pop_back();
  const std::string command = words_.front();
  const bool known =
      run_cluster(command) || run_node(command) || run_network(command) || run_driver(command);
  EXPECT_TRUE(known) << "no command: " << line;
  return out_;
}

std::string RaftStory::option(const std::string& key, const std::string& otherwise) const {
  const auto found = pairs_.find(key);
  return found == pairs_.end() ? otherwise : found->second;
}

bool RaftStory::run_cluster(const std::string& command) {
  if (command == "nodes") {
    make_nodes();
  } else if (command == "log") {
    plant_log();
  } else if (command == "settle") {
    settle();
  } else if (command == "status") {
    for (auto& [id, each] : nodes_) {
      if (words_.size() > 1 && id != number(1)) continue;
      if (each.raft) out_ += describe(*each.raft);
    }
  } else {
    return false;
  }
  return true;
}

// nodes 1 2 3 [learners=4+5] [empty=6] [election=10] [leases=yes] [rest=3] ...
void RaftStory::make_nodes() {
  nodes_.clear();
  network_.clear();
  late_.clear();
  cut_.clear();
  slow_.clear();
  away_.clear();
  options_ = Options{};
  options_.rest_after_ticks = option("rest", 0);
  options_.election_ticks = option("election", 10);
  options_.commit_with_heartbeats = option("commits", "at-once") == "with-heartbeats";
  options_.lease_reads = option("leases", "no") == "yes";
  options_.forward_proposals = option("forward", "no") == "yes";
  options_.append_bytes_max = static_cast<std::uint64_t>(option("append-bytes", 1000));
  options_.inflight_messages_max = static_cast<std::size_t>(option("inflight", 16));
  options_.inflight_bytes_max = static_cast<std::uint64_t>(option("inflight-bytes", 10000));
  options_.uncommitted_bytes_max = static_cast<std::uint64_t>(option("uncommitted", 10000));
  Membership membership;
  for (std::size_t i = 1; i < words_.size(); ++i) membership.voters.push_back(number(i));
  for (const std::string& id : split(option("learners", ""), '+')) {
    membership.learners.push_back(std::stoi(id));
  }
  for (NodeId id : membership.members()) nodes_[id].disk = MemoryStorage(membership);
  for (const std::string& id : split(option("empty", ""), '+')) nodes_[std::stoi(id)];
  for (auto& [id, each] : nodes_) start(id);
}

// log 2 1 1 4 [term=5]: node 2 starts again with three entries of these terms.
void RaftStory::plant_log() {
  Node& planted = node(1);
  planted.disk = MemoryStorage(planted.disk.memberships().front().membership);
  planted.applied = 0;
  std::vector<Entry> entries;
  for (std::size_t i = 2; i < words_.size(); ++i) {
    const auto index = static_cast<Index>(i - 1);
    entries.push_back(Entry{number(i), index, EntryKind::data, payload_of(words_[i])});
  }
  planted.disk.persist(std::nullopt, entries);
  planted.hard_state.term = option("term", entries.empty() ? 0 : entries.back().term);
  start(number(1));
}

void RaftStory::start(NodeId id) {
  Node& started = nodes_.at(id);
  Options options = options_;
  options.id = id;
  // Node n waits n ticks longer than the least before it campaigns, and numbers its reads from n.
  options.random = [id] { return static_cast<std::uint64_t>(id); };
  options.is_away = [this, id](NodeId other) { return away_.contains({id, other}); };
  started.raft = std::make_unique<Raft>(
      options, started.disk,
      Recovered{started.hard_state, 0, started.applied, started.disk.memberships()});
}

bool RaftStory::run_node(const std::string& command) {
  if (command == "tick") {
    for (int i = 0; i < (words_.size() > 2 ? number(2) : 1); ++i) raft(1).tick();
  } else if (command == "campaign") {
    raft(1).campaign_now();
  } else if (command == "propose") {
    std::vector<SharedBytes> payloads;
    for (std::size_t i = 2; i < words_.size(); ++i) payloads.push_back(payload_of(words_[i]));
    const Result<Position> at = raft(1).propose(std::move(payloads));
    if (at) say("at {}", to_string(*at));
    say_result(at);
  } else if (command == "change") {
    change();
  } else if (command == "leave-joint") {
    say_result(raft(1).propose_leave_joint());
  } else if (command == "transfer") {
    say_result(raft(1).transfer_leadership(number(2)));
  } else if (command == "read") {
    const Result<ReadId> id = raft(1).read();
    if (id) say("as read {}", *id);
    say_result(id);
  } else if (command == "node-down") {
    away_.insert({number(1), number(2)});
    raft(1).on_node_down(number(2));
  } else if (command == "node-up") {
    away_.erase({number(1), number(2)});
    raft(1).on_node_up(number(2));
  } else if (command == "patrol") {
    raft(1).patrol();
  } else if (command == "rest?") {
    for (auto& [id, each] : nodes_) {
      if (each.raft) say("{}: {}", id, each.raft->rests() ? "rests" : "is awake");
    }
  } else if (command == "time") {  // goes by at all nodes, a tick at a time
    for (int i = 0; i < number(1); ++i) {
      for (auto& [id, each] : nodes_) {
        if (each.raft) each.raft->tick();
      }
      settle();
    }
  } else if (command == "lease?") {
    say("{}", raft(1).has_lease() ? "yes" : "no");
  } else {
    return false;
  }
  return true;
}

// change 1 +4 -3 ~5 [simple|joint|explicit]: 4 votes, 3 goes, 5 learns.
void RaftStory::change() {
  std::vector<MemberChange> changes;
  Transition transition = Transition::automatic;
  for (std::size_t i = 2; i < words_.size(); ++i) {
    const std::string& word = words_[i];
    if (word == "simple") transition = Transition::simple;
    if (word == "joint") transition = Transition::joint_auto_leave;
    if (word == "explicit") transition = Transition::joint_explicit_leave;
    if (std::isalpha(word[0])) continue;
    const auto kind = word[0] == '+'   ? MemberChange::Kind::add_voter
                      : word[0] == '~' ? MemberChange::Kind::add_learner
                                       : MemberChange::Kind::remove;
    changes.push_back({kind, std::stoi(word.substr(1))});
  }
  say_result(raft(1).propose_membership(changes, transition));
}

bool RaftStory::run_network(const std::string& command) {
  const auto link = [&] { return std::pair(number(1), number(2)); };
  if (command == "deliver") {
    deliver(number(1), words_.size() > 2 ? static_cast<std::size_t>(number(2)) : 1000);
  } else if (command == "drop") {  // what is on its way to this node
    std::erase_if(network_, [&](const Message& message) { return message.to == number(1); });
  } else if (command == "cut") {
    cut_.insert(link());
  } else if (command == "isolate") {
    for (auto& [id, each] : nodes_) {
      cut_.insert({id, number(1)});
      cut_.insert({number(1), id});
    }
  } else if (command == "heal") {
    cut_.clear();
  } else if (command == "slow") {
    slow_.insert(link());
  } else if (command == "arrive" || command == "repeat") {
    // What was slow comes now, in the order sent, or backwards; `repeat` keeps it for a second
    // time.
    std::deque<Message> arriving = late_;
    if (words_.size() > 1 && words_[1] == "backwards")
      std::reverse(arriving.begin(), arriving.end());
    for (Message& message : arriving) network_.push_back(std::move(message));
    slow_.clear();
    if (command == "arrive") late_.clear();
  } else if (command == "message") {  // made by hand
    Message message{number(1), number(2), option("term", 1), TimeoutNow{}};
    if (words_.at(3) == "heartbeat") message.body = Heartbeat{1, option("commit", 0)};
    if (words_.at(3) == "vote") {
      message.body = Vote{false, false, Position{option("log-term", 0), option("log-end", 0)}};
    }
    say_result(raft(2).step(message));
  } else {
    return false;
  }
  return true;
}

bool RaftStory::run_driver(const std::string& command) {
  if (command == "ready") {
    take_ready(number(1));
  } else if (command == "hold-disk") {
    node(1).disk_held = true;
  } else if (command == "durable") {
    make_durable(number(1));
    node(1).disk_held = words_.size() > 2;  // durable 1 still: what comes next is held again
  } else if (command == "crash") {
    node(1).raft.reset();
    node(1).writing.clear();
    node(1).log_reads.clear();
    node(1).disk_held = false;
    node(1).fetch.reset();
  } else if (command == "start") {
    if (const int cut = option("damaged-from", 0); cut > 0) {
      node(1).hard_state = withhold(node(1).hard_state);
      node(1).disk.cut_from(cut);
      node(1).applied = node(1).disk.snapshot().index;  // what was applied is behind the log's end
    }
    start(number(1));
  } else if (command == "snapshot") {
    snapshot();
  } else if (command == "forget") {  // forget 1 5: entries before 5 are on disk only
    node(1).disk.in_memory_from = number(2);
  } else if (command == "log-read" || command == "log-read-fails") {
    for (const LogRead& read : std::exchange(node(1).log_reads, {})) {
      auto entries = node(1).disk.read(read.begin, read.end, read.bytes_max);
      if (command == "log-read-fails") entries.clear();
      raft(1).on_entries_read(read, std::move(entries));
    }
  } else if (command.starts_with("fetch") && !node(1).fetch) {
    say("nothing to fetch");
  } else if (command == "fetched") {
    const SnapshotMeta meta = node(1).fetch->meta;
    node(1).fetch.reset();
    raft(1).on_snapshot_fetched(meta);
  } else if (command == "fetch-fails") {
    const SnapshotMeta meta = node(1).fetch->meta;
    node(1).fetch.reset();
    raft(1).on_snapshot_failed(meta);
  } else {
    return false;
  }
  return true;
}

// snapshot 1 [keep=4]: of what is applied; the log keeps entries from 4.
void RaftStory::snapshot() {
  const Raft& from = raft(1);
  const Index index = from.log().applied();
  node(1).disk.compact(
      SnapshotMeta{index, *from.log().term(index), from.log().membership_at(index)},
      option("keep", static_cast<int>(index) + 1));
  raft(1).on_log_compacted();
}

void RaftStory::take_ready(NodeId id) {
  Node& taker = nodes_.at(id);
  if (!taker.raft->has_ready()) return say("nothing");
  Ready ready = taker.raft->ready();
  if (!quiet_) out_ += to_string(ready);
  act(id, ready);
}

void RaftStory::act(NodeId id, Ready& ready) {
  Node& taker = nodes_.at(id);
  post(ready.messages);
  post(ready.heartbeats);
  for (const LogRead& read : ready.log_reads) taker.log_reads.push_back(read);
  if (ready.fetch) taker.fetch = ready.fetch;
  if (!ready.committed.empty()) {
    taker.applied = ready.committed.back().index;
    taker.raft->on_applied(taker.applied);
  }
  if (ready.number == 0) return;
  taker.writing.push_back(std::move(ready));
  if (!taker.disk_held) make_durable(id);
}

void RaftStory::make_durable(NodeId id) {
  Node& writer = nodes_.at(id);
  while (!writer.writing.empty()) {
    const Ready ready = std::move(writer.writing.front());
    writer.writing.pop_front();
    if (ready.hard_state) writer.hard_state = *ready.hard_state;
    if (ready.install) writer.applied = ready.install->index;
    writer.disk.persist(ready.install, ready.entries);
    writer.raft->on_persisted(ready.number);
    post(ready.messages_when_durable);
  }
}

void RaftStory::post(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    const std::pair link(message.from, message.to);
    if (cut_.contains(link) || !nodes_.contains(message.to)) continue;
    (slow_.contains(link) ? late_ : network_).push_back(message);
  }
}

void RaftStory::deliver(NodeId to, std::size_t count_max) {
  std::deque<Message> others;
  std::deque<Message> here = std::exchange(network_, {});
  for (Message& message : here) {
    if (message.to != to || count_max == 0) {
      others.push_back(std::move(message));
      continue;
    }
    --count_max;
    if (!nodes_.at(to).raft) continue;
    say("{}", to_string(message));
    say_result(nodes_.at(to).raft->step(message));
  }
  for (Message& message : others) network_.push_back(std::move(message));
}

// Everything that can happen without time passing happens.
void RaftStory::settle() {
  for (bool moved = true; moved;) {
    moved = false;
    for (auto& [id, each] : nodes_) {
      if (!each.raft) continue;
      for (; each.raft->has_ready(); moved = true) {
        Ready ready = each.raft->ready();
        const std::string text = to_string(ready);
        if (!text.empty()) say("-- {}\n{}", id, text.substr(0, text.size() - 1));
        act(id, ready);
      }
    }
    for (auto& [id, each] : nodes_) {
      const bool waits =
          std::any_of(network_.begin(), network_.end(),
                      [to = id](const Message& message) { return message.to == to; });
      if (!waits) continue;
      moved = true;
      const bool quiet = std::exchange(quiet_, true);  // what is sent is told above
      deliver(id, 1000);
      quiet_ = quiet;
    }
  }
}

namespace {

class RaftTranscript : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(RaftTranscript, ReadsAsRecorded) {
  RaftStory story;
  const Replayed replayed =
      replay_file(GetParam(), [&](const std::string& command) { return story.run(command); });
  EXPECT_EQ(replayed.recorded, replayed.actual) << how_to_rewrite;
}

INSTANTIATE_TEST_SUITE_P(Stories, RaftTranscript,
                         ::testing::ValuesIn(transcripts("raft/core/testdata")),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace chronik::raft
