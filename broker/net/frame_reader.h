// FrameReader: turns the bytes of one connection into frames (int32 length, then that many bytes).
// Says where the next received bytes should go, so that small frames are slices of the shard's slab
// and big ones arrive in memory of their own without a copy. No socket, no budget: the caller
// receives, and accepts a frame only once its bytes were granted. Between frames it holds no
// memory.
//
//   receive:  space() -> recv -> received(n)
//   parse:    peek() until it says need_bytes; after `announced`, accept() gives the frame or
//             begins to assemble it; after `complete`, take() gives it.
//
// Memory is taken by a frame's length only in accept(); a length over the limit is never accepted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "broker/net/buffer_pool.h"

namespace chronik::broker {

class FrameReader {
 public:
  /// A frame of this size or more is received into memory of its own, and so is the next one from
  /// its first byte on.
  static constexpr std::size_t bulk_bytes_min = 64u << 10;

  struct Space {
    std::array<MutableByteView, 2> parts;
    std::size_t count = 0;
    std::size_t size() const { return parts[0].size() + (count == 2 ? parts[1].size() : 0); }
  };

  /// Where to receive; both parts in one call. Precondition: peek() said need_bytes.
  Space space(ReceiveSlab& slab);
  /// The first `size` bytes of space() were filled; nothing may have used the slab in between.
  void received(std::size_t size, ReceiveSlab& slab);

  enum class State {
    need_bytes,  // receive more
    announced,   // length() is known; accept() when the memory is granted
    complete,    // take()
  };
  State peek();
  /// As announced by the peer: may be negative or beyond any limit. Precondition: announced.
  std::int32_t length() const { return length_; }
  /// Precondition: announced, length() >= 0. The frame, when all of it is there; otherwise memory
  /// for it is taken and its bytes are awaited.
  std::optional<SharedBytes> accept(BufferPool& pool);
  /// Precondition: complete.
  SharedBytes take();

  /// The length of the frame that arrives; 0 while that is not known.
  std::int32_t expected() const { return announced_ || assembling_ ? length_ : 0; }
  /// What is there of it.
  std::int32_t arrived() const { return static_cast<std::int32_t>(body_received_); }
  /// A frame has begun and is not there yet.
  bool in_frame() const { return prefix_size_ > 0 || announced_ || assembling_; }
  /// Received bytes that were not parsed yet.
  std::size_t unparsed() const { return input_.size(); }
  /// Copies unparsed bytes out of the slab, so that a connection that has to wait does not keep it.
  void park();

 private:
  SharedBytes input_;  // received, not parsed; of the slab or, once parked, our own
  bool input_parked_ = false;
  std::array<std::uint8_t, 4> prefix_{};
  std::uint8_t prefix_size_ = 0;
  bool announced_ = false;
  bool bulk_ = false;  // the last frame was big: receive the next length alone
  bool assembling_ = false;
  std::int32_t length_ = 0;
  SharedBytes body_;  // while assembling
  std::size_t body_received_ = 0;
};

}  // namespace chronik::broker
