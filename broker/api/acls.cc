#include "broker/api/acls.h"

#include "protocol/errors.h"

namespace chronik::broker {

namespace {

constexpr auto security_disabled =
    static_cast<std::int16_t>(protocol::ErrorCode::security_disabled);
constexpr const char* no_authorizer = "No Authorizer is configured.";

}  // namespace

Task<protocol::DescribeAclsResponse> describe_acls(RequestContext&, protocol::DescribeAclsRequest) {
  protocol::DescribeAclsResponse response;
  response.error_code = security_disabled;
  response.error_message = "No Authorizer is configured on the broker";
  co_return response;
}

Task<protocol::CreateAclsResponse> create_acls(RequestContext&,
                                               protocol::CreateAclsRequest request) {
  protocol::CreateAclsResponse response;
  response.results.resize(request.creations.size());
  for (auto& result : response.results) {
    result.error_code = security_disabled;
    result.error_message = no_authorizer;
  }
  co_return response;
}

Task<protocol::DeleteAclsResponse> delete_acls(RequestContext&,
                                               protocol::DeleteAclsRequest request) {
  protocol::DeleteAclsResponse response;
  response.filter_results.resize(request.filters.size());
  for (auto& result : response.filter_results) {
    result.error_code = security_disabled;
    result.error_message = no_authorizer;
  }
  co_return response;
}

}  // namespace chronik::broker
