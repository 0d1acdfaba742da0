// await_leaders: before a request that made replicated partitions is answered, their groups get a
// moment to elect leaders, so that the first use of them needs no second try.
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "broker/api/context.h"

namespace chronik::broker {

/// Until all partitions of these topics have leaders that this node knows of, but no longer than
/// `timeout`, or a second. Topics that are not there, or have one replica, are not waited for.
Task<void> await_leaders(RequestContext& context, std::vector<Uuid> topics, milliseconds timeout);

}  // namespace chronik::broker
