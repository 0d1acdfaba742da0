// Reads every partition of a topic from its begin to its high watermark, by a client that knows
// nothing yet, and has each judged by the ledger.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "integration/kill/record_ledger.h"

namespace chronik::integration {

struct TopicJudgement {
  RecordCounts counts;
  std::vector<std::int64_t> ends;  // by partition: the high watermark at the beginning
};

/// `begins`: where each partition's log must begin. Precondition: nobody hands out records or takes
/// acknowledgements.
TopicJudgement judge_topic(const std::string& bootstrap, const std::string& topic,
                           const std::vector<std::int64_t>& begins, RecordLedger& ledger,
                           ReadRecords& readings, Problems& problems);

}  // namespace chronik::integration
