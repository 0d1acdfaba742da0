// What the driver of a Raft does, on simulated disks and a simulated network.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "raft/core/describe.h"
#include "raft/sim/simulation.h"

namespace chronik::raft::sim {

void Simulation::start(Node& node) {
  ++node.life;
  Options options;
  options.id = node.id;
  options.election_ticks = 10;
  options.lease_reads = plan_.leases;
  if (plan_.rests) options.rest_after_ticks = 2;
  options.random = [this] { return random_.next(); };
  if (plan_.tight) {
    options.append_bytes_max = 40;
    options.inflight_messages_max = 3;
    options.inflight_bytes_max = 100;
    options.uncommitted_bytes_max = 300;
    options.apply_bytes_max = 60;
  }
  // The state machine starts from its last snapshot.
  node.applied = node.disk.snapshot().index;
  node.applied_hash = checker_.committed_hash(node.applied);
  node.paused_until = 0;
  node.to_apply.clear();
  node.ready_planned = false;
  node.raft = std::make_unique<Raft>(
      options, node.disk,
      Recovered{node.hard_state, node.commit, node.applied, node.disk.memberships()});
  trace(fmt::format("start {}", describe(*node.raft)));
  checker_.on_start(node.id, *node.raft, node.disk);
  node.next_tick = now_ + static_cast<std::int64_t>(random_.below(tick_units)) + 1;
  schedule_tick(node);
  after(node);
}

void Simulation::schedule_tick(Node& node) {
  at_node(node, std::max<std::int64_t>(node.next_tick - now_, 0), [this](Node& ticked) {
    // After a pause all the ticks that were missed come first (raft.h, "Leases").
    for (; ticked.next_tick <= now_; ticked.next_tick += ticked.tick_units) ticked.raft->tick();
    schedule_tick(ticked);
  });
}

// Whatever moved the node: its Ready is taken now or, when it is lazy, with what else comes.
void Simulation::after(Node& node) {
  if (!node.raft) return;
  checker_.after_event(node.id, disks(), damaged_once_);
  if (!checker_.problem().empty() || node.ready_planned || !node.raft->has_ready()) return;
  const bool wait = plan_.lazy && !peace_ && random_.below(2) == 0;
  if (!wait) return take_ready(node);
  node.ready_planned = true;
  at_node(node, static_cast<std::int64_t>(random_.below(30)) + 1,
          [](Node& waited) { waited.ready_planned = false; });
}

void Simulation::take_ready(Node& node) {
  Ready ready = node.raft->ready();
  if (trace_) trace(fmt::format("ready of {}\n{}", node.id, to_string(ready)));
  checker_.on_ready(node.id, ready);
  checker_.after_event(node.id, disks(), damaged_once_);
  if (!checker_.problem().empty()) return;
  send(node, ready.messages);
  send(node, ready.heartbeats);
  if (percent(30)) node.commit = ready.commit_durable;
  apply(node, ready);
  answer_reads(node, ready);
  for (const LogRead& read : ready.log_reads) read_log(node, read);
  if (ready.fetch) fetch(node, *ready.fetch);
  if (ready.number > 0) {
    node.writing.push_back(std::move(ready));
    if (node.writing.size() == 1) write_next(node);
  }
  after(node);
}

// In order, but later: each event takes what was handed out first.
void Simulation::apply(Node& node, const Ready& ready) {
  if (ready.committed.empty()) return;
  node.to_apply.push_back(ready.committed);
  const std::int64_t delay = percent(50) ? 0 : static_cast<std::int64_t>(random_.below(60));
  at_node(node, delay, [this](Node& applier) {
    if (applier.to_apply.empty()) return;
    const std::vector<Entry> entries = std::move(applier.to_apply.front());
    applier.to_apply.pop_front();
    for (const Entry& entry : entries) {
      if (entry.index != applier.applied + 1) {
        return checker_.fail(
            fmt::format("node {} applies {} after {}", applier.id, entry.index, applier.applied));
      }
      applier.applied_hash = extend_hash(applier.applied_hash, entry);
      applier.applied = entry.index;
      checker_.on_apply(applier.id, entry, applier.applied_hash);
    }
    applier.raft->on_applied(applier.applied);
  });
}

void Simulation::answer_reads(Node& node, const Ready& ready) {
  for (ReadId id : ready.reads_lost) {
    if (node.reads.erase(id) == 0) checker_.fail("a read is lost that nobody waits for");
  }
  for (const ReadReady& read : ready.reads) {
    const auto asked = node.reads.find(read.id);
    if (asked == node.reads.end()) return checker_.fail("a read is answered twice");
    const Index seen = node.applied;
    if (seen < read.index || seen < asked->second.floor) {
      return checker_.fail(
          fmt::format("a read of node {} sees {} (told {}), but {} was committed when it began",
                      node.id, seen, read.index, asked->second.floor));
    }
    ++counts_.reads;
    node.reads.erase(asked);
  }
}

void Simulation::read_log(Node& node, const LogRead& read) {
  const std::int64_t delay = 1 + static_cast<std::int64_t>(random_.below(80));
  at_node(node, delay, [this, read](Node& reader) {
    std::vector<Entry> entries;
    const Index end = std::min(read.end, reader.disk.last_index() + 1);
    const bool there = read.begin >= reader.disk.first_index() && read.begin < end;
    if (there && !percent(10)) entries = reader.disk.read(read.begin, end, read.bytes_max);
    reader.raft->on_entries_read(read, std::move(entries));
  });
}

void Simulation::fetch(Node& node, const SnapshotFetch& wanted) {
  const std::int64_t delay = 10 + static_cast<std::int64_t>(random_.below(1500));
  at_node(node, delay, [this, wanted](Node& fetcher) {
    if (!peace_ && percent(25)) return fetcher.raft->on_snapshot_failed(wanted.meta);
    fetcher.raft->on_snapshot_fetched(wanted.meta);
    // A snapshot that replaces the log replaces what was to be applied.
    if (fetcher.raft->log().applied() > fetcher.applied) fetcher.to_apply.clear();
    ++counts_.snapshots_installed;
  });
}

void Simulation::write_next(Node& node) {
  std::int64_t delay = static_cast<std::int64_t>(
      random_.below(static_cast<std::uint64_t>(peace_ ? 20 : plan_.disk_units_max) + 1));
  if (plan_.slow_disks && !peace_ && percent(5)) delay += 2000;
  at_node(node, delay, [this](Node& writer) {
    // One sync makes several Readys durable.
    std::size_t together = 1 + random_.below(writer.writing.size());
    std::uint64_t number = 0;
    std::vector<Message> released;
    for (; together > 0; --together) {
      Ready ready = std::move(writer.writing.front());
      writer.writing.pop_front();
      persist(writer, ready, ready.entries.size());
      number = ready.number;
      send(writer, ready.messages_when_durable);
    }
    writer.raft->on_persisted(number);
    if (!writer.writing.empty()) write_next(writer);
  });
}

void Simulation::persist(Node& node, const Ready& ready, std::size_t entries_max) {
  if (ready.hard_state) node.hard_state = *ready.hard_state;
  const std::vector<Entry> entries(
      ready.entries.begin(), ready.entries.begin() + static_cast<std::ptrdiff_t>(entries_max));
  node.disk.persist(ready.install, entries);
  if (ready.install) {
    node.disk.in_memory_from = 0;
    if (ready.install->index > node.applied) {
      node.applied = ready.install->index;
      node.applied_hash = checker_.committed_hash(node.applied);
    }
  }
}

void Simulation::send(Node& node, std::vector<Message>& messages) {
  for (Message& message : messages) {
    checker_.on_send(message, node.hard_state, node.disk);
    if (!peace_ && plan_.old_messages && history_.size() < 3000) history_.push_back(message);
    if (!peace_ && percent(plan_.lost_percent)) continue;
    const auto delay_max = static_cast<std::uint64_t>(peace_ ? 20 : plan_.delay_units_max);
    at(static_cast<std::int64_t>(random_.below(delay_max)) + 1,
       [this, message] { deliver(message); });
    if (!peace_ && percent(plan_.repeated_percent)) {
      const std::uint64_t later = percent(50) ? 100 : 20000;
      at(static_cast<std::int64_t>(random_.below(later)) + 1,
         [this, message] { deliver(message); });
    }
  }
  messages.clear();
}

void Simulation::deliver(const Message& message) {
  const auto found = nodes_.find(message.to);
  if (found == nodes_.end() || !found->second.raft) return;
  if (cut_.contains({message.from, message.to})) return;
  run_node_action(message.to, found->second.life, [this, message](Node& node) {
    if (trace_) trace(to_string(message));
    const Result<void> stepped = node.raft->step(message);
    if (!stepped) checker_.fail(stepped.error().message);
  });
}

std::map<NodeId, const MemoryStorage*> Simulation::disks() const {
  std::map<NodeId, const MemoryStorage*> all;
  for (const auto& [id, node] : nodes_) all[id] = &node.disk;
  return all;
}

}  // namespace chronik::raft::sim
