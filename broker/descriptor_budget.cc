#include "broker/descriptor_budget.h"

#include <spdlog/fmt/fmt.h>
#include <sys/resource.h>

#include <algorithm>

namespace chronik::broker {

namespace {

// Neither connections nor log files: epoll, timers, stdio, lock, listeners.
constexpr std::uint64_t others = 64;
constexpr std::uint64_t log_files_min = 128;
constexpr std::uint64_t log_files_max = 8192;
// With fewer there would be no room for a handful of connections beside the two above.
constexpr std::uint64_t all_min = others + log_files_min + 8;

}  // namespace

DescriptorBudget DescriptorBudget::of_process() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return DescriptorBudget(1024);
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return DescriptorBudget(limit.rlim_cur);
}

Result<void> DescriptorBudget::check() const {
  if (all_ >= all_min) return {};
  return Error{Errc::invalid_argument,
               fmt::format("the limit of open files is {}, and at least {} are needed: raise it "
                           "(ulimit -n, LimitNOFILE=)",
                           all_, all_min)};
}

std::uint64_t DescriptorBudget::log_files() const {
  return std::clamp(all_ / 4, log_files_min, log_files_max);
}

std::uint64_t DescriptorBudget::connections() const {
  const std::uint64_t taken = log_files() + others;
  return all_ > taken ? all_ - taken : 1;
}

}  // namespace chronik::broker
