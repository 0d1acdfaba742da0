// Batches and records as the vectors write them in JSON.
#pragma once

#include <boost/json.hpp>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/record_batch.h"
#include "protocol/record_scanner.h"

namespace chronik::protocol::wire_check {

boost::json::object header_values(const BatchHeader& header);
/// All records of a batch; the error of the one that cannot be read.
Result<boost::json::array> record_values(ByteView batch, RecordScratch& scratch);

}  // namespace chronik::protocol::wire_check
