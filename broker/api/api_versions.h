// ApiVersions: what this broker speaks, computed from its table. Follows Kafka 4.4: a version that
// is not served is answered with error 35 in the body of version 0, listing ApiVersions itself
// (KIP-511); a client that names its software badly gets INVALID_REQUEST; one that expected another
// cluster or node is told to bootstrap again (KIP-1242).
#pragma once

#include <string_view>

#include "broker/api/handler.h"
#include "protocol/messages/api_versions.h"

namespace chronik::broker {

Task<protocol::ApiVersionsResponse> api_versions(RequestContext& context,
                                                 protocol::ApiVersionsRequest request);

/// The entry for the table: it answers versions that it does not serve.
ApiEntry api_versions_entry();

/// What a client may call its software and its version: letters, digits, '-' and '.', neither of
/// those two first or last.
bool is_software_name(std::string_view name);

}  // namespace chronik::broker
