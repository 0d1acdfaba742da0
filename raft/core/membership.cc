#include "raft/core/membership.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <iterator>

#include "base/coding.h"

namespace chronik::raft {
namespace {

// The first version knows no directories; it is still written where there are none.
constexpr std::uint8_t plain_version = 1;
constexpr std::uint8_t membership_version = 2;

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

bool by_node(const MemberDirectory& a, const MemberDirectory& b) { return a.node < b.node; }

void set_directory(Membership& membership, NodeId node, const Uuid& directory) {
  if (directory.is_zero()) return;
  std::erase_if(membership.directories, [&](auto& at) { return at.node == node; });
  const MemberDirectory entry{node, directory};
  membership.directories.insert(std::ranges::upper_bound(membership.directories, entry, by_node),
                                entry);
}

/// What is said of nodes that are no members, or no learners, any more goes.
void forget_others(Membership& membership) {
  std::erase_if(membership.directories, [&](auto& at) { return !membership.contains(at.node); });
  std::erase_if(membership.returning, [&](NodeId node) { return !has(membership.learners, node); });
}

void write_directories(Writer& writer, const Membership& membership) {
  writer.uvarint(static_cast<std::uint32_t>(membership.directories.size()));
  for (const MemberDirectory& at : membership.directories) {
    writer.varint(at.node);
    writer.bytes(at.directory.bytes);
  }
  write_nodes(writer, membership.returning);
}

void read_directories(Reader& reader, Membership& membership) {
  const std::uint32_t count = reader.uvarint();
  if (count > directories_max) reader.fail();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    MemberDirectory at;
    at.node = reader.varint();
    const ByteView bytes = reader.bytes(at.directory.bytes.size());
    if (!reader.ok()) return;
    std::ranges::copy(bytes, at.directory.bytes.begin());
    const bool ordered =
        membership.directories.empty() || membership.directories.back().node < at.node;
    if (!ordered || !membership.contains(at.node) || at.directory.is_zero()) reader.fail();
    membership.directories.push_back(at);
  }
  membership.returning = read_nodes(reader);
  for (NodeId node : membership.returning) {
    if (!has(membership.learners, node)) reader.fail();
  }
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
  if (to.directories.size() > directories_max) {
    return Error{Errc::too_large, fmt::format("a group has at most {} members", directories_max)};
  }
  return {};
}

/// A directory comes with a new member, or by replacing the one before.
Result<void> check_directory(const Membership& from, const MemberChange& change,
                             std::size_t changes) {
  const Uuid known = from.directory_of(change.node);
  if (change.kind == MemberChange::Kind::replace) {
    if (changes != 1) return refused("a directory is replaced by a change of its own");
    if (!from.contains(change.node)) return refused(fmt::format("{} is no member", change.node));
    if (change.directory.is_zero() || change.directory == known) {
      return refused(fmt::format("node {} has no other directory now", change.node));
    }
    return {};
  }
  if (change.kind == MemberChange::Kind::remove) return {};
  if (known.is_zero() || change.directory.is_zero() || known == change.directory) return {};
  return refused(fmt::format("node {} has the directory {}, not {}", change.node, known.to_string(),
                             change.directory.to_string()));
}

void apply_change(const Membership& from, const MemberChange& change, Membership& to) {
  using Kind = MemberChange::Kind;
  const NodeId node = change.node;
  const bool returns = has(from.voters, node) || has(from.returning, node);
  erase(to.voters, node);
  erase(to.learners, node);
  erase(to.returning, node);
  if (change.kind == Kind::add_voter) insert(to.voters, node);
  if (change.kind == Kind::add_learner || change.kind == Kind::replace) insert(to.learners, node);
  if (change.kind == Kind::replace && returns) insert(to.returning, node);
  if (change.kind != Kind::remove) set_directory(to, node, change.directory);
}

}  // namespace

bool Membership::is_voter(NodeId node) const { return has(voters, node) || has(outgoing, node); }

bool Membership::contains(NodeId node) const { return is_voter(node) || has(learners, node); }

Uuid Membership::directory_of(NodeId node) const {
  const auto found = std::ranges::find(directories, node, &MemberDirectory::node);
  return found == directories.end() ? Uuid() : found->directory;
}

bool Membership::is_member(NodeId node, const Uuid& directory) const {
  const Uuid known = directory_of(node);
  return contains(node) && (known.is_zero() || known == directory);
}

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
    TRY(check_directory(from, change, changes.size()));
    apply_change(from, change, to);
  }

  const bool replaces = !changes.empty() && changes.front().kind == MemberChange::Kind::replace;
  if (replaces) transition = Transition::simple;
  const bool may_be_simple = difference(from.voters, to.voters) <= 1;
  if (transition == Transition::simple && !may_be_simple) {
    return refused("more than one voter comes or goes, which takes a joint change");
  }
  if (transition == Transition::simple || (transition == Transition::automatic && may_be_simple)) {
    forget_others(to);
    TRY(check_outcome(from, to));
    return to;
  }
  TRY(check_outcome(from, to));
  to.outgoing = from.voters;
  to.auto_leave = transition != Transition::joint_explicit_leave;
  // A voter of the old half cannot be a learner at the same time; it becomes one at the end.
  for (NodeId node : from.voters) {
    if (!has(to.learners, node)) continue;
    erase(to.learners, node);
    insert(to.demoted, node);
  }
  forget_others(to);
  return to;
}

Membership after_joint(const Membership& joint) {
  CHECK(joint.is_joint());
  Membership to;
  to.voters = joint.voters;
  to.learners = joint.learners;
  for (NodeId node : joint.demoted) insert(to.learners, node);
  to.directories = joint.directories;
  to.returning = joint.returning;
  forget_others(to);
  return to;
}

SharedBytes encode_membership(const Membership& membership) {
  const bool plain = membership.directories.empty() && membership.returning.empty();
  Writer writer;
  writer.u8(plain ? plain_version : membership_version);
  write_nodes(writer, membership.voters);
  write_nodes(writer, membership.outgoing);
  write_nodes(writer, membership.learners);
  write_nodes(writer, membership.demoted);
  writer.u8(membership.auto_leave ? 1 : 0);
  if (!plain) write_directories(writer, membership);
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
  const bool known = version == plain_version || version == membership_version;
  if (version == membership_version) read_directories(reader, membership);
  if (!reader.finished() || !known || auto_leave > 1 || membership.voters.empty()) {
    return Error{Errc::corrupt, fmt::format("a membership of {} bytes that is none", bytes.size())};
  }
  return membership;
}

std::string to_string(const Membership& membership) {
  std::string text = "voters " + join(membership.voters);
  if (membership.is_joint()) text += " & " + join(membership.outgoing);
  if (!membership.learners.empty()) text += ", learners " + join(membership.learners);
  if (!membership.returning.empty()) text += ", returning " + join(membership.returning);
  if (!membership.demoted.empty()) text += ", to be learners " + join(membership.demoted);
  if (membership.auto_leave) text += ", leaves by itself";
  return text;
}

}  // namespace chronik::raft
