#include "integration/sim/simulation.h"

#include <spdlog/fmt/fmt.h>

#include <csignal>
#include <cstdio>

#include "metadata/apply.h"
#include "raft/multi/wire.h"
#include "raft/records/vote_answer_frame.h"
#include "raft/records/vote_frame.h"
#include "wal/log_slice.h"

namespace chronik::sim {

namespace {

std::uint64_t running_seed = 0;

void on_abort(int) {
  std::fprintf(stderr, "again: sim --count 1 --trace --seed %llu\n",
               static_cast<unsigned long long>(running_seed));
  std::signal(SIGABRT, SIG_DFL);
}

/// Only these are looked at when they leave.
bool speaks_of_votes(const SharedBytes& frame) {
  // The frame's version, then its kind (raft/multi/wire.h).
  return frame.size() > 1 && (frame.data()[1] == raft::VoteFrame::record_type ||
                              frame.data()[1] == raft::VoteAnswerFrame::record_type);
}

bool is_of_metadata(const raft::GroupId& group) {
  const wal::LogIdentity identity = metadata::metadata_log_identity();
  return group == raft::GroupId{identity.topic_id, identity.partition};
}

/// By which the partitions that were placed there know the node.
Uuid first_directory(const Plan& plan, NodeId id) {
  return Uuid::from_random(plan.seed, static_cast<std::uint64_t>(id));
}

}  // namespace

void tell_seed_on_abort() { std::signal(SIGABRT, on_abort); }

Simulation::Simulation(std::uint64_t seed, Counts& counts, SimulationOptions options)
    : plan_(seed),
      counts_(counts),
      options_(options),
      random_(seed ^ 0x5EED5EED5EED5EEDULL),
      images_(verdict_, seed ^ 0x1A6E),
      ledger_(verdict_, images_),
      log_(verdict_,
           [this](const raft::Entry& entry) {
             images_.on_commit(entry);
             ledger_.on_commit(entry);
           }),
      network_(seed ^ 0x3E7),
      events_source_([random = Random(seed ^ 0xE7E27)]() mutable { return random.next(); }),
      placement_(place_partitions(plan_, options_.bug)),
      traffic_(*this, plan_, placement_, counts_, verdict_, options_.bug) {
  network_.faults = plan_.network;
  for (NodeId id = 1; id <= plan_.pool; ++id) {
    Machine& made = machines_[id];
    World& world = *this;
    made.node = std::make_unique<Node>(world, plan_, placement_, id, random_.next());
    made.founder = id <= plan_.voters;
    if (plan_.replicated > 0) made.node->directory = first_directory(plan_, id);
    if (is(PlantedBug::disk_ignores_sync) || is(PlantedBug::truncates_nothing)) {
      const bool cuts = is(PlantedBug::truncates_nothing);
      made.lying = std::make_unique<LyingDisk>(made.node->disk,
                                               cuts ? LyingDisk::Lie::cuts : LyingDisk::Lie::syncs);
      made.node->door = made.lying.get();
    }
    made.node->lease_reads = is(PlantedBug::lease_by_a_slow_clock);
  }
  if (plan_.flips) victim_ = static_cast<NodeId>(1 + random_.below(machines_.size()));
}

Placement Simulation::place_partitions(Plan& plan, PlantedBug bug) {
  suit_plan(bug, plan);
  std::vector<Uuid> directories;
  for (NodeId id = 1; id <= plan.voters; ++id) directories.push_back(first_directory(plan, id));
  return place(plan, directories);
}

Simulation::~Simulation() {
  for (auto& [id, each] : machines_) {
    traffic_.on_end(id, false);
    each.node->end();
  }
}

std::string Simulation::command() const {
  std::string command = fmt::format("sim --seed {}", plan_.seed);
  for (const BugInfo& info : planted_bugs()) {
    if (info.bug == options_.bug) command += fmt::format(" --plant {}", info.name);
  }
  return command;
}

bool Simulation::run() {
  running_seed = plan_.seed;
  ++counts_.runs;
  raft::Membership founders;
  for (NodeId id = 1; id <= plan_.voters; ++id) founders.voters.push_back(id);
  log_.found(founders);
  for (auto& [id, each] : machines_) {
    if (each.founder) start_later(each, some(500));
  }
  plan_trouble();
  plan_client();
  plan_administrator();
  if (plan_.rests) watch_silence();
  traffic_.begin();
  run_until([] { return false; }, plan_.trouble);
  const bool good = verdict_.good() && settle();
  gather_counts();
  return good;
}

void Simulation::gather_counts() {
  counts_.simulated_ms += static_cast<std::uint64_t>(
      std::chrono::duration_cast<milliseconds>(now_.time_since_epoch()).count());
  for (auto& [id, each] : machines_) {
    counts_.compactions += each.node->compacted;
    if (each.node->up()) {
      counts_.node_ms += static_cast<std::uint64_t>(
          std::chrono::duration_cast<milliseconds>(now_ - each.up_since).count());
    }
  }
  counts_.frames += network_.sent;
  counts_.frames_lost += network_.lost;
  counts_.elections += log_.elections();
  counts_.committed += static_cast<std::uint64_t>(log_.committed());
  counts_.snapshots_installed += log_.snapshots_installed();
  counts_.images_compared += images_.compared();
  traffic_.gather(counts_);
  const Ledger::Counts& told = ledger_.counts();
  counts_.proposals += told.proposals;
  counts_.made += told.made;
  counts_.not_made += told.not_made;
  counts_.unknown += told.unknown;
  counts_.reads += told.reads;
}

// -- Time.

void Simulation::at(milliseconds delay, std::function<void()> action) {
  events_.push(
      {now_ + delay, sequence_++, std::make_shared<std::function<void()>>(std::move(action))});
}

SteadyTime Simulation::next_time() const {
  SteadyTime next = SteadyTime::max();
  if (!events_.empty()) next = events_.top().time;
  if (const auto due = network_.next_due()) next = std::min(next, *due);
  for (const auto& [id, each] : machines_) {
    if (const auto due = each.node->next()) next = std::min(next, *due);
  }
  return next;
}

bool Simulation::run_until(const std::function<bool()>& done, milliseconds time) {
  const SteadyTime end = now_ + time;
  while (verdict_.good()) {
    if (done()) return true;
    const SteadyTime next = next_time();
    if (next > end) break;
    now_ = std::max(now_, next);
    step();
  }
  now_ = std::max(now_, end);
  return false;
}

/// Everything that is due now, in turns.
void Simulation::step() {
  while (const auto frame = network_.next(now_)) {
    Machine& to = machine(frame->to);
    if (!to.node->serves()) continue;
    to.node->receive(frame->from, frame->bytes);
    after(to);
    if (!verdict_.good()) return;
  }
  for (auto& [id, each] : machines_) {
    while (each.node->step()) {
      after(each);
      if (!verdict_.good()) return;
    }
  }
  while (!events_.empty() && events_.top().time <= now_ && verdict_.good()) {
    const Event event = events_.top();
    events_.pop();
    (*event.action)();
  }
}

/// Something happened at the node.
void Simulation::after(Machine& machine) {
  Node& node = *machine.node;
  if (!node.up() || !verdict_.good()) return;
  log_.after_event(node.id());
  check_seen();
  ledger_.after_event();
  forget_left(options_.bug, node.disk, std::string(Node::root));
  traffic_.after_event(node);
  const auto& snapshots = node.store().snapshots();
  if (!snapshots.empty() && snapshots.front().offset != machine.snapshot) {
    machine.snapshot = snapshots.front().offset;
    ++counts_.snapshots;
  }
  if (!node.fatal().empty()) return on_fatal(machine);
  if (node.stopped()) {
    trace(fmt::format("{} has stopped", node.id()));
    end(machine, CrashModel::reordered, true);
    start_later(machine, some(2'000));
  }
}

void Simulation::check_seen() {
  for (const SeenImage& seen : std::exchange(seen_images_, {})) {
    images_.check(seen.node, seen.image, ImageChecker::How::sampled);
  }
  for (const SeenLeadership& seen : std::exchange(seen_leaderships_, {})) {
    if (!seen.leadership.ready) continue;
    const Index decided = log_.committed_before(seen.leadership.term);
    if (seen.leadership.leader == seen.node && seen.applied >= decided) continue;
    verdict_.fail(Promise::ready_leader,
                  fmt::format("node {} says it is ready to lead in term {} at entry {}, and {} was "
                              "decided before",
                              seen.node, seen.leadership.term, seen.applied, decided));
  }
  for (const SeenRead& seen : std::exchange(seen_reads_, {})) {
    ledger_.check_read(seen.node, seen.floor, seen.topics, *seen.image);
  }
}

// -- What nodes do.

void Simulation::send(NodeId from, NodeId to, ByteChain frame) {
  if (!machines_.contains(to)) return;
  raft::RaftReplicaManager& groups = machine(from).node->manager();
  for (ByteChain& part : frames_of(options_.bug, groups, to, std::move(frame), random_)) {
    const SharedBytes bytes = wal::gather(part).value();
    if (speaks_of_votes(bytes)) {
      const raft::Frame decoded =
          raft::decode_frame(from, to, SharedBytes::copy_of(bytes.view())).value();
      for (const auto& message : std::get<std::vector<raft::GroupMessage>>(decoded)) {
        if (!is_of_metadata(message.group)) {
          traffic_.on_send(message);
          continue;
        }
        log_.on_send(message.message);
        const auto* answer = std::get_if<raft::VoteAnswer>(&message.message.body);
        if (is(PlantedBug::forgets_its_vote) && answer != nullptr && !answer->pre) {
          at(milliseconds(1), [this, from] {
            Machine& voter = machine(from);
            if (!voter.node->up()) return;
            end(voter, CrashModel::kill, false);
            start_later(voter, milliseconds(1));
          });
        }
        if (is(PlantedBug::drops_votes) && peace_ && message.message.is<raft::VoteAnswer>()) return;
      }
    }
    network_.send(from, to, part, now_);
  }
}

void Simulation::on_image(NodeId node, const std::shared_ptr<const metadata::Image>& image) {
  if (!is(PlantedBug::image_of_its_own) || node != 2) {
    seen_images_.push_back({node, image});
    return;
  }
  metadata::ImageBuilder builder(image);
  builder.apply(metadata::TopicConfigChanged{metadata::topic_id(1), "", false, {{"x", "of 2"}}});
  builder.set_applied(image->applied_index(), image->applied_offset());
  seen_images_.push_back({node, builder.finish().image});
}

void Simulation::on_leadership(NodeId node, const metadata::Leadership& leadership) {
  if (leadership.ready) machine(node).office = leadership.term;
  SeenLeadership seen{node, leadership, machine(node).node->store().image()->applied_index()};
  if (is(PlantedBug::ready_too_early)) seen.leadership.ready = leadership.leader == node;
  trace(fmt::format("{} sees leader {} in term {}{}", node, leadership.leader, leadership.term,
                    leadership.ready ? ", ready" : ""));
  seen_leaderships_.push_back(seen);
}

Simulation::Machine* Simulation::leader() {
  Machine* found = nullptr;
  for (auto& [id, each] : machines_) {
    if (!each.node->serves() || each.node->paused()) continue;
    if (each.node->replica().raft().role() != raft::Role::leader) continue;
    if (found == nullptr ||
        each.node->replica().raft().term() > found->node->replica().raft().term()) {
      found = &each;
    }
  }
  return found;
}

Simulation::Machine& Simulation::any() {
  return machine(static_cast<NodeId>(random_.below(machines_.size()) + 1));
}

void Simulation::trace(const std::string& line) const {
  if (!options_.trace) return;
  const auto ms = std::chrono::duration_cast<milliseconds>(now_.time_since_epoch()).count();
  fmt::print("{:>7} {}\n", ms, line);
}

}  // namespace chronik::sim
