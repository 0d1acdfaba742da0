// Quorum: the group that decides on the metadata, as handlers see it: who belongs to it, and how to
// change that. Only its leader can tell and change; ask_leader() hands a client's request to it.
// Implemented by ClusterQuorum; without a cluster there is none. Everything on the metadata shard.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/types.h"
#include "base/uuid.h"
#include "broker/runtime/task.h"

namespace chronik::broker {

struct QuorumMember {
  BrokerId id = -1;
  Uuid directory;  // zero: not known
  bool votes = false;
  /// Behind the last entry that it holds durably.
  EntryIndex log_end = 0;
  Timestamp heard = -1;
  /// When it held everything last; -1: never, as far as this leader knows.
  Timestamp caught_up = -1;
  /// Its cluster port; empty: it does not stand in cluster.nodes.
  std::string host;
  std::uint16_t port = 0;
};

struct QuorumState {
  BrokerId leader = -1;
  LeaderEpoch epoch = 0;
  /// Behind the last committed entry.
  EntryIndex high_watermark = 0;
  std::vector<QuorumMember> members;  // by id
};

/// Set by who asked, from any thread, when nobody waits any more.
using GivenUp = std::shared_ptr<std::atomic<bool>>;

class Quorum {
 public:
  virtual ~Quorum() = default;

  /// Errors: not_leader.
  virtual Result<QuorumState> describe() = 0;

  /// The node gets a vote as soon as it holds the log; committed on return. `directory`: zero takes
  /// the one it has. Errors: not_leader; already_exists (it votes); not_found (it is not connected,
  /// or with another directory); invalid_argument (an observer by its settings); timeout (it does
  /// not hold the log in time, or it is not known whether the change was committed); busy, closed.
  virtual Task<Result<void>> add_voter(BrokerId node, Uuid directory, milliseconds timeout,
                                       GivenUp given_up) = 0;
  /// The node has no vote any more; one that is connected goes on as an observer. Errors:
  /// not_leader; not_found (no such voter); invalid_argument (the others could not decide without
  /// it); timeout, busy, closed.
  virtual Task<Result<void>> remove_voter(BrokerId node, Uuid directory, milliseconds timeout) = 0;

  /// What the leader's handler of that API answers. Errors: not_leader (none is known, or it is
  /// this node), timeout, busy, closed.
  virtual Task<Result<SharedBytes>> ask_leader(std::int16_t api_key, std::int16_t version,
                                               SharedBytes body, milliseconds timeout,
                                               GivenUp given_up) = 0;
};

}  // namespace chronik::broker
