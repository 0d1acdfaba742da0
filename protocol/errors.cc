#include "protocol/errors.h"

#include <array>
#include <cstddef>

#include "base/check.h"

namespace chronik::protocol {
namespace {

enum class Retry : std::uint8_t { never, same, after_refresh };

struct Entry {
  ErrorCode code;
  Retry retry;
  std::string_view name;
  std::string_view message;
};

// In the order of the numbers and without a gap, from -1 on.
constexpr std::array entries{
    Entry{ErrorCode::unknown_server_error, Retry::never, "UNKNOWN_SERVER_ERROR",
          "The server experienced an unexpected error when processing the request."},
    Entry{ErrorCode::none, Retry::never, "NONE", ""},
    Entry{ErrorCode::offset_out_of_range, Retry::never, "OFFSET_OUT_OF_RANGE",
          "The requested offset is not within the range of offsets maintained by the "
          "server."},
    Entry{ErrorCode::corrupt_message, Retry::same, "CORRUPT_MESSAGE",
          "This message has failed its CRC checksum, exceeds the valid size, has a null key"
          " for a compacted topic, or is otherwise corrupt."},
    Entry{ErrorCode::unknown_topic_or_partition, Retry::after_refresh, "UNKNOWN_TOPIC_OR_PARTITION",
          "This server does not host this topic-partition."},
    Entry{ErrorCode::invalid_fetch_size, Retry::never, "INVALID_FETCH_SIZE",
          "The requested fetch size is invalid."},
    Entry{ErrorCode::leader_not_available, Retry::after_refresh, "LEADER_NOT_AVAILABLE",
          "There is no leader for this topic-partition as we are in the middle of a "
          "leadership election."},
    Entry{ErrorCode::not_leader_or_follower, Retry::after_refresh, "NOT_LEADER_OR_FOLLOWER",
          "For requests intended only for the leader, this error indicates that the broker "
          "is not the current leader. For requests intended for any replica, this error "
          "indicates that the broker is not a replica of the topic partition."},
    Entry{ErrorCode::request_timed_out, Retry::same, "REQUEST_TIMED_OUT", "The request timed out."},
    Entry{ErrorCode::broker_not_available, Retry::never, "BROKER_NOT_AVAILABLE",
          "The broker is not available."},
    Entry{ErrorCode::replica_not_available, Retry::after_refresh, "REPLICA_NOT_AVAILABLE",
          "The replica is not available for the requested topic-partition. Produce/Fetch "
          "requests and other requests intended only for the leader or follower return "
          "NOT_LEADER_OR_FOLLOWER if the broker is not a replica of the topic-partition."},
    Entry{ErrorCode::message_too_large, Retry::never, "MESSAGE_TOO_LARGE",
          "The request included a message larger than the max message size the server will "
          "accept."},
    Entry{ErrorCode::stale_controller_epoch, Retry::never, "STALE_CONTROLLER_EPOCH",
          "The controller moved to another broker."},
    Entry{ErrorCode::offset_metadata_too_large, Retry::never, "OFFSET_METADATA_TOO_LARGE",
          "The metadata field of the offset request was too large."},
    Entry{ErrorCode::network_exception, Retry::after_refresh, "NETWORK_EXCEPTION",
          "The server disconnected before a response was received."},
    Entry{ErrorCode::coordinator_load_in_progress, Retry::same, "COORDINATOR_LOAD_IN_PROGRESS",
          "The coordinator is loading and hence can't process requests."},
    Entry{ErrorCode::coordinator_not_available, Retry::after_refresh, "COORDINATOR_NOT_AVAILABLE",
          "The coordinator is not available."},
    Entry{ErrorCode::not_coordinator, Retry::after_refresh, "NOT_COORDINATOR",
          "This is not the correct coordinator."},
    Entry{ErrorCode::invalid_topic_exception, Retry::never, "INVALID_TOPIC_EXCEPTION",
          "The request attempted to perform an operation on an invalid topic."},
    Entry{ErrorCode::record_list_too_large, Retry::never, "RECORD_LIST_TOO_LARGE",
          "The request included message batch larger than the configured segment size on "
          "the server."},
    Entry{ErrorCode::not_enough_replicas, Retry::same, "NOT_ENOUGH_REPLICAS",
          "Messages are rejected since there are fewer in-sync replicas than required."},
    Entry{ErrorCode::not_enough_replicas_after_append, Retry::same,
          "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
          "Messages are written to the log, but to fewer in-sync replicas than required."},
    Entry{ErrorCode::invalid_required_acks, Retry::never, "INVALID_REQUIRED_ACKS",
          "Produce request specified an invalid value for required acks."},
    Entry{ErrorCode::illegal_generation, Retry::never, "ILLEGAL_GENERATION",
          "Specified group generation id is not valid."},
    Entry{ErrorCode::inconsistent_group_protocol, Retry::never, "INCONSISTENT_GROUP_PROTOCOL",
          "The group member's supported protocols are incompatible with those of existing "
          "members or first group member tried to join with empty protocol type or empty "
          "protocol list."},
    Entry{ErrorCode::invalid_group_id, Retry::never, "INVALID_GROUP_ID",
          "The group id is invalid."},
    Entry{ErrorCode::unknown_member_id, Retry::never, "UNKNOWN_MEMBER_ID",
          "The coordinator is not aware of this member."},
    Entry{ErrorCode::invalid_session_timeout, Retry::never, "INVALID_SESSION_TIMEOUT",
          "The session timeout is not within the range allowed by the broker (as configured"
          " by group.min.session.timeout.ms and group.max.session.timeout.ms)."},
    Entry{ErrorCode::rebalance_in_progress, Retry::never, "REBALANCE_IN_PROGRESS",
          "The group is rebalancing, so a rejoin is needed."},
    Entry{ErrorCode::invalid_commit_offset_size, Retry::never, "INVALID_COMMIT_OFFSET_SIZE",
          "The committing offset data size is not valid."},
    Entry{ErrorCode::topic_authorization_failed, Retry::never, "TOPIC_AUTHORIZATION_FAILED",
          "Topic authorization failed."},
    Entry{ErrorCode::group_authorization_failed, Retry::never, "GROUP_AUTHORIZATION_FAILED",
          "Group authorization failed."},
    Entry{ErrorCode::cluster_authorization_failed, Retry::never, "CLUSTER_AUTHORIZATION_FAILED",
          "Cluster authorization failed."},
    Entry{ErrorCode::invalid_timestamp, Retry::never, "INVALID_TIMESTAMP",
          "The timestamp of the message is out of acceptable range."},
    Entry{ErrorCode::unsupported_sasl_mechanism, Retry::never, "UNSUPPORTED_SASL_MECHANISM",
          "The broker does not support the requested SASL mechanism."},
    Entry{ErrorCode::illegal_sasl_state, Retry::never, "ILLEGAL_SASL_STATE",
          "Request is not valid given the current SASL state."},
    Entry{ErrorCode::unsupported_version, Retry::never, "UNSUPPORTED_VERSION",
          "The version of API is not supported."},
    Entry{ErrorCode::topic_already_exists, Retry::never, "TOPIC_ALREADY_EXISTS",
          "Topic with this name already exists."},
    Entry{ErrorCode::invalid_partitions, Retry::never, "INVALID_PARTITIONS",
          "Number of partitions is below 1."},
    Entry{ErrorCode::invalid_replication_factor, Retry::never, "INVALID_REPLICATION_FACTOR",
          "Replication factor is below 1 or larger than the number of available brokers."},
    Entry{ErrorCode::invalid_replica_assignment, Retry::never, "INVALID_REPLICA_ASSIGNMENT",
          "Replica assignment is invalid."},
    Entry{ErrorCode::invalid_config, Retry::never, "INVALID_CONFIG", "Configuration is invalid."},
    Entry{ErrorCode::not_controller, Retry::same, "NOT_CONTROLLER",
          "This is not the correct controller for this cluster."},
    Entry{ErrorCode::invalid_request, Retry::never, "INVALID_REQUEST",
          "This most likely occurs because of a request being malformed by the client "
          "library or the message was sent to an incompatible broker. See the broker logs "
          "for more details."},
    Entry{ErrorCode::unsupported_for_message_format, Retry::never, "UNSUPPORTED_FOR_MESSAGE_FORMAT",
          "The message format version on the broker does not support the request."},
    Entry{ErrorCode::policy_violation, Retry::never, "POLICY_VIOLATION",
          "Request parameters do not satisfy the configured policy."},
    Entry{ErrorCode::out_of_order_sequence_number, Retry::never, "OUT_OF_ORDER_SEQUENCE_NUMBER",
          "The broker received an out of order sequence number."},
    Entry{ErrorCode::duplicate_sequence_number, Retry::never, "DUPLICATE_SEQUENCE_NUMBER",
          "The broker received a duplicate sequence number."},
    Entry{ErrorCode::invalid_producer_epoch, Retry::never, "INVALID_PRODUCER_EPOCH",
          "Producer attempted to produce with an old epoch."},
    Entry{ErrorCode::invalid_txn_state, Retry::never, "INVALID_TXN_STATE",
          "The producer attempted a transactional operation in an invalid state."},
    Entry{ErrorCode::invalid_producer_id_mapping, Retry::never, "INVALID_PRODUCER_ID_MAPPING",
          "The producer attempted to use a producer id which is not currently assigned to "
          "its transactional id."},
    Entry{ErrorCode::invalid_transaction_timeout, Retry::never, "INVALID_TRANSACTION_TIMEOUT",
          "The transaction timeout is larger than the maximum value allowed by the broker "
          "(as configured by transaction.max.timeout.ms)."},
    Entry{ErrorCode::concurrent_transactions, Retry::same, "CONCURRENT_TRANSACTIONS",
          "The producer attempted to update a transaction while another concurrent "
          "operation on the same transaction was ongoing."},
    Entry{ErrorCode::transaction_coordinator_fenced, Retry::never, "TRANSACTION_COORDINATOR_FENCED",
          "Indicates that the transaction coordinator sending a WriteTxnMarker is no longer"
          " the current coordinator for a given producer."},
    Entry{ErrorCode::transactional_id_authorization_failed, Retry::never,
          "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "Transactional Id authorization failed."},
    Entry{ErrorCode::security_disabled, Retry::never, "SECURITY_DISABLED",
          "Security features are disabled."},
    Entry{ErrorCode::operation_not_attempted, Retry::never, "OPERATION_NOT_ATTEMPTED",
          "The broker did not attempt to execute this operation. This may happen for "
          "batched RPCs where some operations in the batch failed, causing the broker to "
          "respond without trying the rest."},
    Entry{ErrorCode::kafka_storage_error, Retry::after_refresh, "KAFKA_STORAGE_ERROR",
          "Disk error when trying to access log file on the disk."},
    Entry{ErrorCode::log_dir_not_found, Retry::never, "LOG_DIR_NOT_FOUND",
          "The user-specified log directory is not found in the broker config."},
    Entry{ErrorCode::sasl_authentication_failed, Retry::never, "SASL_AUTHENTICATION_FAILED",
          "SASL Authentication failed."},
    Entry{ErrorCode::unknown_producer_id, Retry::never, "UNKNOWN_PRODUCER_ID",
          "This exception is raised by the broker if it could not locate the producer "
          "metadata associated with the producerId in question. This could happen if, for "
          "instance, the producer's records were deleted because their retention time had "
          "elapsed. Once the last records of the producerId are removed, the producer's "
          "metadata is removed from the broker, and future appends by the producer will "
          "return this exception."},
    Entry{ErrorCode::reassignment_in_progress, Retry::never, "REASSIGNMENT_IN_PROGRESS",
          "A partition reassignment is in progress."},
    Entry{ErrorCode::delegation_token_auth_disabled, Retry::never, "DELEGATION_TOKEN_AUTH_DISABLED",
          "Delegation Token feature is not enabled."},
    Entry{ErrorCode::delegation_token_not_found, Retry::never, "DELEGATION_TOKEN_NOT_FOUND",
          "Delegation Token is not found on server."},
    Entry{ErrorCode::delegation_token_owner_mismatch, Retry::never,
          "DELEGATION_TOKEN_OWNER_MISMATCH", "Specified Principal is not valid Owner/Renewer."},
    Entry{ErrorCode::delegation_token_request_not_allowed, Retry::never,
          "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
          "Delegation Token requests are not allowed on PLAINTEXT/1-way SSL channels and on"
          " delegation token authenticated channels."},
    Entry{ErrorCode::delegation_token_authorization_failed, Retry::never,
          "DELEGATION_TOKEN_AUTHORIZATION_FAILED", "Delegation Token authorization failed."},
    Entry{ErrorCode::delegation_token_expired, Retry::never, "DELEGATION_TOKEN_EXPIRED",
          "Delegation Token is expired."},
    Entry{ErrorCode::invalid_principal_type, Retry::never, "INVALID_PRINCIPAL_TYPE",
          "Supplied principalType is not supported."},
    Entry{ErrorCode::non_empty_group, Retry::never, "NON_EMPTY_GROUP", "The group is not empty."},
    Entry{ErrorCode::group_id_not_found, Retry::never, "GROUP_ID_NOT_FOUND",
          "The group id does not exist."},
    Entry{ErrorCode::fetch_session_id_not_found, Retry::same, "FETCH_SESSION_ID_NOT_FOUND",
          "The fetch session ID was not found."},
    Entry{ErrorCode::invalid_fetch_session_epoch, Retry::same, "INVALID_FETCH_SESSION_EPOCH",
          "The fetch session epoch is invalid."},
    Entry{ErrorCode::listener_not_found, Retry::after_refresh, "LISTENER_NOT_FOUND",
          "There is no listener on the leader broker that matches the listener on which "
          "metadata request was processed."},
    Entry{ErrorCode::topic_deletion_disabled, Retry::never, "TOPIC_DELETION_DISABLED",
          "Topic deletion is disabled."},
    Entry{ErrorCode::fenced_leader_epoch, Retry::after_refresh, "FENCED_LEADER_EPOCH",
          "The leader epoch in the request is older than the epoch on the broker."},
    Entry{ErrorCode::unknown_leader_epoch, Retry::same, "UNKNOWN_LEADER_EPOCH",
          "The leader epoch in the request is newer than the epoch on the broker."},
    Entry{ErrorCode::unsupported_compression_type, Retry::never, "UNSUPPORTED_COMPRESSION_TYPE",
          "The requesting client does not support the compression type of given partition."},
    Entry{ErrorCode::stale_broker_epoch, Retry::never, "STALE_BROKER_EPOCH",
          "Broker epoch has changed."},
    Entry{ErrorCode::offset_not_available, Retry::same, "OFFSET_NOT_AVAILABLE",
          "The leader high watermark has not caught up from a recent leader election so the"
          " offsets cannot be guaranteed to be monotonically increasing."},
    Entry{ErrorCode::member_id_required, Retry::never, "MEMBER_ID_REQUIRED",
          "The group member needs to have a valid member id before actually entering a "
          "consumer group."},
    Entry{ErrorCode::preferred_leader_not_available, Retry::after_refresh,
          "PREFERRED_LEADER_NOT_AVAILABLE", "The preferred leader was not available."},
    Entry{ErrorCode::group_max_size_reached, Retry::never, "GROUP_MAX_SIZE_REACHED",
          "The group has reached its maximum size."},
    Entry{ErrorCode::fenced_instance_id, Retry::never, "FENCED_INSTANCE_ID",
          "The broker rejected this static consumer since another consumer with the same "
          "group.instance.id has registered with a different member.id."},
    Entry{ErrorCode::eligible_leaders_not_available, Retry::after_refresh,
          "ELIGIBLE_LEADERS_NOT_AVAILABLE", "Eligible topic partition leaders are not available."},
    Entry{ErrorCode::election_not_needed, Retry::after_refresh, "ELECTION_NOT_NEEDED",
          "Leader election not needed for topic partition."},
    Entry{ErrorCode::no_reassignment_in_progress, Retry::never, "NO_REASSIGNMENT_IN_PROGRESS",
          "No partition reassignment is in progress."},
    Entry{ErrorCode::group_subscribed_to_topic, Retry::never, "GROUP_SUBSCRIBED_TO_TOPIC",
          "Deleting offsets of a topic is forbidden while the consumer group is actively "
          "subscribed to it."},
    Entry{ErrorCode::invalid_record, Retry::never, "INVALID_RECORD",
          "This record has failed the validation on broker and hence will be rejected."},
    Entry{ErrorCode::unstable_offset_commit, Retry::same, "UNSTABLE_OFFSET_COMMIT",
          "There are unstable offsets that need to be cleared."},
    Entry{ErrorCode::throttling_quota_exceeded, Retry::same, "THROTTLING_QUOTA_EXCEEDED",
          "The throttling quota has been exceeded."},
    Entry{ErrorCode::producer_fenced, Retry::never, "PRODUCER_FENCED",
          "There is a newer producer with the same transactionalId which fences the current"
          " one."},
    Entry{ErrorCode::resource_not_found, Retry::never, "RESOURCE_NOT_FOUND",
          "A request illegally referred to a resource that does not exist."},
    Entry{ErrorCode::duplicate_resource, Retry::never, "DUPLICATE_RESOURCE",
          "A request illegally referred to the same resource twice."},
    Entry{ErrorCode::unacceptable_credential, Retry::never, "UNACCEPTABLE_CREDENTIAL",
          "Requested credential would not meet criteria for acceptability."},
    Entry{ErrorCode::inconsistent_voter_set, Retry::never, "INCONSISTENT_VOTER_SET",
          "Indicates that the either the sender or recipient of a voter-only request is not"
          " one of the expected voters."},
    Entry{ErrorCode::invalid_update_version, Retry::never, "INVALID_UPDATE_VERSION",
          "The given update version was invalid."},
    Entry{ErrorCode::feature_update_failed, Retry::never, "FEATURE_UPDATE_FAILED",
          "Unable to update finalized features due to an unexpected server error."},
    Entry{ErrorCode::principal_deserialization_failure, Retry::never,
          "PRINCIPAL_DESERIALIZATION_FAILURE",
          "Request principal deserialization failed during forwarding. This indicates an "
          "internal error on the broker cluster security setup."},
    Entry{ErrorCode::snapshot_not_found, Retry::never, "SNAPSHOT_NOT_FOUND",
          "Requested snapshot was not found."},
    Entry{ErrorCode::position_out_of_range, Retry::never, "POSITION_OUT_OF_RANGE",
          "Requested position is not greater than or equal to zero, and less than the size "
          "of the snapshot."},
    Entry{ErrorCode::unknown_topic_id, Retry::after_refresh, "UNKNOWN_TOPIC_ID",
          "This server does not host this topic ID."},
    Entry{ErrorCode::duplicate_broker_registration, Retry::never, "DUPLICATE_BROKER_REGISTRATION",
          "This broker ID is already in use."},
    Entry{ErrorCode::broker_id_not_registered, Retry::never, "BROKER_ID_NOT_REGISTERED",
          "The given broker ID was not registered."},
    Entry{ErrorCode::inconsistent_topic_id, Retry::after_refresh, "INCONSISTENT_TOPIC_ID",
          "The log's topic ID did not match the topic ID in the request."},
    Entry{ErrorCode::inconsistent_cluster_id, Retry::never, "INCONSISTENT_CLUSTER_ID",
          "The clusterId in the request does not match that found on the server."},
    Entry{ErrorCode::transactional_id_not_found, Retry::never, "TRANSACTIONAL_ID_NOT_FOUND",
          "The transactionalId could not be found."},
    Entry{ErrorCode::fetch_session_topic_id_error, Retry::same, "FETCH_SESSION_TOPIC_ID_ERROR",
          "The fetch session encountered inconsistent topic ID usage."},
    Entry{ErrorCode::ineligible_replica, Retry::never, "INELIGIBLE_REPLICA",
          "The new ISR contains at least one ineligible replica."},
    Entry{ErrorCode::new_leader_elected, Retry::never, "NEW_LEADER_ELECTED",
          "The AlterPartition request successfully updated the partition state but the "
          "leader has changed."},
    Entry{ErrorCode::offset_moved_to_tiered_storage, Retry::never, "OFFSET_MOVED_TO_TIERED_STORAGE",
          "The requested offset is moved to tiered storage."},
    Entry{ErrorCode::fenced_member_epoch, Retry::never, "FENCED_MEMBER_EPOCH",
          "The member epoch is fenced by the group coordinator. The member must abandon all"
          " its partitions and rejoin."},
    Entry{ErrorCode::unreleased_instance_id, Retry::never, "UNRELEASED_INSTANCE_ID",
          "The instance ID is still used by another member in the consumer group. That "
          "member must leave first."},
    Entry{ErrorCode::unsupported_assignor, Retry::never, "UNSUPPORTED_ASSIGNOR",
          "The assignor or its version range is not supported by the consumer group."},
    Entry{ErrorCode::stale_member_epoch, Retry::never, "STALE_MEMBER_EPOCH",
          "The member epoch is stale. The member must retry after receiving its updated "
          "member epoch via the ConsumerGroupHeartbeat API."},
    Entry{ErrorCode::mismatched_endpoint_type, Retry::never, "MISMATCHED_ENDPOINT_TYPE",
          "The request was sent to an endpoint of the wrong type."},
    Entry{ErrorCode::unsupported_endpoint_type, Retry::never, "UNSUPPORTED_ENDPOINT_TYPE",
          "This endpoint type is not supported yet."},
    Entry{ErrorCode::unknown_controller_id, Retry::never, "UNKNOWN_CONTROLLER_ID",
          "This controller ID is not known."},
    Entry{ErrorCode::unknown_subscription_id, Retry::never, "UNKNOWN_SUBSCRIPTION_ID",
          "Client sent a push telemetry request with an invalid or outdated subscription "
          "ID."},
    Entry{ErrorCode::telemetry_too_large, Retry::never, "TELEMETRY_TOO_LARGE",
          "Client sent a push telemetry request larger than the maximum size the broker "
          "will accept."},
    Entry{ErrorCode::invalid_registration, Retry::never, "INVALID_REGISTRATION",
          "The controller has considered the broker registration to be invalid."},
    Entry{ErrorCode::transaction_abortable, Retry::never, "TRANSACTION_ABORTABLE",
          "The server encountered an error with the transaction. The client can abort the "
          "transaction to continue using this transactional ID."},
    Entry{ErrorCode::invalid_record_state, Retry::never, "INVALID_RECORD_STATE",
          "The record state is invalid. The acknowledgement of delivery could not be "
          "completed."},
    Entry{ErrorCode::share_session_not_found, Retry::same, "SHARE_SESSION_NOT_FOUND",
          "The share session was not found."},
    Entry{ErrorCode::invalid_share_session_epoch, Retry::same, "INVALID_SHARE_SESSION_EPOCH",
          "The share session epoch is invalid."},
    Entry{ErrorCode::fenced_state_epoch, Retry::never, "FENCED_STATE_EPOCH",
          "The coordinator rejected the request because the state epoch did not match."},
    Entry{ErrorCode::invalid_voter_key, Retry::never, "INVALID_VOTER_KEY",
          "The voter key doesn't match the receiving replica's key."},
    Entry{ErrorCode::duplicate_voter, Retry::never, "DUPLICATE_VOTER",
          "The voter is already part of the set of voters."},
    Entry{ErrorCode::voter_not_found, Retry::never, "VOTER_NOT_FOUND",
          "The voter is not part of the set of voters."},
    Entry{ErrorCode::invalid_regular_expression, Retry::never, "INVALID_REGULAR_EXPRESSION",
          "The regular expression is not valid."},
    Entry{ErrorCode::rebootstrap_required, Retry::never, "REBOOTSTRAP_REQUIRED",
          "Client metadata is stale. The client should rebootstrap to obtain new metadata."},
    Entry{ErrorCode::streams_invalid_topology, Retry::never, "STREAMS_INVALID_TOPOLOGY",
          "The supplied topology is invalid."},
    Entry{ErrorCode::streams_invalid_topology_epoch, Retry::never, "STREAMS_INVALID_TOPOLOGY_EPOCH",
          "The supplied topology epoch is invalid."},
    Entry{ErrorCode::streams_topology_fenced, Retry::never, "STREAMS_TOPOLOGY_FENCED",
          "The supplied topology epoch is outdated."},
    Entry{ErrorCode::share_session_limit_reached, Retry::same, "SHARE_SESSION_LIMIT_REACHED",
          "The limit of share sessions has been reached."},
    Entry{ErrorCode::group_deletion_failed, Retry::never, "GROUP_DELETION_FAILED",
          "DeleteGroups could not complete; see the error message on the per-group result "
          "for details."},
    Entry{ErrorCode::streams_topology_description_update_failed, Retry::never,
          "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED",
          "The broker could not process the topology description update; see the error "
          "message for details."},
    Entry{ErrorCode::controller_id_not_registered, Retry::never, "CONTROLLER_ID_NOT_REGISTERED",
          "The given controller ID was not registered."},
};

constexpr std::int16_t first_code = to_wire(entries.front().code);

constexpr bool is_dense() {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (to_wire(entries[i].code) != first_code + static_cast<std::int16_t>(i)) return false;
  }
  return true;
}
static_assert(is_dense());

const Entry& entry_of(ErrorCode code) {
  const auto index = static_cast<std::size_t>(to_wire(code) - first_code);
  CHECK(index < entries.size());
  return entries[index];
}

}  // namespace

std::optional<ErrorCode> error_from_wire(std::int16_t code) {
  if (code < first_code || code > to_wire(entries.back().code)) return std::nullopt;
  return static_cast<ErrorCode>(code);
}

std::string_view error_name(ErrorCode code) { return entry_of(code).name; }
std::string_view error_message(ErrorCode code) { return entry_of(code).message; }
bool is_retriable(ErrorCode code) { return entry_of(code).retry != Retry::never; }
bool wants_metadata_refresh(ErrorCode code) { return entry_of(code).retry == Retry::after_refresh; }

}  // namespace chronik::protocol
