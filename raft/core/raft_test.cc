// What the transcripts cannot show well: messages of many leaders to one replica, and the small
// parts against slow but plain counterparts.
#include "raft/core/raft.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "raft/core/describe.h"
#include "raft/core/memory_storage.h"

namespace chronik::raft {
namespace {

Options options_of(NodeId id) {
  Options options;
  options.id = id;
  options.random = [] { return std::uint64_t{7}; };
  return options;
}

Entry entry(Term term, Index index) {
  return Entry{term, index, EntryKind::data, SharedBytes::copy_of(as_bytes("x"))};
}

/// Node 3 of 1, 2, 3, with one entry of term 1 in its log.
class Follower {
 public:
  Follower() : disk_(Membership{{1, 2, 3}, {}, {}, {}, false}) {
    disk_.persist(std::nullopt, {entry(1, 1)});
    raft_ = std::make_unique<Raft>(options_of(3), disk_,
                                   Recovered{HardState{1, no_node, 0}, 0, 0, disk_.memberships()});
  }
  Raft* operator->() { return raft_.get(); }
  /// The leader's entries behind `prev`; gives the Ready that has to be written.
  Ready append(NodeId from, Term term, Position prev, std::vector<Entry> entries,
               Index commit = 0) {
    EXPECT_TRUE(raft_->step({from, 3, term, Append{prev, commit, std::move(entries)}}));
    return raft_->ready();
  }
  void write(const Ready& ready) {
    disk_.persist(ready.install, ready.entries);
    raft_->on_persisted(ready.number);
  }

