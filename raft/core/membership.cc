#include "raft/core/membership.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <iterator>

#include "base/coding.h"

namespace chronik::raft {
namespace {

constexpr std::uint8_t membership_version = 1;

bool has(const std::vector<NodeId>& nodes, NodeId node) {
  return std::binary_search(nodes.begin(), nodes.end(), node);
}

void insert(std::vector<NodeId>& nodes, NodeId node) {
  const auto place = std::lower_bound(nodes.begin(), nodes.end(), node);
  if (place == nodes.end() || *place != node) nodes.insert(place, node);
}

void erase(std::vector<NodeId>& nodes, NodeId node) { std::erase(nodes, node); }

/// How many voters come or go between the two lists.
std::size_t difference(const std::vector<NodeId>& a, const std::vector<NodeId>& b) {
  std::vector<NodeId> differing;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(),
                                std::back_inserter(differing));
  return differing.size();
}

void write_nodes(Writer& writer, const std::vector<NodeId>& nodes) {
  writer.uvarint(static_cast<std::uint32_t>(nodes.size()));
  for (NodeId node : nodes) writer.varint(node);
}

std::vector<NodeId> read_nodes(Reader& reader) {
  const std::uint32_t count = reader.uvarint();
  if (count > members_max) reader.fail();
  std::vector<NodeId> nodes;
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const NodeId node = reader.varint();
    if (node < 0 || (!nodes.empty() && node <= nodes.back())) reader.fail();
    nodes.push_back(node);
  }
  return nodes;
}

std::string join(const std::vector<NodeId>& nodes) {
  return fmt::format("{}", fmt::join(nodes, " "));
}

Error refused(std::string why) {
  return Error{Errc::invalid_argument, "the membership stays as it is: " + std::move(why)};
}

/// Refusals that do not depend on the kind of transition.
Result<void> check_outcome(const Membership& from, const Membership& to) {
  if (to.voters.empty()) return refused("nobody would be left to vote; name a voter to add");
  if (to == from) return refused("it has what the change asks for already");
  if (to.voters.size() > members_max || to.learners.size() > members_max) {
    return Error{Errc::too_large, fmt::format("a group has at most {} voters and {} learners",
                                              members_max, members_max)};
  }
  return {};
}

}  // namespace

bool Membership::is_voter(NodeId node) const { return has(voters, node) || has(outgoing, node); }

bool Membership::contains(NodeId node) const { return is_voter(node) || has(learners, node); }

std::vector<NodeId> Membership::members() const {
  std::vector<NodeId> all = voters;
  for (NodeId node : outgoing) insert(all, node);
  for (NodeId node : learners) insert(all, node);
  return all;
}

Result<Membership> changed(const Membership& from, std::span<const MemberChange> changes,
                           Transition transition) {
  if (from.is_joint()) return refused("a joint change is under way; end that one first");
  Membership to = from;
  std::vector<NodeId> named;
  for (const MemberChange& change : changes) {
    if (change.node < 0) return refused(fmt::format("{} is no node id", change.node));
    if (has(named, change.node)) return refused(fmt::format("node {} comes twice", change.node));
    insert(named, change.node);
    erase(to.voters, change.node);
    erase(to.learners, change.node);
    if (change.kind == MemberChange::Kind::add_voter) insert(to.voters, change.node);
    if (change.kind == MemberChange::Kind::add_learner) insert(to.learners, change.node);
  }
  TRY(check_outcome(from, to));

  const bool may_be_simple = difference(from.voters, to.voters) <= 1;
  if (transition == Transition::simple && !may_be_simple) {
    return refused("more than one voter comes or goes, which takes a joint change");
  }
  if (transition == Transition::simple || (transition == Transition::automatic && may_be_simple)) {
    return to;
  }
  to.outgoing = from.voters;
  to.auto_leave = transition != Transition::joint_explicit_leave;
  // A voter of the old half cannot be a learner at the same time; it becomes one at the end.
  for (NodeId node : from.voters) {
    if (!has(to.learners, node)) continue;
    erase(to.learners, node);
    insert(to.demoted, node);
  }
  return to;
}

Membership after_joint(const Membership& joint) {
  CHECK(joint.is_joint());
  Membership to;
  to.voters = joint.voters;
  to.learners = joint.learners;
  for (NodeId node : joint.demoted) insert(to.learners, node);
  return to;
}

SharedBytes encode_membership(const Membership& membership) {
  Writer writer;
  writer.u8(membership_version);
  write_nodes(writer, membership.voters);
  write_nodes(writer, membership.outgoing);
  write_nodes(writer, membership.learners);
  write_nodes(writer, membership.demoted);
  writer.u8(membership.auto_leave ? 1 : 0);
  return SharedBytes::adopt(writer.take_bytes());
}

Result<Membership> decode_membership(const SharedBytes& bytes) {
  Reader reader(bytes.view());
  const std::uint8_t version = reader.u8();
  Membership membership;
  membership.voters = read_nodes(reader);
  membership.outgoing = read_nodes(reader);
  membership.learners = read_nodes(reader);
  membership.demoted = read_nodes(reader);
  const std::uint8_t auto_leave = reader.u8();
  membership.auto_leave = auto_leave == 1;
  if (!reader.finished() || version != membership_version || auto_leave > 1 ||
      membership.voters.empty()) {
    return Error{Errc::corrupt, fmt::format("a membership of {} bytes that is none", bytes.size())};
  }
  return membership;
}

std::string to_string(const Membership& membership) {
  std::string text = "voters " + join(membership.voters);
  if (membership.is_joint()) text += " & " + join(membership.outgoing);
  if (!membership.learners.empty()) text += ", learners " + join(membership.learners);
  if (!membership.demoted.empty()) text += ", to be learners " + join(membership.demoted);
  if (membership.auto_leave) text += ", leaves by itself";
  return text;
}

}  // namespace chronik::raft
