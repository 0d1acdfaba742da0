#include "broker/net/admission.h"

#include <algorithm>

#include "base/check.h"

namespace chronik::broker {

Admission::Admission(std::uint32_t shard_count, ConnectionLimits limits)
    : limits_(std::move(limits)), by_shard_(shard_count) {
  CHECK(shard_count > 0);
}

std::uint64_t Admission::max_of(const std::string& address) const {
  const auto found = limits_.per_ip_overrides.find(address);
  return found != limits_.per_ip_overrides.end() ? found->second : limits_.per_ip_max;
}

Admission::Ticket::~Ticket() {
  if (admission_ != nullptr) admission_->leave(address_, shard_);
}

Admission::Verdict Admission::admit(const std::string& address) {
  std::lock_guard lock(mutex_);
  if (connections_ >= limits_.max) return {false, Ticket(), "max.connections"};
  if (connections_ >= limits_.descriptors_max) {
    return {false, Ticket(), "the limit of open files (ulimit -n, LimitNOFILE=)"};
  }
  std::uint64_t& of_address = by_address_[address];
  if (of_address >= max_of(address)) {
    if (of_address == 0) by_address_.erase(address);
    return {false, Ticket(), "max.connections.per.ip"};
  }
  ++of_address;
  ++connections_;
  const auto least = std::min_element(by_shard_.begin(), by_shard_.end());
  ++*least;
  const auto shard = static_cast<std::uint32_t>(least - by_shard_.begin());
  return {true, Ticket(*this, address, shard), nullptr};
}

std::uint64_t Admission::connections() const {
  std::lock_guard lock(mutex_);
  return connections_;
}

void Admission::leave(const std::string& address, std::uint32_t shard) {
  std::lock_guard lock(mutex_);
  --connections_;
  --by_shard_[shard];
  auto entry = by_address_.find(address);
  CHECK(entry != by_address_.end());
  if (--entry->second == 0) by_address_.erase(entry);
}

}  // namespace chronik::broker
