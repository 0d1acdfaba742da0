#include "broker/runtime/budget.h"

namespace chronik::broker {

Budget::Units Budget::try_take(std::int64_t bytes) {
  CHECK(bytes >= 0);
  if (first_ != nullptr || !can_grant(bytes)) return {};
  return force(bytes);
}

Budget::Units Budget::force(std::int64_t bytes) {
  available_ -= bytes;
  return Units(*this, bytes);
}

void Budget::wait(std::int64_t bytes, Waiter& waiter) {
  CHECK(!waiter.waiting() && bytes >= 0);
  waiter.budget_ = this;
  waiter.wanted_ = bytes;
  waiter.ticket_ = ++tickets_;
  waiter.before_ = last_;
  waiter.after_ = nullptr;
  (last_ != nullptr ? last_->after_ : first_) = &waiter;
  last_ = &waiter;
}

void Budget::unlink(Waiter& waiter) {
  CHECK(waiter.budget_ == this);
  (waiter.before_ != nullptr ? waiter.before_->after_ : first_) = waiter.after_;
  (waiter.after_ != nullptr ? waiter.after_->before_ : last_) = waiter.before_;
  waiter.budget_ = nullptr;
  // The next in line may want less than the one who left.
  give_back(0);
}

void Budget::give_back(std::int64_t bytes) {
  available_ += bytes;
  CHECK(available_ <= capacity_);
  // A grant may give bytes back in turn; the outermost call goes on with the line.
  if (granting_) return;
  granting_ = true;
  while (first_ != nullptr && can_grant(first_->wanted_)) {
    Waiter& waiter = *first_;
    std::int64_t wanted = waiter.wanted_;
    unlink(waiter);
    waiter.on_granted(force(wanted));
  }
  granting_ = false;
}

}  // namespace chronik::broker
