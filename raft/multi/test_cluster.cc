#include "raft/multi/test_cluster.h"

#include <algorithm>
#include <utility>

#include "wal/log_slice.h"

namespace chronik::raft::testing {

void FakeNetwork::send(NodeId from, NodeId to, const ByteChain& chain, SteadyTime now) {
  ++sent;
  Frame frame{from, to, SharedBytes::copy_of(wal::gather(chain).value().view())};
  const bool unlucky = faults.lose_one_in != 0 && random_.one_in(faults.lose_one_in);
  if (blocks(from, to) || unlucky || (filter && filter(frame))) {
    ++lost;
    return;
  }
  const bool twice = faults.repeat_one_in != 0 && random_.one_in(faults.repeat_one_in);
  if (twice) enqueue(frame, now);
  enqueue(std::move(frame), now);
}

void FakeNetwork::enqueue(Frame frame, SteadyTime now) {
  const auto spread = static_cast<std::uint64_t>((faults.delay_max - faults.delay_min).count());
  SteadyTime at = now + faults.delay_min + milliseconds(random_.below(spread + 1));
  SteadyTime& last = last_[{frame.from, frame.to}];
  if (!faults.reorder) at = std::max(at, last);
  last = std::max(last, at);
  queue_.emplace(at, std::move(frame));
}

std::optional<FakeNetwork::Frame> FakeNetwork::next(SteadyTime now) {
  while (!queue_.empty() && queue_.begin()->first <= now) {
    Frame frame = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    if (!blocks(frame.from, frame.to)) return frame;
    ++lost;
  }
  return std::nullopt;
}

std::optional<SteadyTime> FakeNetwork::next_due() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.begin()->first;
}

void FakeNetwork::drop_between(NodeId one, NodeId other) {
  std::erase_if(queue_, [&](const auto& at) {
    const Frame& frame = at.second;
    return (frame.from == one && frame.to == other) || (frame.from == other && frame.to == one);
  });
}

void FakeNetwork::drop(NodeId node) {
  std::erase_if(queue_,
                [&](const auto& at) { return at.second.from == node || at.second.to == node; });
}

TestNode::TestNode(TestCluster& cluster, NodeId id, std::uint64_t seed)
    : random(seed), cluster_(cluster), id_(id), directory_id_(Uuid::from_random(seed, 1)) {
  CHECK(disk.make_directories(directory));
}

TestNode::~TestNode() { end(); }

void TestNode::begin() {
  fatal.clear();
  environment = std::make_unique<wal::LogEnvironment>(disk);
  environment->on_fatal = [this](const Error& error) {
    if (fatal.empty()) fatal = error.message;
  };
  group_commit = std::make_unique<wal::GroupCommit>(*environment, executor);
  RaftOptions options = cluster_.options;
  options.node = id_;
  options.directory = directory_id_;
  options.random = [this] { return random.next(); };
  Transport& transport = *this;
  manager = std::make_unique<RaftReplicaManager>(std::move(options), *environment, *group_commit,
                                                 executor, transport);
}

void TestNode::end() {
  executor.abandon();
  manager.reset();
  group_commit.reset();
  environment.reset();
}

void TestNode::send(NodeId to, ByteChain frame) {
  cluster_.network.send(id_, to, frame, cluster_.now());
}

TestCluster::TestCluster(std::uint64_t seed, int count, NodeSetup& setup)
    : network(seed + 1), setup_(setup), random_(seed) {
  for (NodeId id = 1; id <= count; ++id) add_node(id);
}

TestCluster::~TestCluster() {
  for (auto& [id, node] : nodes_) {
    if (node->up()) crash(id, CrashModel::kill, false);
  }
}

TestNode& TestCluster::add_node(NodeId id) {
  return *nodes_.emplace(id, std::make_unique<TestNode>(*this, id, random_.next())).first->second;
}

std::vector<NodeId> TestCluster::ids() const {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  return ids;
}

