// Admission: how many connections there are, in all, by address and by shard; says whether one more
// may come in and on which shard it should live. Any thread; asked once a connection, so a mutex
// will do.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/net/options.h"

namespace chronik::broker {

class Admission {
 public:
  Admission(std::uint32_t shard_count, ConnectionLimits limits);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// A connection's place; given back by the destructor, on any thread.
  class [[nodiscard]] Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)),
          address_(std::move(other.address_)),
          shard_(other.shard_) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket();

    /// The shard with the fewest connections when it was admitted.
    std::uint32_t shard() const { return shard_; }

   private:
    friend class Admission;
    Ticket(Admission& admission, std::string address, std::uint32_t shard)
        : admission_(&admission), address_(std::move(address)), shard_(shard) {}
    Admission* admission_ = nullptr;
    std::string address_;
    std::uint32_t shard_ = 0;
  };

  struct Verdict {
    bool admitted = false;
    Ticket ticket;                // when admitted
    const char* limit = nullptr;  // else what stands in the way
  };
  Verdict admit(const std::string& address);

  std::uint64_t connections() const;

 private:
  void leave(const std::string& address, std::uint32_t shard);
  std::uint64_t max_of(const std::string& address) const;

  const ConnectionLimits limits_;
  mutable std::mutex mutex_;
  std::uint64_t connections_ = 0;
  std::unordered_map<std::string, std::uint64_t> by_address_;
  std::vector<std::uint64_t> by_shard_;
};

}  // namespace chronik::broker
