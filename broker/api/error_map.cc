#include "broker/api/error_map.h"

#include "base/check.h"

namespace chronik::broker {

using protocol::ErrorCode;

ErrorCode to_error_code(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return ErrorCode::invalid_request;
    case Errc::out_of_range:
      return ErrorCode::offset_out_of_range;
    case Errc::not_found:
      return ErrorCode::resource_not_found;
    case Errc::already_exists:
      return ErrorCode::invalid_request;
    case Errc::corrupt:
    case Errc::io:
    case Errc::no_space:
      return ErrorCode::kafka_storage_error;
    case Errc::unsupported:
      return ErrorCode::unsupported_version;
    case Errc::too_large:
      return ErrorCode::policy_violation;
    case Errc::busy:  // too much waits to become durable; the client tries again
    case Errc::timeout:
      return ErrorCode::request_timed_out;
    case Errc::not_leader:
      return ErrorCode::not_leader_or_follower;
    case Errc::closed:  // the broker stops; the client finds another, or this one restarted
      return ErrorCode::broker_not_available;
  }
  UNREACHABLE();
}

}  // namespace chronik::broker
