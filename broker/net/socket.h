// Socket: a connected, non-blocking TCP socket. Reads and writes are plain system calls, tried
// first; Asio only says when it is worth trying again. One shard.
#pragma once

#include <array>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "broker/net/output_queue.h"
#include "broker/runtime/shard_io.h"

namespace chronik::broker {

/// Memory for one wait of Asio's, so that waiting allocates nothing.
class WaitSlot {
 public:
  void* allocate(std::size_t size) {
    if (size > memory_.size() || used_) return ::operator new(size);
    used_ = true;
    return memory_.data();
  }
  void deallocate(void* pointer) {
    if (pointer == memory_.data()) {
      used_ = false;
    } else {
      ::operator delete(pointer);
    }
  }

 private:
  alignas(std::max_align_t) std::array<std::byte, 160> memory_;
  bool used_ = false;
};

template <class T>
struct WaitAllocator {
  using value_type = T;
  explicit WaitAllocator(WaitSlot& s) : slot(&s) {}
  template <class U>
  WaitAllocator(const WaitAllocator<U>& other) : slot(other.slot) {}
  T* allocate(std::size_t n) { return static_cast<T*>(slot->allocate(n * sizeof(T))); }
  void deallocate(T* pointer, std::size_t) { slot->deallocate(pointer); }
  template <class U>
  bool operator==(const WaitAllocator<U>& other) const {
    return slot == other.slot;
  }
  WaitSlot* slot;
};

/// What a read or a write came to.
struct Transfer {
  enum class Status : std::uint8_t { done, would_block, end_of_stream, failed };
  Status status = Status::done;
  std::size_t size = 0;    // bytes moved; may be > 0 with would_block
  int system_error = 0;    // of failed
  bool truncated = false;  // of failed: a file was shorter than its range
};

class Socket {
 public:
  explicit Socket(ShardIo& io) : descriptor_(io.context.get_executor()) {}

  /// Owns `fd` from here on, which must be non-blocking. False (and `fd` is closed) when the event
  /// loop cannot watch it.
  bool open(int fd);
  bool is_open() const { return descriptor_.is_open(); }
  int fd() { return descriptor_.native_handle(); }
  /// Waits under way end; their callbacks are called with `false`.
  void close();

  /// One recvmsg into one or two parts.
  Transfer receive(std::span<const MutableByteView> parts);
  /// Sends from the queue until it is empty, the socket is full or `bytes_max` are out (then the
  /// status is done although the queue is not empty).
  Transfer send(OutputQueue& queue, std::size_t bytes_max);

  /// Calls on_ready(bool ready) when a read (a write) is worth trying; false after close(). One of
  /// each at a time; `on_ready` is small and copyable, it is usually a pointer and a method.
  template <class F>
  void wait_readable(F on_ready) {
    wait(boost::asio::posix::descriptor_base::wait_read, read_slot_, on_ready);
  }
  template <class F>
  void wait_writable(F on_ready) {
    wait(boost::asio::posix::descriptor_base::wait_write, write_slot_, on_ready);
  }

 private:
  using Descriptor = boost::asio::posix::basic_stream_descriptor<IoExecutor>;

  template <class F>
  struct Waiting {
    using allocator_type = WaitAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(*slot); }
    void operator()(const boost::system::error_code& error) { on_ready(!error); }
    WaitSlot* slot;
    F on_ready;
  };

  template <class F>
  void wait(boost::asio::posix::descriptor_base::wait_type what, WaitSlot& slot, F on_ready) {
    descriptor_.async_wait(what, Waiting<F>{&slot, on_ready});
  }

  Transfer send_memory(OutputQueue& queue);
  Transfer send_file(OutputQueue& queue, const FileRange& range);
  Transfer send_copied(OutputQueue& queue, const FileRange& range);

  Descriptor descriptor_;
  WaitSlot read_slot_;
  WaitSlot write_slot_;
};

/// The text of an errno.
std::string system_error_text(int error);

}  // namespace chronik::broker
