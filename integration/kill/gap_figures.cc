#include "integration/kill/gap_figures.h"

#include <fmt/format.h>

#include <algorithm>

namespace chronik::integration {

namespace {

using Duration = GapFigures::Duration;

/// The smallest that `percent` of all do not exceed.
Duration percentile(std::vector<Duration> all, std::size_t percent) {
  if (all.empty()) return Duration{};
  std::sort(all.begin(), all.end());
  return all[(all.size() * percent + 99) / 100 - 1];
}

std::string figures(const std::vector<Duration>& all) {
  const auto ms = [](Duration time) { return static_cast<double>(time.count()) / 1000; };
  return fmt::format("median {:.1f} ms, p99 {:.1f} ms, longest {:.1f} ms", ms(percentile(all, 50)),
                     ms(percentile(all, 99)), ms(percentile(all, 100)));
}

}  // namespace

void GapFigures::add(const std::string& kind, bool led, Gaps gaps) {
  Kind& figures = kinds_[kind];
  figures.all.push_back(gaps.fault);
  if (led) figures.of_leader.push_back(gaps.fault);
  figures.healing.push_back(gaps.healing);
}

std::string GapFigures::table() const {
  std::string text = what_ + "\n";
  for (const auto& [name, kind] : kinds_) {
    text += fmt::format("  {:<9} {:>3} rounds             {}\n", name, kind.all.size(),
                        figures(kind.all));
    text += fmt::format("            {:>3} of the leader      {}\n", kind.of_leader.size(),
                        figures(kind.of_leader));
    text += fmt::format("                the node came back {}\n", figures(kind.healing));
  }
  return text;
}

std::vector<std::string> GapFigures::broken_promises() const {
  std::vector<std::string> broken;
  for (const Promise& promise : promises_) {
    const auto found = kinds_.find(promise.kind);
    if (found == kinds_.end()) continue;
    const std::vector<Duration>& all = found->second.all;
    if (percentile(all, 50) <= promise.limit && percentile(all, 99) <= promise.limit) continue;
    broken.push_back(fmt::format("{}: {}; promised are {} ms", promise.kind, figures(all),
                                 promise.limit.count()));
  }
  return broken;
}

}  // namespace chronik::integration
