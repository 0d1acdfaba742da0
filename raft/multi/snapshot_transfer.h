// Snapshot transfer: the node that needs one asks for it part by part, each part names its place
// and carries a checksum. So the sender holds no state but an open file, a lost part is asked for
// again, a broken transfer goes on where it was, and neither side holds more than a part in memory.
//
// One SnapshotFetcher and one SnapshotSender a replica, on its shard; files are read and written on
// the I/O thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "raft/core/ready.h"
#include "raft/multi/catch_up_queue.h"
#include "raft/multi/state_machine.h"
#include "raft/multi/wire.h"
#include "wal/io_executor.h"
#include "wal/log_environment.h"

namespace chronik::raft {

inline constexpr std::size_t snapshot_part_bytes = 256u << 10;

/// What both sides need of the node around them; outlives them.
struct TransferDoor {
  GroupId group;
  wal::LogEnvironment* environment = nullptr;
  wal::IoExecutor* executor = nullptr;
  std::function<void(NodeId to, ByteChain frame)> send;
  /// Calls `go` once so many bytes may go to that node; what went is told by sent().
  std::function<void(NodeId to, std::uint64_t wanted, std::function<void(CatchUpGrant)> go)> ask;
  std::function<void(NodeId to, const CatchUpGrant& grant, std::uint64_t bytes)> sent;
};

class SnapshotFetcher {
 public:
  using Done = std::function<void(const SnapshotMeta& meta, bool fetched)>;
  /// `retry_ticks`: a part that did not come by then is asked for again.
  SnapshotFetcher(TransferDoor door, StateMachine& machine, int retry_ticks, Done done);
  ~SnapshotFetcher();
  SnapshotFetcher(const SnapshotFetcher&) = delete;
  SnapshotFetcher& operator=(const SnapshotFetcher&) = delete;

  /// `done` follows once. What an earlier fetch of the same snapshot has got is kept.
  void start(const SnapshotFetch& fetch);
  void on_chunk(NodeId from, const SnapshotChunk& chunk);
  void on_node_down(NodeId node);
  void on_tick();
  bool active() const { return active_; }
  /// The one that was just fetched; the fetcher forgets it.
  std::shared_ptr<SnapshotReceiver> take() { return std::move(receiver_); }

  std::uint64_t bytes_received() const { return bytes_received_; }

 private:
  struct Step;
  void ask();
  void write(const SnapshotChunk& chunk);
  void complete();
  void after(const std::shared_ptr<Step>& step);
  void give_up(bool forget);

  TransferDoor door_;
  StateMachine& machine_;
  const int retry_ticks_;
  Done done_;
  std::shared_ptr<SnapshotFetcher*> self_;  // null inside once it is gone
  bool active_ = false;
  bool working_ = false;  // the I/O thread has the receiver
  NodeId from_ = no_node;
  SnapshotMeta meta_;
  std::shared_ptr<SnapshotReceiver> receiver_;
  std::uint64_t position_ = 0;
  std::uint64_t identity_ = 0;
  int waited_ticks_ = 0;
  int attempts_ = 0;
  bool node_lost_ = false;
  std::uint64_t bytes_received_ = 0;
};

class SnapshotSender {
 public:
  SnapshotSender(TransferDoor door, StateMachine& machine);
  ~SnapshotSender();
  SnapshotSender(const SnapshotSender&) = delete;
  SnapshotSender& operator=(const SnapshotSender&) = delete;

  /// One part at a time for each node; more than that is dropped. It leaves when it may.
  void on_request(NodeId from, const SnapshotRequest& request);
  /// Nothing is open, nobody waits: it needs no ticks.
  bool idle() const { return open_.empty() && busy_.empty(); }
  /// Closes what nobody asked for since `idle_ticks` calls.
  void on_tick(int idle_ticks);

 private:
  struct Open {
    std::shared_ptr<SnapshotReader> reader;
    int idle = 0;
  };
  void send_part(NodeId to, const SnapshotRequest& request, const CatchUpGrant& grant);

  TransferDoor door_;
  StateMachine& machine_;
  std::shared_ptr<SnapshotSender*> self_;
  std::map<Index, Open> open_;
  std::set<NodeId> busy_;
};

}  // namespace chronik::raft
