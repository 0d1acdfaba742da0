#include "broker/net/buffer_pool.h"

#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include "base/check.h"

namespace chronik::broker {

namespace {

// Class n holds 64 KiB * 2^n and some slack, since frames are a little more than a round number of
// record bytes: 1,000,000 and 1,048,576 bytes of records are the usual batches.
constexpr std::size_t slack_bytes = 16u << 10;
constexpr std::size_t class_count = 8;
constexpr std::size_t class_bytes(std::size_t index) {
  return (BufferPool::pooled_bytes_min << index) + (index == 0 ? 0 : slack_bytes);
}

std::size_t class_of(std::size_t size) {
  for (std::size_t index = 0; index < class_count; ++index) {
    if (size <= class_bytes(index)) return index;
  }
  return class_count;
}

struct Free {
  void operator()(std::uint8_t* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::uint8_t, Free>;

constexpr std::size_t page_bytes = 4096;

}  // namespace

struct BufferPool::State {
  explicit State(std::size_t limit) : free_bytes_max(limit) {}

  const std::size_t free_bytes_max;
  mutable std::mutex mutex;
  std::array<std::vector<Memory>, class_count> free;
  std::size_t free_bytes = 0;
  std::size_t taken = 0;

  std::uint8_t* take(std::size_t index) {
    {
      std::lock_guard lock(mutex);
      ++taken;
      if (!free[index].empty()) {
        std::uint8_t* memory = free[index].back().release();
        free[index].pop_back();
        free_bytes -= class_bytes(index);
        return memory;
      }
    }
    auto* memory = static_cast<std::uint8_t*>(std::aligned_alloc(page_bytes, class_bytes(index)));
    CHECK(memory != nullptr);
    return memory;
  }

  void give_back(std::uint8_t* buffer, std::size_t index) {
    Memory memory(buffer);
    std::lock_guard lock(mutex);
    --taken;
    if (free_bytes + class_bytes(index) > free_bytes_max) return;
    free_bytes += class_bytes(index);
    free[index].push_back(std::move(memory));
  }
};

BufferPool::BufferPool(std::size_t free_bytes_max)
    : state_(std::make_shared<State>(free_bytes_max)) {}

SharedBytes BufferPool::take(std::size_t size) {
  const std::size_t index = class_of(size);
  if (size < pooled_bytes_min || index == class_count) return SharedBytes::allocate(size);
  std::uint8_t* memory = state_->take(index);
  std::shared_ptr<std::uint8_t> owner(
      memory, [state = state_, index](std::uint8_t* buffer) { state->give_back(buffer, index); });
  return {std::move(owner), MutableByteView{memory, size}};
}

void BufferPool::trim() {
  std::array<std::vector<Memory>, class_count> dropped;
  std::lock_guard lock(state_->mutex);
  dropped.swap(state_->free);
  state_->free_bytes = 0;
}

std::size_t BufferPool::free_bytes() const {
  std::lock_guard lock(state_->mutex);
  return state_->free_bytes;
}

std::size_t BufferPool::taken() const {
  std::lock_guard lock(state_->mutex);
  return state_->taken;
}

MutableByteView ReceiveSlab::room() {
  if (block_.size() - used_ < room_bytes_min) {
    // The old block goes back first: when no request holds it, it is the one we get, warm.
    block_ = {};
    block_ = pool_.take(slab_bytes);
    used_ = 0;
  }
  return block_.mutable_view().subspan(used_);
}

SharedBytes ReceiveSlab::commit(std::size_t size) {
  SharedBytes slice = block_.slice(used_, size);
  // Records in a slice are read by 8-byte loads here and there; keep slices apart.
  used_ += (size + 7) & ~std::size_t{7};
  if (used_ > block_.size()) used_ = block_.size();
  return slice;
}

}  // namespace chronik::broker
