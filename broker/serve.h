// serve: a broker from start to the signal that ends it; what `chronik serve` and `chronik dev`
// run.
#pragma once

#include "base/file.h"
#include "broker/cli/start.h"

namespace chronik::broker {

/// Serves until SIGTERM or SIGINT, then ends in order; a second signal ends at once. The exit code:
/// 0 after a clean end, 1 when the start was refused or the end took too long. Must be called
/// before the process has other threads (signals are blocked in all that it starts).
int serve(cli::Start start, bool dev, Disk& disk);

}  // namespace chronik::broker
