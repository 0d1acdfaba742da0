#include "integration/sim/verdict.h"

#include "base/check.h"

namespace chronik::sim {

const char* to_string(Promise promise) {
  switch (promise) {
    case Promise::one_leader:
      return "one leader a term";
    case Promise::log_matching:
      return "log matching";
    case Promise::leader_completeness:
      return "leader completeness";
    case Promise::durable_majority:
      return "committed is durable on a majority";
    case Promise::committed_stays:
      return "committed stays";
    case Promise::equal_images:
      return "equal images";
    case Promise::ready_leader:
      return "a ready leader knows everything";
    case Promise::answers:
      return "answers";
    case Promise::at_most_once:
      return "at most once";
    case Promise::refused_is_not_made:
      return "refused is not made";
    case Promise::reads:
      return "linearizable reads";
    case Promise::acknowledged:
      return "acknowledged batches stay";
    case Promise::exactly_once:
      return "exactly once";
    case Promise::producer_order:
      return "order of a producer";
    case Promise::readers:
      return "readers see what is committed";
    case Promise::deleted:
      return "what was deleted stays deleted";
    case Promise::equal_replicas:
      return "equal replicas";
    case Promise::starts:
      return "starts";
    case Promise::liveness:
      return "liveness";
  }
  UNREACHABLE();
}

}  // namespace chronik::sim
