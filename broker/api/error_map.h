// From the errors of our own rooms to Kafka's codes: the one place where that is decided.
#pragma once

#include "base/result.h"
#include "protocol/errors.h"

namespace chronik::broker {

/// Why a proposal to the metadata was not taken, or is not known to have been.
protocol::ErrorCode to_error_code(Errc code);

}  // namespace chronik::broker