 private:
  MemoryStorage disk_;
  std::unique_ptr<Raft> raft_;
};

// 2@2 is on its way to the disk, 2@3 takes its place, then the same 2@2 comes again: when the first
// writing is reported, the disk will still have 2@3 in between.
TEST(RaftTest, TheReportOfAnOldWritingSaysNothingOfTheSameEntryWrittenAgain) {
  Follower follower;
  const Ready first = follower.append(1, 2, {1, 1}, {entry(2, 2)});
  const Ready second = follower.append(2, 3, {1, 1}, {entry(3, 2)});
  const Ready third = follower.append(1, 4, {1, 1}, {entry(2, 2), entry(4, 3)});
  follower.write(first);
  EXPECT_EQ(follower->log().durable(), 1);
  follower.write(second);
  EXPECT_EQ(follower->log().durable(), 1);
  follower.write(third);
  EXPECT_EQ(follower->log().durable(), 3);
  ASSERT_EQ(third.messages_when_durable.size(), 1u);
  EXPECT_EQ(to_string(third.messages_when_durable[0]), "3>1 t4 appended up to 3");
}

// The driver decides when entries go to a member that is held back, wherever they are.
TEST(RaftTest, WhoIsHeldBackGetsEntriesAsAnswersToLogReadsOnly) {
  MemoryStorage disk(Membership{{1}, {}, {2}, {}, false});
  Options options = options_of(1);
  bool held = true;
  options.is_held_back = [&held](NodeId node) { return held && node == 2; };
  Raft raft(options, disk, Recovered{{}, 0, 0, disk.memberships()});
  std::vector<LogRead> reads;
  std::size_t sent = 0;
  const auto work = [&] {
    while (raft.has_ready()) {
      const Ready ready = raft.ready();
      disk.persist(ready.install, ready.entries);
      for (const LogRead& read : ready.log_reads) {
        EXPECT_LE(read.end, disk.last_index() + 1);
        reads.push_back(read);
      }
      for (const Message& message : ready.messages) {
        if (const auto* append = std::get_if<Append>(&message.body)) sent += append->entries.size();
      }
      if (ready.number != 0) raft.on_persisted(ready.number);
      if (!ready.committed.empty()) raft.on_applied(ready.committed.back().index);
    }
  };
  const auto answer = [&] {
    ASSERT_EQ(reads.size(), 1u);
    const LogRead read = reads[0];
    reads.clear();
    raft.on_entries_read(read, disk.read(read.begin, read.begin + 1, 1));
    work();
    EXPECT_TRUE(raft.step({2, 1, raft.term(), AppendAnswer{true, read.begin, {}}}));
    work();
  };
  raft.campaign_now();
  work();
  ASSERT_EQ(raft.role(), Role::leader);
  ASSERT_TRUE(
      raft.propose({SharedBytes::copy_of(as_bytes("a")), SharedBytes::copy_of(as_bytes("b"))}));
  work();
  EXPECT_EQ(sent, 0u);
  answer();
  EXPECT_EQ(sent, 1u);
  answer();
  EXPECT_EQ(sent, 2u);
  // The last one was asked for already. Whoever is not held back any more gets what comes as ever.
  held = false;
  ASSERT_TRUE(raft.propose({SharedBytes::copy_of(as_bytes("c"))}));
  answer();
  EXPECT_EQ(sent, 4u);
  EXPECT_EQ(reads.size(), 0u);
}

// Nodes 2 and 3 were voters once, left, and joined again with empty logs. With half of the log it
// says of both that they are: they elected one of them, in a term of their own, without what had
// been committed since (partition_rounds, seed 3).
TEST(RaftTest, WhoJoinsHelpsNobodyToLeadUntilItHoldsWhatWasCommittedThen) {
  const auto old = Membership{{1, 2, 3}, {}, {}, {}, false};
  MemoryStorage disk;
  Raft raft(options_of(3), disk,
            Recovered{HardState{0, no_node, until_told}, 0, 0, disk.memberships()});
  const auto hear = [&](Position prev, std::vector<Entry> entries) {
    EXPECT_TRUE(raft.step({1, 3, 7, Append{prev, 5, std::move(entries)}}));
    while (raft.has_ready()) {
      const Ready ready = raft.ready();
      disk.persist(ready.install, ready.entries);
      if (ready.number != 0) raft.on_persisted(ready.number);
      if (!ready.committed.empty()) raft.on_applied(ready.committed.back().index);
    }
  };
  hear({0, 0}, {Entry{1, 1, EntryKind::membership, encode_membership(old)}, entry(7, 2)});
  hear({7, 2}, {entry(7, 3), entry(7, 4)});
  ASSERT_EQ(raft.log().commit(), 4) << "entries of that leader's term, too";
  EXPECT_TRUE(raft.is_withheld());
  for (int i = 0; i < 100; ++i) raft.tick();
  EXPECT_EQ(raft.role(), Role::follower);
  hear({7, 4}, {entry(7, 5)});
  EXPECT_FALSE(raft.is_withheld());
}

// A replica that left and comes back refuses the term in which it left: that must not cost the
// group the timeouts of an election.
TEST(RaftTest, ALeaderThatALearnerTellsOfALaterTermIsACandidateAtOnce) {
  const auto led = [](NodeId voter_or_learner) {
    MemoryStorage disk(Membership{{1, 2, 3}, {}, {4}, {}, false});
    Raft raft(options_of(1), disk, Recovered{HardState{4, no_node, 0}, 0, 0, disk.memberships()});
    raft.campaign_now();
    const auto write = [&] {
      while (raft.has_ready()) {
        const Ready ready = raft.ready();
        disk.persist(ready.install, ready.entries);
        if (ready.number != 0) raft.on_persisted(ready.number);
      }
    };
    write();
    EXPECT_TRUE(raft.step({2, 1, 5, VoteAnswer{true, true}}));
    write();
    EXPECT_TRUE(raft.step({2, 1, raft.term(), VoteAnswer{false, true}}));
    EXPECT_EQ(raft.role(), Role::leader);
    write();
    EXPECT_TRUE(raft.step({voter_or_learner, 1, raft.term() + 1, TermNotice{}}));
    return raft.role();
  };
  EXPECT_EQ(led(4), Role::candidate);
  EXPECT_EQ(led(3), Role::follower) << "a voter may be electing somebody";
}

/// The ticks after which a follower of 1, 2, 3, 4 campaigns when the process of its leader, 1,
/// ends.
int ticks_until_it_campaigns(NodeId id, Term term) {
  const MemoryStorage disk(Membership{{1, 2, 3, 4}, {}, {}, {}, false});
  Raft raft(options_of(id), disk, Recovered{HardState{term, no_node, 0}, 0, 0, disk.memberships()});
  EXPECT_TRUE(raft.step({1, id, term, Heartbeat{1, 0}}));
  raft.on_node_down(1);
  int ticks = 0;
  for (; raft.role() == Role::follower; ++ticks) raft.tick();
  return ticks;
}

// Two that campaigned in the same moment split the votes and waited for whole timeouts: the cluster
// took no change for two seconds (seen by cluster_rounds, one kill in twenty).
TEST(RaftTest, WhenTheProcessOfTheLeaderEndsTheOthersTakeTurns) {
  std::set<NodeId> first;
  for (Term term = 1; term <= 3; ++term) {
    std::map<int, NodeId> turns;
    for (const NodeId id : {2, 3, 4}) turns[ticks_until_it_campaigns(id, term)] = id;
    ASSERT_EQ(turns.size(), 3u) << "two campaign in the same tick of term " << term;
    EXPECT_EQ(turns.begin()->first, 1) << "ticks until the first one campaigns";
    EXPECT_EQ(std::next(turns.begin())->first, 3);
    EXPECT_EQ(turns.rbegin()->first, 5);
    first.insert(turns.begin()->second);
  }
  EXPECT_EQ(first.size(), 3u) << "it is always the same node's turn first";
}

// Node 1 came without knowing anything and got the entries from the first one on; then its log let
// go of its begin. Whoever was given "nobody" refused it, and stayed without the log: seen by the
// simulator, seed 7000119.
TEST(RaftTest, ALeaderThatDoesNotKnowWhoBelongedToTheGroupAtItsLogsBeginOffersWhatItKnows) {
  const Membership members{{1}, {}, {2}, {}, false};
  MemoryStorage disk;
  disk.persist(SnapshotMeta{2, 1, {}},
               {entry(1, 3), Entry{1, 4, EntryKind::membership, encode_membership(members)}});
  Raft raft(options_of(1), disk, Recovered{HardState{1, no_node, 0}, 4, 4, disk.memberships()});
  std::vector<SnapshotOffer> offers;
  const auto settle = [&] {
    while (raft.has_ready()) {
      const Ready ready = raft.ready();
      disk.persist(ready.install, ready.entries);
      if (!ready.committed.empty()) raft.on_applied(ready.committed.back().index);
      for (const Message& message : ready.messages) {
        if (const auto* offer = std::get_if<SnapshotOffer>(&message.body)) {
          offers.push_back(*offer);
        }
      }
      if (ready.number != 0) raft.on_persisted(ready.number);
    }
  };
  raft.campaign_now();
  settle();
  ASSERT_EQ(raft.role(), Role::leader);
  EXPECT_TRUE(raft.step({2, 1, raft.term(), AppendAnswer{false, 4, {}}}));
  settle();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].meta.index, 2);
  EXPECT_EQ(offers[0].meta.membership, members);
}

