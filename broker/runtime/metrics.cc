#include "broker/runtime/metrics.h"

#include "base/check.h"

namespace chronik::broker {

const char* to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::peer_closed:
      return "peer_closed";
    case CloseReason::idle:
      return "idle";
    case CloseReason::unknown_api:
      return "unknown_api";
    case CloseReason::bad_version:
      return "bad_version";
    case CloseReason::bad_frame:
      return "bad_frame";
    case CloseReason::bad_request:
      return "bad_request";
    case CloseReason::slow_request:
      return "slow_request";
    case CloseReason::slow_reader:
      return "slow_reader";
    case CloseReason::handler_closed:
      return "handler_closed";
    case CloseReason::too_many:
      return "too_many";
    case CloseReason::io_error:
      return "io_error";
    case CloseReason::shutdown:
      return "shutdown";
    case CloseReason::count_:
      break;
  }
  UNREACHABLE();
}

}  // namespace chronik::broker
