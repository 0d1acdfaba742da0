// ConfigMap: config overrides of one resource, sorted by name. A plain value; small.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chronik::metadata {

class ConfigMap {
 public:
  struct Entry {
    std::string name;
    std::string value;
    bool operator==(const Entry&) const = default;
  };

  /// The override, or null where the default rules.
  const std::string* find(std::string_view name) const {
    const auto at = lower_bound(name);
    return at != entries_.end() && at->name == name ? &at->value : nullptr;
  }
  void set(std::string name, std::string value) {
    const auto at = entries_.begin() + (lower_bound(name) - entries_.begin());
    if (at != entries_.end() && at->name == name) {
      at->value = std::move(value);
    } else {
      entries_.insert(at, Entry{std::move(name), std::move(value)});
    }
  }
  void erase(std::string_view name) {
    const auto at = lower_bound(name);
    if (at != entries_.end() && at->name == name) entries_.erase(at);
  }

  using value_type = Entry;
  using const_iterator = std::vector<Entry>::const_iterator;
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  const_iterator begin() const { return entries_.begin(); }
  const_iterator end() const { return entries_.end(); }
  bool operator==(const ConfigMap&) const = default;

 private:
  std::vector<Entry>::const_iterator lower_bound(std::string_view name) const {
    return std::lower_bound(entries_.begin(), entries_.end(), name,
                            [](const Entry& entry, std::string_view n) { return entry.name < n; });
  }

  std::vector<Entry> entries_;
};

}  // namespace chronik::metadata
