#include "broker/net/peer_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace chronik::broker {

namespace {

// One connection takes no more of a turn than this, in either direction.
constexpr std::size_t receive_bytes_per_turn = 2u << 20;
constexpr std::size_t send_bytes_per_turn = 4u << 20;

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

bool is_writable(int fd) {
  pollfd socket{fd, POLLOUT, 0};
  return ::poll(&socket, 1, 0) == 1;
}

}  // namespace

PeerConnection::PeerConnection(Shard& shard, PeerTraffic& traffic, Owner& owner, NodeId node,
                               std::string address)
    : shard_(shard),
      traffic_(traffic),
      owner_(owner),
      dialed_(node >= 0),
      node_(node),
      address_(std::move(address)),
      stage_(dialed_ ? Stage::connecting : Stage::greeting),
      began_at_(shard.now()),
      stage_since_(shard.now()),
      heard_at_(shard.now()),
      socket_(*shard.io()) {}

PeerConnection::~PeerConnection() { CHECK(finished()); }

void PeerConnection::start(int fd) {
  if (!socket_.open(fd)) {
    lose("the event loop did not take the socket");
    return;
  }
  if (dialed_) {
    wait_writable();
  } else {
    wait_readable();
  }
}

bool PeerConnection::send(PeerFrameKind kind, const ByteChain& payload,
                          std::uint64_t queued_bytes_max) {
  if (closed_ || stage_ == Stage::refused) return false;
  if (output_.size() + peer_head_bytes + payload.size() > queued_bytes_max) return false;
  output_.add_copy(peer_frame_head(kind, payload));
  output_.add(payload);
  spoke_ = true;
  owner_.mark(*this);
  return true;
}

void PeerConnection::look() {
  if (closed_ || receiving_) return;
  if (stage_ != Stage::connecting) return receive();
  if (is_writable(socket_.fd())) connected();
}

void PeerConnection::refuse(const PeerObjection& objection) {
  if (closed_ || stage_ == Stage::connecting) return close();
  const std::uint64_t no_limit = ~std::uint64_t{0};
  send(PeerFrameKind::refusal, SharedBytes::adopt(encode_refusal(objection)), no_limit);
  set_stage(Stage::refused);
  reader_ = FrameReader();
}

void PeerConnection::close() {
  if (std::exchange(closed_, true)) return;
  if (socket_.is_open()) socket_.close();
  output_.clear();
  reader_ = FrameReader();
  owner_.mark(*this);
}

void PeerConnection::lose(std::string_view why) {
  if (closed_) return;
  close();
  owner_.on_lost(*this, why);
}

void PeerConnection::settle() {
  if (closed_ || stage_ == Stage::connecting) return;
  flush();
  if (closed_) return;
  // The end of what we say is the end of the connection; closing at once, with bytes of the other
  // end unread, would take the refusal away from it.
  if (stage_ == Stage::refused && output_.empty()) ::shutdown(socket_.fd(), SHUT_WR);
  wait_readable();
}

void PeerConnection::wait_readable() {
  if (reading_) return;
  reading_ = true;
  socket_.wait_readable([this](bool ready) { shard_.turn([this, ready] { on_readable(ready); }); });
}

void PeerConnection::wait_writable() {
  if (writing_) return;
  writing_ = true;
  socket_.wait_writable([this](bool ready) { shard_.turn([this, ready] { on_writable(ready); }); });
}

void PeerConnection::on_readable(bool ready) {
  reading_ = false;
  owner_.mark(*this);
  if (closed_) return;
  if (!ready) return lose("the event loop refused to wait");
  receive();
}

void PeerConnection::on_writable(bool ready) {
  writing_ = false;
  owner_.mark(*this);
  if (closed_) return;
  if (!ready) return lose("the event loop refused to wait");
  if (stage_ == Stage::connecting) connected();
}

void PeerConnection::connected() {
  if (const int error = pending_error(socket_.fd()); error != 0) {
    return lose(system_error_text(error));
  }
  set_stage(Stage::greeting);
  heard_at_ = shard_.now();
  owner_.on_connected(*this);
}

/// False when there is nothing to go on with.
bool PeerConnection::received(const Transfer& got) {
  switch (got.status) {
    case Transfer::Status::would_block:
      return false;
    case Transfer::Status::end_of_stream:
      lose("it closed the connection");
      return false;
    case Transfer::Status::failed:
      lose(system_error_text(got.system_error));
      return false;
    case Transfer::Status::done:
      break;
  }
  heard_at_ = shard_.now();
  traffic_.bytes_received.add(got.size);
  return true;
}

void PeerConnection::receive() {
  std::size_t total = 0;
  while (!closed_ && total < receive_bytes_per_turn) {
    if (stage_ == Stage::refused) return discard();
    const FrameReader::Space space = reader_.space(traffic_.slab);
    const Transfer got = socket_.receive({space.parts.data(), space.count});
    if (!received(got)) return;
    reader_.received(got.size, traffic_.slab);
    receiving_ = true;
    take_frames();
    receiving_ = false;
    // A short read means that the socket is empty: no need to be told so by one more call.
    if (got.size < space.size()) return;
    total += got.size;
  }
}

void PeerConnection::discard() {
  const MutableByteView room = traffic_.slab.room();
  received(socket_.receive({&room, 1}));
}

void PeerConnection::take_frames() {
  while (!closed_ && stage_ != Stage::refused) {
    const FrameReader::State state = reader_.peek();
    if (state == FrameReader::State::need_bytes) return;
    if (state == FrameReader::State::complete) {
      take_frame(reader_.take());
      continue;
    }
    const std::int64_t length = reader_.length();
    constexpr auto overhead = static_cast<std::int64_t>(peer_frame_overhead);
    if (length < overhead || length > frame_bytes_max_ + overhead) {
      owner_.on_bad_frame(*this, PeerRefusal::unexpected);
      return;
    }
    if (auto frame = reader_.accept(traffic_.pool)) take_frame(*frame);
  }
}

void PeerConnection::take_frame(const SharedBytes& bytes) {
  if (auto frame = decode_peer_frame(bytes)) {
    owner_.on_frame(*this, std::move(*frame));
  } else {
    owner_.on_bad_frame(*this, PeerRefusal::damaged);
  }
}

void PeerConnection::flush() {
  if (writing_ || output_.empty()) return;
  const Transfer sent = socket_.send(output_, send_bytes_per_turn);
  traffic_.sends.add();
  traffic_.bytes_sent.add(sent.size);
  if (sent.status == Transfer::Status::failed) return lose(system_error_text(sent.system_error));
  if (!output_.empty()) wait_writable();
}

}  // namespace chronik::broker
