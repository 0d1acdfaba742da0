// DescribeAcls, CreateAcls and DeleteAcls of a broker without an authorizer: everything is allowed,
// and ACLs are answered with SECURITY_DISABLED, as Kafka does.
#pragma once

#include "broker/api/handler.h"
#include "protocol/messages/create_acls.h"
#include "protocol/messages/delete_acls.h"
#include "protocol/messages/describe_acls.h"

namespace chronik::broker {

Task<protocol::DescribeAclsResponse> describe_acls(RequestContext& context,
                                                   protocol::DescribeAclsRequest request);
Task<protocol::CreateAclsResponse> create_acls(RequestContext& context,
                                               protocol::CreateAclsRequest request);
Task<protocol::DeleteAclsResponse> delete_acls(RequestContext& context,
                                               protocol::DeleteAclsRequest request);

}  // namespace chronik::broker