/// The ticks until it asks for votes, at most a hundred.
int ticks_until_it_asks(Raft& raft) {
  raft.ready();
  for (int ticks = 1; ticks < 100; ++ticks) {
    raft.tick();
    for (const Message& message : raft.ready().messages) {
      if (message.is<Vote>()) return ticks;
    }
  }
  return 100;
}

// It asked before the others had seen the end of the leader, or with a log that is too short; then
// it waited for a whole timeout (1.6 s, seen by cluster_rounds), although nobody else had to win.
TEST(RaftTest, WhoAsksForVotesTooEarlyAsksAgainBeforeItsTimeout) {
  const MemoryStorage disk(Membership{{1, 2, 3}, {}, {}, {}, false});
  Raft raft(options_of(3), disk, Recovered{HardState{1, no_node, 0}, 0, 0, disk.memberships()});
  EXPECT_TRUE(raft.step({1, 3, 1, Heartbeat{1, 0}}));
  raft.on_node_down(1);
  EXPECT_LE(ticks_until_it_asks(raft), 3);
  for (int again = 1; again < 3; ++again) {
    EXPECT_TRUE(raft.step({2, 3, 1, VoteAnswer{true, false}}));
    EXPECT_EQ(ticks_until_it_asks(raft), 4) << "time " << again;
  }
  // A node that is alone does not go on like that.
  EXPECT_TRUE(raft.step({2, 3, 1, VoteAnswer{true, false}}));
  EXPECT_GE(ticks_until_it_asks(raft), options_of(3).election_ticks);
}

