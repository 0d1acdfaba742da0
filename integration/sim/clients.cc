// What clients ask of a simulated cluster, and how the planted bugs that sit between a node and its
// clients change what they see.
#include <spdlog/fmt/fmt.h>

#include "integration/sim/simulation.h"

namespace chronik::sim {

void Simulation::plan_client() {
  at(some(2 * plan_.client_interval.count()), [this] {
    if (peace_) return;
    client(any());
    // Also who thinks it leads, and may be deposed: what it answers is what may be stale.
    if (Machine* leads = leader(); leads != nullptr && percent(30)) client(*leads);
    plan_client();
  });
}

void Simulation::client(Machine& machine) {
  if (!machine.node->serves() || machine.node->paused()) return;
  if (percent(55)) {
    propose(machine);
  } else {
    read(machine);
  }
  after(machine);
}

void Simulation::propose(Machine& machine) {
  metadata::ProposeOptions options;
  std::optional<std::string> topic;
  std::vector<metadata::MetadataEvent> events;
  const std::uint64_t kind = random_.below(100);
  if (kind < 30) {
    topic = fmt::format("kept-{}", ++kept_topics_);
    events.emplace_back(metadata::topic_created((std::uint64_t{1} << 40) + kept_topics_, *topic));
  } else {
    events = events_source_.batch(percent(5) ? 60 : 4);
  }
  // What a coordinator decided, who may have been replaced meanwhile.
  if (kind % 10 < 2 && machine.office > 0) options.only_in_term = machine.office;
  if (kind % 10 == 3) options.idempotent = true;
  const ProposalId id = ledger_.propose(options, std::move(topic));
  events.push_back(Ledger::mark(id));
  // The bug forgets to say so; the ledger knows.
  if (is(PlantedBug::takes_any_term)) options.only_in_term = {};
  machine.asked.insert(id);
  const NodeId node = machine.node->id();
  trace(fmt::format("proposal {} at {}", id, node));
  machine.node->store().propose(events, options,
                                [this, node, id, events](Result<metadata::ApplyResults> outcome) {
                                  on_answer(node, id, events, std::move(outcome));
                                });
}

void Simulation::on_answer(NodeId id, ProposalId proposal,
                           const std::vector<metadata::MetadataEvent>& events,
                           Result<metadata::ApplyResults> outcome) {
  Node& node = *machine(id).node;
  if (!node.answers() || !node.fatal().empty()) return;
  const bool unknown = !outcome && outcome.error().code == Errc::timeout &&
                       outcome.error().message.find("was not made") == std::string::npos;
  if (is(PlantedBug::retries_what_is_unknown) && unknown && node.serves()) {
    node.store().propose(events, {}, [this, id, proposal, events](auto again) {
      on_answer(id, proposal, events, std::move(again));
    });
    return;
  }
  if (is(PlantedBug::unknown_is_made) && unknown) outcome = metadata::ApplyResults(events.size());
  if (is(PlantedBug::unknown_is_refused) && unknown) {
    outcome = Error{Errc::not_leader, "planted"};
  }
  if (is(PlantedBug::answers_of_another) && outcome && random_.one_in(20)) {
    outcome->front().message += "!";
  }
  machine(id).asked.erase(proposal);
  trace(fmt::format("proposal {} at {}: {}", proposal, id,
                    outcome ? "made" : outcome.error().message));
  ledger_.answer(proposal, std::move(outcome), node.store().image()->applied_index());
}

void Simulation::read(Machine& machine) {
  SeenRead seen{machine.node->id(), log_.committed(), ledger_.topics(), nullptr};
  if (is(PlantedBug::reads_without_asking)) {
    seen.image = machine.node->store().image();
    seen_reads_.push_back(std::move(seen));
    return;
  }
  machine.node->store().read_barrier([this, seen](const Result<void>& done) mutable {
    Node& node = *this->machine(seen.node).node;
    if (!done || !node.answers() || !node.fatal().empty()) return;
    seen.image = node.store().image();
    seen_reads_.push_back(seen);
  });
}

}  // namespace chronik::sim
