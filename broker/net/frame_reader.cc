#include "broker/net/frame_reader.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/coding.h"

namespace chronik::broker {

FrameReader::Space FrameReader::space(ReceiveSlab& slab) {
  CHECK(input_.empty());
  Space space;
  if (assembling_) {
    space.parts[space.count++] = body_.mutable_view().subspan(body_received_);
  }
  if (bulk_) {
    // Only the next length: what follows it shall go where it belongs.
    space.parts[space.count++] = MutableByteView(prefix_).subspan(prefix_size_);
  } else {
    space.parts[space.count++] = slab.room();
  }
  return space;
}

void FrameReader::received(std::size_t size, ReceiveSlab& slab) {
  if (assembling_) {
    const std::size_t mine = std::min(size, body_.size() - body_received_);
    body_received_ += mine;
    size -= mine;
  }
  if (size == 0) return;
  if (bulk_) {
    prefix_size_ = static_cast<std::uint8_t>(prefix_size_ + size);
    CHECK(prefix_size_ <= prefix_.size());
  } else {
    input_ = slab.commit(size);
    input_parked_ = false;
  }
}

FrameReader::State FrameReader::peek() {
  if (assembling_) {
    return body_received_ == body_.size() ? State::complete : State::need_bytes;
  }
  if (announced_) return State::announced;
  const std::size_t missing = prefix_.size() - prefix_size_;
  const std::size_t taken = std::min(missing, input_.size());
  if (taken > 0) {
    std::memcpy(prefix_.data() + prefix_size_, input_.data(), taken);
    prefix_size_ = static_cast<std::uint8_t>(prefix_size_ + taken);
    input_ = input_.slice(taken, input_.size() - taken);
  }
  if (prefix_size_ < prefix_.size()) {
    input_ = {};
    return State::need_bytes;
  }
  length_ = load_be<std::int32_t>(prefix_.data());
  prefix_size_ = 0;
  announced_ = true;
  return State::announced;
}

std::optional<SharedBytes> FrameReader::accept(BufferPool& pool) {
  CHECK(announced_ && length_ >= 0);
  announced_ = false;
  const auto length = static_cast<std::size_t>(length_);
  bulk_ = length >= bulk_bytes_min;
  if (input_.size() >= length) {
    SharedBytes frame = input_.slice(0, length);
    input_ = input_.slice(length, input_.size() - length);
    // The bytes behind a big frame are in the slab already; they are parsed from there.
    bulk_ = bulk_ && input_.empty();
    if (input_.empty()) input_ = {};
    return frame;
  }
  assembling_ = true;
  body_ = pool.take(length);
  body_received_ = input_.size();
  if (!input_.empty()) std::memcpy(body_.mutable_view().data(), input_.data(), input_.size());
  input_ = {};
  return std::nullopt;
}

SharedBytes FrameReader::take() {
  CHECK(assembling_ && body_received_ == body_.size());
  assembling_ = false;
  body_received_ = 0;
  return std::exchange(body_, SharedBytes());
}

void FrameReader::park() {
  if (input_.empty() || input_parked_) return;
  input_ = SharedBytes::copy_of(input_.view());
  input_parked_ = true;
}

}  // namespace chronik::broker