TEST(RaftTest, ANodeThatIsConnectedWithAMajorityWaitsNoTimeoutForALeader) {
  const MemoryStorage disk(Membership{{1, 2, 3}, {}, {}, {}, false});
  std::set<int> ticks;
  for (const NodeId id : {1, 2, 3}) {
    Raft raft(options_of(id), disk, Recovered{HardState{0, no_node, 0}, 0, 0, disk.memberships()});
    raft.on_majority_up();
    ticks.insert(ticks_until_it_asks(raft));
    // A leader is heard: nothing is soon any more.
    Raft other(options_of(id), disk, Recovered{HardState{0, no_node, 0}, 0, 0, disk.memberships()});
    other.on_majority_up();
    EXPECT_TRUE(other.step({id % 3 + 1, id, 1, Heartbeat{1, 0}}));
    EXPECT_GE(ticks_until_it_asks(other), options_of(id).election_ticks);
  }
  EXPECT_EQ(ticks, (std::set<int>{3, 5, 7}));
}

// The commit index is known before the entries that it speaks of are on disk in their new shape:
// kept alone it would make committed entries of what was there before (found by raft_sim, seed
// 9568).
TEST(RaftTest, TheCommitIndexToKeepSpeaksOfDurableEntriesOnly) {
  Follower follower;
  follower.write(follower.append(1, 2, {1, 1}, {entry(2, 2), entry(2, 3)}));
  const Ready ready = follower.append(2, 3, {1, 1}, {entry(3, 2), entry(3, 3)}, 3);
  EXPECT_EQ(ready.commit, 3);
  EXPECT_EQ(ready.commit_durable, 1);
  follower.write(ready);
  EXPECT_EQ(follower->ready().commit_durable, 3);
}

// What no correct node sends is refused with a reason, and changes nothing.
TEST(RaftTest, MessagesThatContradictThemselvesAreRefused) {
  Follower follower;
  const auto refused = [&](const Message& message) {
    const Result<void> result = follower->step(message);
    return result ? std::string("taken") : result.error().message;
  };
  EXPECT_NE(refused({1, 2, 2, Heartbeat{}}).find("it is for 2"), std::string::npos);
  EXPECT_NE(refused({3, 3, 2, Heartbeat{}}).find("nobody sent it"), std::string::npos);
  EXPECT_NE(refused({1, 3, 0, Heartbeat{}}).find("before 1"), std::string::npos);
  EXPECT_NE(refused({1, 3, 2, Append{{1, 1}, 0, {entry(2, 3)}}}).find("gap"), std::string::npos);
  EXPECT_NE(refused({1, 3, 2, Append{{1, 1}, 0, {entry(3, 2)}}}).find("terms"), std::string::npos);
  Entry unreadable{2, 2, EntryKind::membership, SharedBytes::copy_of(as_bytes("?"))};
  EXPECT_NE(refused({1, 3, 2, Append{{1, 1}, 0, {unreadable}}}).find("cannot be read"),
            std::string::npos);
  EXPECT_EQ(follower->term(), 1);
  EXPECT_FALSE(follower->has_ready());
  EXPECT_EQ(refused({1, 3, 2, Heartbeat{}}), "taken");
  EXPECT_NE(refused({2, 3, 2, Heartbeat{}}).find("node 1 leads"), std::string::npos);
}

// Counted plainly: does some majority of each half consist of nodes that reached the value?
bool reached(const Membership& membership, const std::vector<std::int64_t>& values,
             std::int64_t value) {
  const auto half = [&](const std::vector<NodeId>& voters) {
    const auto count = std::count_if(voters.begin(), voters.end(), [&](NodeId node) {
      return values[static_cast<std::size_t>(node)] >= value;
    });
    return 2 * static_cast<std::size_t>(count) > voters.size();
  };
  return half(membership.voters) && (!membership.is_joint() || half(membership.outgoing));
}

std::vector<NodeId> some_nodes(Random& random, std::size_t least) {
  std::vector<NodeId> nodes;
  while (nodes.size() < least) {
    nodes.clear();
    for (NodeId node = 0; node < 8; ++node) {
      if (random.one_in(2)) nodes.push_back(node);
    }
  }
  return nodes;
}

