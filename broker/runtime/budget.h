// Budget: bytes in flight. A frame is charged before its body is read and given back when its
// response has left, so that memory is bounded by a setting and not by what peers promise. Who does
// not get its bytes waits in line and is called when they are there. One shard.
//
// Invariants: available() <= capacity(); it is below zero only by force(). A request larger than
// the capacity is granted when nothing else is out, so it cannot wait for ever.
#pragma once

#include <cstdint>
#include <utility>

#include "base/check.h"

namespace chronik::broker {

class Budget {
 public:
  /// Bytes taken; given back by the destructor or release().
  class [[nodiscard]] Units {
   public:
    Units() = default;
    Units(Units&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Units& operator=(Units&& other) noexcept {
      if (this != &other) {
        release();
        budget_ = std::exchange(other.budget_, nullptr);
        bytes_ = std::exchange(other.bytes_, 0);
      }
      return *this;
    }
    ~Units() { release(); }

    explicit operator bool() const { return budget_ != nullptr; }
    std::int64_t bytes() const { return bytes_; }
    void release() {
      if (budget_ == nullptr) return;
      std::exchange(budget_, nullptr)->give_back(std::exchange(bytes_, 0));
    }

   private:
    friend class Budget;
    Units(Budget& budget, std::int64_t bytes) : budget_(&budget), bytes_(bytes) {}
    Budget* budget_ = nullptr;
    std::int64_t bytes_ = 0;
  };

  /// One who waits; belongs to the one who waits, leaves the line when destroyed.
  class Waiter {
   public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    virtual ~Waiter() { leave(); }

    bool waiting() const { return budget_ != nullptr; }
    void leave();

   protected:
    /// The bytes are there. Called from within a release; must not destroy the Budget.
    virtual void on_granted(Units units) = 0;

   private:
    friend class Budget;
    Budget* budget_ = nullptr;
    Waiter* before_ = nullptr;
    Waiter* after_ = nullptr;
    std::int64_t wanted_ = 0;
    std::uint64_t ticket_ = 0;
  };

  explicit Budget(std::int64_t capacity_bytes)
      : capacity_(capacity_bytes), available_(capacity_bytes) {
    CHECK(capacity_bytes > 0);
  }
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;
  ~Budget() { CHECK(first_ == nullptr && available_ == capacity_); }

  std::int64_t capacity() const { return capacity_; }
  std::int64_t available() const { return available_; }
  bool has_waiters() const { return first_ != nullptr; }
  /// Who is first in line, by a number that no other wait has; 0 when nobody waits. While it stays
  /// the same, the line does not move.
  std::uint64_t first_ticket() const { return first_ != nullptr ? first_->ticket_ : 0; }

  /// The bytes at once, or nothing. Never overtakes those who wait.
  Units try_take(std::int64_t bytes);
  /// Takes what is used already, also below zero; others wait longer for it.
  Units force(std::int64_t bytes);
  /// Puts `waiter` into the line. Precondition: it does not wait.
  void wait(std::int64_t bytes, Waiter& waiter);

 private:
  bool can_grant(std::int64_t bytes) const {
    return bytes <= available_ || available_ == capacity_;
  }
  void give_back(std::int64_t bytes);
  void unlink(Waiter& waiter);

  std::int64_t capacity_;
  std::int64_t available_;
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
  std::uint64_t tickets_ = 0;
  bool granting_ = false;
};

inline void Budget::Waiter::leave() {
  if (budget_ != nullptr) budget_->unlink(*this);
}

}  // namespace chronik::broker
