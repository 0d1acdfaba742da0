// GapFigures: how long writes stood still, for each kind of fault: what cluster_rounds and
// partition_rounds print and, when they are asked to, judge. A plain value.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace chronik::integration {

class GapFigures {
 public:
  using Duration = std::chrono::microseconds;

  struct Promise {
    std::string kind;
    std::chrono::milliseconds limit;  // of the median and of the 99th percentile
  };
  /// `what`: stood still for how long; the first line of the table.
  GapFigures(std::string what, std::vector<Promise> promises)
      : what_(std::move(what)), promises_(std::move(promises)) {}

  struct Gaps {
    Duration fault;    // from the fault on, as clients of the nodes that are well see it
    Duration healing;  // when the node came back, as clients of any node see it
  };
  /// `led`: the node led what is written when the fault came.
  void add(const std::string& kind, bool led, Gaps gaps);

  /// A few lines.
  std::string table() const;
  /// The kinds whose median or 99th percentile is above what is promised, each a sentence.
  std::vector<std::string> broken_promises() const;

 private:
  struct Kind {
    std::vector<Duration> all;
    std::vector<Duration> of_leader;
    std::vector<Duration> healing;
  };
  const std::string what_;
  const std::vector<Promise> promises_;
  std::map<std::string, Kind> kinds_;
};

}  // namespace chronik::integration
