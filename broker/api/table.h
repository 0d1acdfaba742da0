// What this broker speaks: one entry an API, with the versions served. ApiVersions is computed from
// it, so what is not in the table is neither served nor advertised.
#pragma once

#include "broker/api/api_table.h"

namespace chronik::broker {

const ApiTable& api_table();

}  // namespace chronik::broker
