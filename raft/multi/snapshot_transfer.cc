#include "raft/multi/snapshot_transfer.h"

#include <utility>

#include "base/log.h"

namespace chronik::raft {

namespace {

constexpr int attempts_max = 20;
constexpr std::size_t identity_bytes = 4096;

}  // namespace

// What the I/O thread does with the receiver, and how it ended.
struct SnapshotFetcher::Step {
  std::shared_ptr<SnapshotReceiver> receiver;
  std::uint64_t position = 0;
  SharedBytes bytes;
  bool completes = false;
  Result<void> outcome;
};

SnapshotFetcher::SnapshotFetcher(TransferDoor door, StateMachine& machine, int retry_ticks,
                                 Done done)
    : door_(std::move(door)),
      machine_(machine),
      retry_ticks_(retry_ticks),
      done_(std::move(done)),
      self_(std::make_shared<SnapshotFetcher*>(this)) {}

SnapshotFetcher::~SnapshotFetcher() { *self_ = nullptr; }

void SnapshotFetcher::start(const SnapshotFetch& fetch) {
  CHECK(!active_);
  active_ = true;
  from_ = fetch.from;
  waited_ticks_ = attempts_ = 0;
  node_lost_ = false;
  const bool same = receiver_ != nullptr && meta_ == fetch.meta;
  if (!same) {
    meta_ = fetch.meta;
    receiver_ = machine_.receive_snapshot(meta_);
    position_ = 0;
  }
  log_info("a snapshot is fetched", {{"group", door_.group.to_string()},
                                     {"from", from_},
                                     {"index", meta_.index},
                                     {"position", position_}});
  if (!working_) ask();
}

void SnapshotFetcher::ask() {
  waited_ticks_ = 0;
  door_.send(from_, encode(SnapshotRequest{door_.group, meta_.index, position_}));
}

void SnapshotFetcher::on_chunk(NodeId from, const SnapshotChunk& chunk) {
  if (!active_ || working_ || from != from_ || chunk.index != meta_.index) return;
  if (chunk.total == 0) return give_up(/*forget=*/true);
  // Another node's file of the same entries may be another run of bytes.
  if (position_ != 0 && chunk.identity != identity_) {
    position_ = 0;
    return ask();
  }
  if (chunk.position != position_ || chunk.bytes.empty()) return;
  identity_ = chunk.identity;
  attempts_ = 0;
  write(chunk);
}

void SnapshotFetcher::write(const SnapshotChunk& chunk) {
  auto step = std::make_shared<Step>();
  step->receiver = receiver_;
  step->position = chunk.position;
  step->bytes = chunk.bytes;
  step->completes = chunk.position + chunk.bytes.size() == chunk.total;
  working_ = true;
  wal::LogEnvironment& environment = *door_.environment;
  door_.executor->run(
      [step, &environment] {
        step->outcome = step->receiver->write(step->position, step->bytes.view());
        if (step->outcome && step->completes) step->outcome = step->receiver->finish();
        if (!step->outcome && step->outcome.error().code == Errc::io) {
          environment.on_fatal(step->outcome.error());
        }
      },
      [step, self = self_] {
        if (*self != nullptr) (*self)->after(step);
      });
}

void SnapshotFetcher::after(const std::shared_ptr<Step>& step) {
  working_ = false;
  if (step->receiver != receiver_) {  // another one was started meanwhile
    if (active_) ask();
    return;
  }
  if (!step->outcome) {
    log_warn("a snapshot could not be taken over", {{"why", step->outcome.error().message}});
    // What is wrong with it may be wrong with the part that is here.
    receiver_.reset();
    if (active_) give_up(/*forget=*/true);
    return;
  }
  position_ += step->bytes.size();
  bytes_received_ += step->bytes.size();
  if (!active_) return;
  if (step->completes) return complete();
  if (node_lost_) return give_up(/*forget=*/false);
  ask();
}

void SnapshotFetcher::complete() {
  active_ = false;
  position_ = 0;
  done_(meta_, true);
}

void SnapshotFetcher::give_up(bool forget) {
  active_ = false;
  if (forget) {
    receiver_.reset();
    position_ = 0;
  }
  done_(meta_, false);
}

void SnapshotFetcher::on_node_down(NodeId node) {
  if (!active_ || node != from_) return;
  node_lost_ = true;
  if (!working_) give_up(/*forget=*/false);
}

void SnapshotFetcher::on_tick() {
  if (!active_ || working_ || ++waited_ticks_ < retry_ticks_) return;
  if (++attempts_ > attempts_max) return give_up(/*forget=*/false);
  ask();
}

SnapshotSender::SnapshotSender(TransferDoor door, StateMachine& machine)
    : door_(std::move(door)), machine_(machine), self_(std::make_shared<SnapshotSender*>(this)) {}

SnapshotSender::~SnapshotSender() { *self_ = nullptr; }

void SnapshotSender::on_request(NodeId from, const SnapshotRequest& request) {
  if (!busy_.insert(from).second) return;
  door_.ask(from, snapshot_part_bytes,
            [this, from, request](const CatchUpGrant& grant) { send_part(from, request, grant); });
}

void SnapshotSender::send_part(NodeId to, const SnapshotRequest& request,
                               const CatchUpGrant& grant) {
  auto found = open_.find(request.index);
  if (found == open_.end()) {
    std::shared_ptr<SnapshotReader> reader = machine_.open_snapshot(request.index);
    if (reader == nullptr) {
      SnapshotChunk gone;
      gone.group = door_.group;
      gone.index = request.index;
      busy_.erase(to);
      door_.sent(to, grant, 0);
      return door_.send(to, encode(gone));
    }
    found = open_.emplace(request.index, Open{std::move(reader), 0}).first;
  }
  found->second.idle = 0;
  struct Part {
    SnapshotChunk chunk;
    Result<void> outcome;
  };
  auto part = std::make_shared<Part>();
  part->chunk.group = door_.group;
  part->chunk.index = request.index;
  part->chunk.position = request.position;
  const auto read = [part, reader = found->second.reader, limit = grant.bytes]() -> Result<void> {
    SnapshotChunk& chunk = part->chunk;
    TRY_ASSIGN(chunk.total, reader->size());
    if (chunk.position > chunk.total) chunk.position = chunk.total;
    Bytes head(identity_bytes);
    TRY_ASSIGN(const std::size_t known, reader->read(0, head));
    chunk.identity = chunk_checksum(ByteView(head).first(known)) ^ chunk.total;
    const std::uint64_t left = chunk.total - chunk.position;
    SharedBytes bytes = SharedBytes::allocate(std::min(left, limit));
    TRY_ASSIGN(const std::size_t n, reader->read(chunk.position, bytes.mutable_view()));
    chunk.bytes = bytes.slice(0, n);
    return {};
  };
  door_.executor->run([part, read] { part->outcome = read(); },
                      [part, to, grant, self = self_] {
                        if (*self == nullptr) return;
                        SnapshotSender& sender = **self;
                        sender.busy_.erase(to);
                        if (!part->outcome) {
                          log_warn("a snapshot could not be read for another node",
                                   {{"why", part->outcome.error().message}});
                          sender.open_.erase(part->chunk.index);
                          part->chunk.total = part->chunk.position = 0;
                          part->chunk.bytes = {};
                        }
                        sender.door_.sent(to, grant, part->chunk.bytes.size());
                        sender.door_.send(to, encode(part->chunk));
                      });
}

void SnapshotSender::on_tick(int idle_ticks) {
  for (auto at = open_.begin(); at != open_.end();) {
    at = ++at->second.idle > idle_ticks ? open_.erase(at) : std::next(at);
  }
}

}  // namespace chronik::raft
