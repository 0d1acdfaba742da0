// GapFigures: how long writes of metadata stood still, for each kind of fault: what cluster_rounds
// prints and, when it is asked to, judges. A plain value.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace chronik::integration {

class GapFigures {
 public:
  using Duration = std::chrono::microseconds;

  struct Gaps {
    Duration fault;    // from the fault on, as clients of the nodes that are well see it
    Duration healing;  // when the node came back, as clients of any node see it
  };
  /// `led`: the node led the metadata when the fault came.
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
  std::map<std::string, Kind> kinds_;
};

}  // namespace chronik::integration
