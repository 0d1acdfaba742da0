// What clients are told of a proposal that one request made for many topics: those whose event did
// not take effect learn why, each in its own place of the response.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "broker/api/error_map.h"
#include "metadata/metadata_store.h"

namespace chronik::broker {

/// Calls refuse(place, code, message) for each event that did not take effect, or is not known to
/// have. `place_of_event` says for each event of the proposal where in the response its topic is.
template <class Refuse>
void report_refusals(const Result<metadata::ApplyResults>& outcome,
                     const std::vector<std::size_t>& place_of_event, Refuse refuse) {
  for (std::size_t event = 0; event < place_of_event.size(); ++event) {
    if (!outcome) {
      refuse(place_of_event[event], to_error_code(outcome.error().code), outcome.error().message);
    } else if (const metadata::ApplyResult& applied = (*outcome)[event]; !applied.ok()) {
      refuse(place_of_event[event], applied.code, applied.message);
    }
  }
}

}  // namespace chronik::broker
