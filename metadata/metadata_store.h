// MetadataStore: the one door through which everything reads and changes metadata. Standalone it is
// a MetaLogStore (metadata/meta_log_store.h); in a cluster RaftMetaLog wraps the same state machine
// in the Raft group ("__meta", 0); tests use a MemoryMetadataStore (metadata/memory_store.h).
//
// Owned by one shard (the metadata shard, 0): every function is called there, and callbacks run
// there. Other shards read an Image that was handed to them: an Image is immutable, so an observer
// publishes its shared_ptr to each shard, and a shard reads it without a lock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "metadata/events.h"
#include "metadata/image.h"
#include "protocol/errors.h"

namespace chronik::metadata {

/// What apply decided about one event. Refused events changed nothing.
struct ApplyResult {
  /// A part of the event that was left out while the rest took effect.
  struct Rejected {
    std::size_t index = 0;  // among the event's partitions, counted through all its topics
    protocol::ErrorCode code = protocol::ErrorCode::none;
    bool operator==(const Rejected&) const = default;
  };

  protocol::ErrorCode code = protocol::ErrorCode::none;
  std::string message;  // for the client's error_message; empty when code is none
  std::vector<Rejected> rejected;
  ProducerId producer_id_first = no_producer_id;  // ProducerIdsAllocated: where the block starts

  bool ok() const { return code == protocol::ErrorCode::none; }
  bool operator==(const ApplyResult&) const = default;
};

/// One result for each event, in their order.
using ApplyResults = std::vector<ApplyResult>;

/// Results, or why the proposal was not taken: too_large (one batch's limit), busy (too much is
/// waiting to become durable; retry), closed, not_leader (only_in_term; or another leader's change
/// took its place); in a cluster also timeout, after which the events may or may not take effect.
using ProposeDone = std::function<void(Result<ApplyResults>)>;

struct ProposeOptions {
  /// For what was decided from memory that only the leader of this term has: taken only when this
  /// node leads in exactly this term, else not_leader. Never sent to another node.
  std::optional<LeaderEpoch> only_in_term = {};
  /// Taking effect twice does no harm: then it is tried again where its fate is not known.
  bool idempotent = false;
};

/// Who decides, as this node knows it.
struct Leadership {
  BrokerId leader = -1;  // -1: none is known
  LeaderEpoch term = 0;
  /// This node leads, and its image has everything that was decided before its term.
  bool ready = false;
  bool operator==(const Leadership&) const = default;
};

/// A change of one topic between two images: created (before is null), deleted (after is null), or
/// changed.
struct TopicChange {
  std::shared_ptr<const Topic> before;
  std::shared_ptr<const Topic> after;
};

/// What differs between two successive images. Committed offsets are not listed one by one.
struct MetadataDelta {
  std::vector<TopicChange> topics;      // in the order of their first change
  std::vector<ConfigResource> configs;  // resources whose dynamic configs changed
  std::vector<std::string> groups;      // groups whose state changed, or that are gone
  std::vector<BrokerId> brokers;        // registered again, or removed
  bool offsets = false;                 // some committed offset changed
  bool features = false;                // a feature level, or the cluster id
  bool producer_ids = false;

  bool empty() const {
    return topics.empty() && configs.empty() && groups.empty() && brokers.empty() && !offsets &&
           !features && !producer_ids;
  }
};

class MetadataObserver {
 public:
  virtual ~MetadataObserver() = default;
  /// The store's image is now `after`. Called on the owner shard for every new image, in order,
  /// before the done callbacks of the proposals in it: who waits for a proposal finds the reaction
  /// of all observers begun. May call propose(); must not add or remove observers.
  virtual void on_image(const std::shared_ptr<const Image>& before,
                        const std::shared_ptr<const Image>& after, const MetadataDelta& delta) = 0;
  /// MetadataStore::leadership() has changed. Called on the owner shard, with every image that is
  /// due before it.
  virtual void on_leadership(const Leadership& /*leadership*/) {}
};

class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  /// Everything applied so far; never null. Durable: an image never shows what a crash could undo.
  virtual std::shared_ptr<const Image> image() const = 0;

  /// Writes the events as one batch (all of them survive a crash or none), makes it durable,
  /// applies it, tells the observers and calls `done` once, on this shard, possibly before propose
  /// returns. Each event is decided for itself: one that is refused leaves the others in force.
  /// Proposals are applied in the order of the calls; in a cluster only as long as the leader
  /// stays. There any node takes them and hands them to the leader; the results are those of this
  /// node's own apply, so its image has them.
  virtual void propose(std::vector<MetadataEvent> events, const ProposeOptions& options,
                       ProposeDone done) = 0;
  void propose(std::vector<MetadataEvent> events, ProposeDone done) {
    propose(std::move(events), ProposeOptions{}, std::move(done));
  }

  /// `done`, on this shard, once image() has everything that was acknowledged on any node before
  /// this call: without a cluster at once. Errors: timeout, closed.
  virtual void read_barrier(std::function<void(Result<void>)> done) {
    const std::function<void(Result<void>)> at_once = std::move(done);
    at_once({});
  }

  /// Without a cluster always this node, in term 0, ready.
  virtual Leadership leadership() const = 0;

  /// The observer must be removed before it is destroyed. It is not told about the present image.
  virtual void add_observer(MetadataObserver& observer) = 0;
  virtual void remove_observer(MetadataObserver& observer) = 0;
};

}  // namespace chronik::metadata