TEST(QuorumTest, IsWhatPlainCountingSays) {
  Random random(11);
  for (int round = 0; round < 5000; ++round) {
    Membership membership;
    membership.voters = some_nodes(random, 1);
    membership.outgoing = some_nodes(random, 0);
    std::vector<std::int64_t> values(8);
    for (std::int64_t& value : values) value = static_cast<std::int64_t>(random.below(6));
    const std::int64_t value = quorum_value(
        membership, [&](NodeId node) { return values[static_cast<std::size_t>(node)]; });
    EXPECT_TRUE(reached(membership, values, value));
    EXPECT_FALSE(reached(membership, values, value + 1));

    // Votes: 0 refused, 1 to 3 missing, 4 and 5 granted.
    const auto ballot = [&](NodeId node) {
      const std::int64_t drawn = values[static_cast<std::size_t>(node)];
      return drawn == 0 ? Ballot::refused : (drawn < 4 ? Ballot::missing : Ballot::granted);
    };
    const VoteResult expected = reached(membership, values, 4)   ? VoteResult::won
                                : reached(membership, values, 1) ? VoteResult::pending
                                                                 : VoteResult::lost;
    EXPECT_EQ(quorum_vote(membership, ballot), expected) << to_string(membership);
  }
}

// Whatever is changed: the outcome is encodable, keeps somebody who votes, and ends as asked for.
TEST(MembershipTest, AChangeEndsInWhatWasAskedFor) {
  Random random(12);
  int joint = 0;
  for (int round = 0; round < 5000; ++round) {
    Membership from;
    from.voters = some_nodes(random, 1);
    std::vector<MemberChange> changes;
    for (NodeId node : some_nodes(random, 1)) {
      changes.push_back({static_cast<MemberChange::Kind>(random.below(3)), node});
    }
    const Result<Membership> to = changed(from, changes, static_cast<Transition>(random.below(4)));
    if (!to) continue;
    EXPECT_EQ(*decode_membership(encode_membership(*to)), *to);
    Membership end = *to;
    if (to->is_joint()) {
      ++joint;
      EXPECT_EQ(to->outgoing, from.voters);
      for (NodeId node : from.voters) EXPECT_TRUE(to->is_voter(node));
      end = after_joint(*to);
    }
    for (const MemberChange& change : changes) {
      const bool votes = change.kind == MemberChange::Kind::add_voter;
      const bool stays = change.kind != MemberChange::Kind::remove;
      EXPECT_EQ(end.is_voter(change.node), votes);
      EXPECT_EQ(end.contains(change.node), stays);
    }
  }
  EXPECT_GT(joint, 100);
}

TEST(MembershipTest, AVoterWhoseDirectoryIsReplacedLearnsUntilItIsAVoterAgain) {
  using Kind = MemberChange::Kind;
  const Uuid old = Uuid::from_random(1, 1);
  const Uuid lost = Uuid::from_random(1, 2);
  const Uuid fresh = Uuid::from_random(1, 3);
  Membership from;
  from.voters = {1, 2};
  from.learners = {7};
  from.directories = {{1, old}, {2, lost}};
  EXPECT_TRUE(from.is_member(2, lost));
  EXPECT_FALSE(from.is_member(2, fresh));
  EXPECT_TRUE(from.is_member(7, fresh)) << "no directory is known that it should have";
  const auto after = [](const Membership& before, MemberChange change) {
    return changed(before, std::span(&change, 1), Transition::automatic);
  };

  EXPECT_FALSE(after(from, {Kind::add_voter, 2, fresh}));
  EXPECT_FALSE(after(from, {Kind::replace, 2, lost}));
  EXPECT_FALSE(after(from, {Kind::replace, 3, fresh}));
  const Membership replaced = after(from, {Kind::replace, 2, fresh}).value();
  EXPECT_EQ(to_string(replaced), "voters 1, learners 2 7, returning 2");
  EXPECT_TRUE(replaced.is_member(2, fresh));
  EXPECT_FALSE(after(replaced, {Kind::replace, 1, fresh})) << "nobody would vote";
  EXPECT_EQ(decode_membership(encode_membership(replaced)).value(), replaced);

  const Membership again = after(replaced, {Kind::replace, 2, old}).value();
  EXPECT_EQ(again.returning, std::vector<NodeId>{2}) << "it was wiped once more meanwhile";
  const Membership back = after(again, {Kind::add_voter, 2, old}).value();
  EXPECT_EQ(to_string(back), "voters 1 2, learners 7");
  EXPECT_EQ(back.directory_of(2), old);
  EXPECT_TRUE(after(back, {Kind::remove, 2}).value().directory_of(2).is_zero());
}

}  // namespace
}  // namespace chronik::raft
