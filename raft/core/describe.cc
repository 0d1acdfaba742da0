#include "raft/core/describe.h"

#include <spdlog/fmt/fmt.h>

namespace chronik::raft {
namespace {

constexpr std::size_t payload_shown_max = 16;

std::string answer_text(bool yes) { return yes ? "yes" : "no"; }

struct BodyText {
  std::string operator()(const Vote& vote) const {
    return fmt::format("{}{} log ends at {}", vote.pre ? "pre-vote?" : "vote?",
                       vote.transfer ? " (handed over)" : "", to_string(vote.last));
  }
  std::string operator()(const VoteAnswer& answer) const {
    return fmt::format("{}: {}", answer.pre ? "pre-vote" : "vote", answer_text(answer.granted));
  }
  std::string operator()(const Append& append) const {
    std::string text = fmt::format("append after {}:", to_string(append.prev));
    for (const Entry& entry : append.entries) text += " " + to_string(entry);
    if (append.entries.empty()) text += " nothing";
    return text + fmt::format(", commit {}", append.commit);
  }
  std::string operator()(const AppendAnswer& answer) const {
    if (answer.accepted) return fmt::format("appended up to {}", answer.index);
    return fmt::format("no match at {}, try {}", answer.index, to_string(answer.hint));
  }
  std::string operator()(const Heartbeat& heartbeat) const {
    return fmt::format("heartbeat {}, commit {}{}", heartbeat.round, heartbeat.commit,
                       heartbeat.rest ? ", rest" : "");
  }
  std::string operator()(const HeartbeatAnswer& answer) const {
    return fmt::format("heard {}, received {}, durable {}{}{}", answer.round, answer.received,
                       answer.durable, answer.withheld ? ", withheld" : "",
                       answer.rests ? ", rests" : "");
  }
  std::string operator()(const SnapshotOffer& offer) const {
    return fmt::format("offers snapshot {}",
                       to_string(Position{offer.meta.term, offer.meta.index}));
  }
  std::string operator()(const SnapshotAnswer& answer) const {
    return fmt::format("snapshot {} {}", answer.index, answer.installed ? "installed" : "failed");
  }
  std::string operator()(const TimeoutNow&) const { return "take over now"; }
  std::string operator()(const ReadIndex& read) const { return fmt::format("read {}?", read.id); }
  std::string operator()(const ReadIndexAnswer& answer) const {
    return fmt::format("read {} at {}", answer.id, answer.index);
  }
  std::string operator()(const Propose& propose) const {
    return fmt::format("proposes {}", propose.payloads.size());
  }
  std::string operator()(const TermNotice&) const { return "there is this term"; }
};

}  // namespace

const char* to_string(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre-candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  UNREACHABLE();
}

std::string to_string(Position position) {
  return fmt::format("{}@{}", position.index, position.term);
}

std::string to_string(const Entry& entry) {
  const std::string place = to_string(Position{entry.term, entry.index});
  if (entry.kind == EntryKind::no_op) return place + " no-op";
  if (entry.kind == EntryKind::membership) {
    const Result<Membership> membership = decode_membership(entry.payload);
    return place + " {" + (membership ? to_string(*membership) : "unreadable") + "}";
  }
  if (entry.payload.size() > payload_shown_max) {
    return fmt::format("{} {} bytes", place, entry.payload.size());
  }
  return fmt::format("{} \"{}\"", place, as_text(entry.payload.view()));
}

std::string to_string(const Message& message) {
  return fmt::format("{}>{} t{} {}", message.from, message.to, message.term,
                     std::visit(BodyText{}, message.body));
}

std::string to_string(const Ready& ready) {
  std::string text;
  if (ready.soft_state) {
    const SoftState& soft = *ready.soft_state;
    text += fmt::format("is {} in term {}", to_string(soft.role), soft.term);
    if (soft.role == Role::follower && soft.leader != no_node) {
      text += fmt::format(" of {}", soft.leader);
    }
    text += "\n";
  }
  for (const Message& message : ready.messages) text += "send " + to_string(message) + "\n";
  for (const Message& message : ready.heartbeats) text += "send " + to_string(message) + "\n";
  if (ready.hard_state) {
    text += fmt::format("write term {}", ready.hard_state->term);
    if (ready.hard_state->vote != no_node) text += fmt::format(", vote {}", ready.hard_state->vote);
    if (ready.hard_state->withheld_until > 0) {
      text += fmt::format(", withheld until {}", ready.hard_state->withheld_until);
    }
    text += "\n";
  }
  if (ready.install) {
    text += fmt::format("write snapshot {}, {}\n",
                        to_string(Position{ready.install->term, ready.install->index}),
                        to_string(ready.install->membership));
  }
  for (const Entry& entry : ready.entries) text += "write " + to_string(entry) + "\n";
  for (const Message& message : ready.messages_when_durable) {
    text += "when durable, send " + to_string(message) + "\n";
  }
  for (const Entry& entry : ready.committed) text += "apply " + to_string(entry) + "\n";
  for (const ReadReady& read : ready.reads) {
    text += fmt::format("read {} may be answered: {} is applied\n", read.id, read.index);
  }
  for (ReadId id : ready.reads_lost) text += fmt::format("read {} is lost\n", id);
  for (const LogRead& read : ready.log_reads) {
    text += fmt::format("read entries {} to {} for {}\n", read.begin, read.end - 1, read.reader);
  }
  if (ready.fetch) {
    text += fmt::format("fetch snapshot {} from {}\n",
                        to_string(Position{ready.fetch->meta.term, ready.fetch->meta.index}),
                        ready.fetch->from);
  }
  return text;
}

std::string describe(const Raft& raft) {
  const Log& log = raft.log();
  std::string text =
      fmt::format("{}: {} in term {}", raft.id(), to_string(raft.role()), raft.term());
  if (raft.role() == Role::follower && raft.leader() != no_node) {
    text += fmt::format(" of {}", raft.leader());
  }
  text += fmt::format(", log {}..{}, durable {}, commit {}, applied {}", log.first_index(),
                      to_string(log.last()), log.durable(), log.commit(), log.applied());
  if (raft.is_withheld()) {
    text += fmt::format(", withheld until term {}", raft.hard_state().withheld_until);
  }
  if (raft.transfer_target() != no_node) {
    text += fmt::format(", hands over to {}", raft.transfer_target());
  }
  if (raft.rests()) text += ", rests";
  text += "; " + to_string(raft.membership()) + "\n";
  for (const Progress& peer : raft.progress()) {
    text += fmt::format("   {}: {}, match {}, next {}", peer.id, to_string(peer.state), peer.match,
                        peer.next);
    if (peer.window.count() > 0) {
      text += fmt::format(", {} on the way", peer.window.count());
    }
    if (peer.reading) text += ", reading";
    text += "\n";
  }
  return text;
}

}  // namespace chronik::raft