Result<void> TestCluster::start(NodeId id) {
  TestNode& node = *nodes_.at(id);
  CHECK(!node.up());
  node.begin();
  Result<void> started = setup_.start(node);
  if (!started) {
    node.end();
    setup_.stop(node);
    return started;
  }
  for (auto& [other, at] : nodes_) {
    if (other == id || !at->up()) continue;
    at->manager->on_node_up(id, node.directory_id_);
    node.manager->on_node_up(other, at->directory_id_);
  }
  return {};
}

void TestCluster::start_all() {
  for (auto& [id, node] : nodes_) {
    if (node->up()) continue;
    Result<void> started = start(id);
    CHECK_MSG(started.has_value(), started.error().message);
  }
}

void TestCluster::crash(NodeId id, CrashModel model, bool connections_close) {
  TestNode& node = *nodes_.at(id);
  CHECK(node.up());
  node.executor.abandon();
  setup_.stopping(node);
  node.end();
  setup_.stop(node);
  node.disk.crash(node.random, model);
  network.drop(id);
  if (!connections_close) return;
  for (auto& [other, at] : nodes_) {
    if (other != id && at->up()) at->manager->on_node_down(id);
  }
}

void TestCluster::wipe(NodeId id) {
  TestNode& node = *nodes_.at(id);
  CHECK(!node.up());
  for (const std::string& file : node.disk.files(node.directory)) CHECK(node.disk.remove(file));
  Result<std::vector<DirectoryEntry>> left = node.disk.list(node.directory);
  for (const DirectoryEntry& entry : *left) {
    CHECK(node.disk.remove(node.directory + "/" + entry.name));
  }
  node.directory_id_ = Uuid::from_random(node.random.next(), 2);
}

SilenceWatch::News SilenceWatch::look(NodeId one, NodeId other, bool heard, bool one_counts_it,
                                      bool other_counts_it, SteadyTime now) {
  SteadyTime& last = heard_.try_emplace({one, other}, now).first->second;
  if (heard) last = now;
  if (one_counts_it && other_counts_it) {
    return now - last < silence_max_ ? News::none : News::lost;
  }
  if (one_counts_it || other_counts_it) return heard ? News::lost : News::none;
  return heard ? News::found : News::none;
}

bool counts(const RaftReplicaManager& manager, NodeId other) {
  const std::vector<MemberDirectory> present = manager.present();
  return std::ranges::find(present, other, &MemberDirectory::node) != present.end();
}

void TestCluster::look_for_silence() {
  for (auto& [one, a] : nodes_) {
    for (auto& [other, b] : nodes_) {
      if (one >= other || !a->up() || !b->up()) continue;
      const bool heard = !network.blocks(one, other) && !network.blocks(other, one);
      switch (silence_->look(one, other, heard, counts(*a->manager, other),
                             counts(*b->manager, one), now_)) {
        case SilenceWatch::News::none:
          break;
        case SilenceWatch::News::lost:
          network.drop_between(one, other);
          a->manager->on_node_down(other);
          b->manager->on_node_down(one);
          break;
        case SilenceWatch::News::found:
          a->manager->on_node_up(other, b->directory_id_);
          b->manager->on_node_up(one, a->directory_id_);
          break;
      }
    }
  }
}

void TestCluster::step() {
  now_ += milliseconds(1);
  if (silence_) look_for_silence();
  while (std::optional<FakeNetwork::Frame> frame = network.next(now_)) {
    TestNode& to = *nodes_.at(frame->to);
    if (to.up() && to.fatal.empty()) to.manager->receive(frame->from, std::move(frame->bytes));
  }
  for (auto& [id, node] : nodes_) {
    if (!node->up()) continue;
    // A process whose disk failed has ended.
    while (node->fatal.empty() && node->executor.step()) {
    }
    if (!node->fatal.empty()) {
      node->executor.abandon();
      continue;
    }
    const std::optional<SteadyTime> due = node->manager->next_tick();
    if (due && *due <= now_) node->manager->tick(now_);
  }
}

void TestCluster::run(milliseconds time) {
  for (const SteadyTime end = now_ + time; now_ < end;) step();
}

bool TestCluster::run_until(const std::function<bool()>& done, milliseconds time) {
  for (const SteadyTime end = now_ + time; now_ < end && !done();) step();
  return done();
}

}  // namespace chronik::raft::testing
