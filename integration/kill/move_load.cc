#include "integration/kill/move_load.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "integration/harness/protocol_client.h"
#include "protocol/errors.h"
#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/elect_leaders.h"

namespace chronik::integration {

namespace {

using protocol::ErrorCode;

constexpr std::chrono::milliseconds pace{150};
constexpr std::chrono::milliseconds answers_within{2'000};
// A request that nobody waits for any more is not begun later than this.
constexpr std::chrono::seconds forgotten_after{15};
constexpr std::size_t wide_size = 3;
// More of them at a time would copy the whole topic all the time.
constexpr int moves_max = 3;

bool are_same(MoveLoad::Replicas one, MoveLoad::Replicas other) {
  std::ranges::sort(one);
  std::ranges::sort(other);
  return one == other;
}

}  // namespace

MoveLoad::MoveLoad(ClusterProcesses& cluster, const std::vector<Topic>& topics, std::uint64_t seed)
    : cluster_(cluster), random_(seed) {
  for (const Topic& topic : topics) {
    views_.try_emplace(topic.name, cluster, topic.name);
    for (int p = 0; p < topic.partitions; ++p) {
      places_.push_back({.topic = topic.name, .partition = p});
    }
  }
}

void MoveLoad::step() {
  std::unique_lock lock(mutex_);
  pace_.wait_for(lock, pace);
  if (mode_ == Mode::hold) return;
  Place& place = places_[random_.below(places_.size())];
  const std::uint64_t what = random_.below(100);
  const auto under_way = std::ranges::count_if(places_, [](const Place& p) { return p.moves; });
  const Mode mode = mode_;
  const std::size_t size = mode == Mode::wide ? wide_size : 1 + random_.below(wide_size);
  const Replicas to = any_set(size);
  const bool moves = place.moves;
  lock.unlock();
  if (what < 10) return elect(place);
  if (moves && what < 30) return take_back(place);
  if (moves && what < 85) return look_at(place);
  if (moves || under_way < moves_max) move(place, to, mode);
}

MoveLoad::Replicas MoveLoad::any_set(std::size_t size) {
  Replicas nodes;
  for (int id = 1; id <= cluster_.count(); ++id) nodes.push_back(id);
  for (std::size_t i = 0; i < size; ++i) {
    std::swap(nodes[i], nodes[i + random_.below(nodes.size() - i)]);
  }
  nodes.resize(size);
  return nodes;
}

const BrokerProcess& MoveLoad::any_node() {
  const std::lock_guard lock(mutex_);
  return cluster_.node(
      1 + static_cast<int>(random_.below(static_cast<std::uint64_t>(cluster_.count()))));
}

/// The error code; nothing: no answer.
std::optional<int> MoveLoad::reassign(const Place& place, const std::optional<Replicas>& to) {
  const BrokerProcess& node = any_node();
  RawConnection connection(node.host(), node.port());
  // Nobody has heard of it.
  if (!connection.connected()) return protocol::to_wire(ErrorCode::broker_not_available);
  protocol::AlterPartitionReassignmentsRequest request;
  request.timeout_ms = static_cast<std::int32_t>(answers_within.count());
  auto& topic = request.topics.emplace_back();
  topic.name = place.topic;
  topic.partitions.push_back({place.partition, to});
  const auto response = call(connection, request, request.max_version, answers_within);
  if (!response) return std::nullopt;
  if (response->error_code != 0) return response->error_code;
  return response->responses.at(0).partitions.at(0).error_code;
}

void MoveLoad::move(Place& place, const Replicas& to, Mode mode) {
  {
    const std::lock_guard lock(mutex_);
    if (mode_ != mode) return;
    place.possible.push_back({to});
  }
  const std::optional<int> error = reassign(place, to);
  const std::lock_guard lock(mutex_);
  Asked& asked = place.possible.back();
  const bool is_known = error && *error != protocol::to_wire(ErrorCode::request_timed_out);
  asked.answered = is_known;
  asked.given_up = Clock::now();
  if (!is_known) {
    ++unanswered_;
    place.expected.reset();
    place.unsure_until = asked.given_up + forgotten_after;
    return;
  }
  if (*error != 0) {
    ++refusals_[*error];
    place.possible.pop_back();
    return;
  }
  ++(place.moves ? replaced_ : begun_);
  place.before = place.moves || !place.expected ? Replicas() : *place.expected;
  place.expected = to;
  place.moves = true;
}

void MoveLoad::take_back(Place& place) {
  const std::optional<int> error = reassign(place, std::nullopt);
  const std::lock_guard lock(mutex_);
  if (!error || *error == protocol::to_wire(ErrorCode::request_timed_out)) {
    ++unanswered_;
    place.expected.reset();
    place.unsure_until = Clock::now() + forgotten_after;
  } else if (*error == 0) {
    ++taken_back_;
    place.moves = false;
    place.expected.reset();
    if (!place.before.empty()) place.expected = place.before;
  } else if (*error == protocol::to_wire(ErrorCode::no_reassignment_in_progress)) {
    place.moves = false;
    ++done_;
  } else {
    ++refusals_[*error];
  }
}

void MoveLoad::look_at(Place& place) {
  const auto replicas = views_.at(place.topic).replicas();
  const auto p = static_cast<std::size_t>(place.partition);
  const std::lock_guard lock(mutex_);
  if (p >= replicas.size() || !place.expected || !are_same(replicas[p], *place.expected)) return;
  place.moves = false;
  ++done_;
}

void MoveLoad::elect(const Place& place) {
  const BrokerProcess& node = any_node();
  RawConnection connection(node.host(), node.port());
  if (!connection.connected()) return;
  protocol::ElectLeadersRequest request;
  request.topic_partitions.emplace().push_back({place.topic, {place.partition}});
  request.timeout_ms = static_cast<std::int32_t>(answers_within.count());
  const auto response = call(connection, request, request.max_version, answers_within);
  const std::lock_guard lock(mutex_);
  if (!response || response->replica_election_results.empty()) return;
  const int error = response->replica_election_results[0].partition_result.at(0).error_code;
  if (error == 0 || error == protocol::to_wire(ErrorCode::election_not_needed)) ++elected_;
}

void MoveLoad::set_mode(Mode mode) {
  const std::lock_guard lock(mutex_);
  mode_ = mode;
}

std::set<int> MoveLoad::may_stand_still(const std::string& topic,
                                        const std::set<int>& nodes) const {
  const std::lock_guard lock(mutex_);
  std::set<int> those;
  for (const Place& place : places_) {
    if (place.topic != topic) continue;
    for (const Asked& asked : place.possible) {
      const auto lost = std::ranges::count_if(
          asked.replicas, [&](std::int32_t node) { return nodes.contains(node); });
      if (2 * static_cast<std::size_t>(lost) >= asked.replicas.size()) {
        those.insert(place.partition);
      }
    }
  }
  return those;
}

void MoveLoad::settle() {
  std::map<std::string, std::vector<Replicas>> found;
  for (auto& [topic, view] : views_) found[topic] = view.replicas();
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  for (Place& place : places_) {
    const std::vector<Replicas>& of_topic = found[place.topic];
    if (static_cast<std::size_t>(place.partition) >= of_topic.size()) continue;
    const Replicas& is = of_topic[static_cast<std::size_t>(place.partition)];
    std::erase_if(place.possible, [&](const Asked& asked) {
      const bool is_over = asked.given_up != Clock::time_point{};
      return is_over && (asked.answered || asked.given_up + forgotten_after < now);
    });
    place.possible.insert(place.possible.begin(), {is, true, now});
    // Also where a later move was acknowledged: what an unanswered one has done since is no error.
    if (place.unsure_until) place.expected = is;
    if (place.unsure_until && *place.unsure_until < now) place.unsure_until.reset();
    if (place.possible.size() > 1) continue;
    if (place.moves && place.expected && are_same(is, *place.expected)) ++done_;
    place.moves = false;
    if (!place.expected) place.expected = is;
  }
}

bool MoveLoad::widen() {
  bool are_wide = true;
  std::vector<std::pair<Place*, Replicas>> to_move;
  {
    const std::lock_guard lock(mutex_);
    for (Place& place : places_) {
      const auto is_small = [](const Asked& asked) { return asked.replicas.size() < wide_size; };
      are_wide = are_wide && std::ranges::none_of(place.possible, is_small);
      const auto in_flight = [](const Asked& asked) {
        return asked.given_up == Clock::time_point{};
      };
      if (place.moves || std::ranges::any_of(place.possible, in_flight)) continue;
      if (!is_small(place.possible.front())) continue;
      to_move.emplace_back(&place, any_set(wide_size));
    }
  }
  for (const auto& [place, replicas] : to_move) move(*place, replicas, Mode::hold);
  return are_wide;
}

void MoveLoad::check(bool, Problems& problems) {
  for (auto& [topic, view] : views_) {
    const std::vector<Replicas> replicas = view.replicas();
    const std::lock_guard lock(mutex_);
    for (const Place& place : places_) {
      if (place.topic != topic || !place.expected) continue;
      const auto p = static_cast<std::size_t>(place.partition);
      const Replicas is = p < replicas.size() ? replicas[p] : Replicas();
      if (are_same(is, *place.expected)) continue;
      problems.push_back(fmt::format("partition {} of {} is on nodes {}, and was moved to {}",
                                     place.partition, topic, fmt::join(is, ", "),
                                     fmt::join(*place.expected, ", ")));
    }
  }
}

std::string MoveLoad::counts() const {
  const std::lock_guard lock(mutex_);
  std::string text = fmt::format(
      "{} moves of replicas begun, {} replaced by another one, {} taken back, {} done; {} "
      "preferred "
      "leaders elected; {} requests unanswered",
      begun_, replaced_, taken_back_, done_, elected_, unanswered_);
  for (const auto& [error, count] : refusals_) {
    text += fmt::format(", {} x error {}", count, error);
  }
  return text;
}

}  // namespace chronik::integration
