#include "broker/api/table.h"

#include <array>

#include "broker/api/acls.h"
#include "broker/api/alter_configs.h"
#include "broker/api/api_versions.h"
#include "broker/api/create_topics.h"
#include "broker/api/describe_cluster.h"
#include "broker/api/describe_configs.h"
#include "broker/api/groups.h"
#include "broker/api/handlers.h"
#include "broker/api/incremental_alter_configs.h"
#include "broker/api/list_config_resources.h"
#include "broker/api/metadata.h"
#include "protocol/messages/add_raft_voter.h"
#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/describe_quorum.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/list_partition_reassignments.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/messages/produce.h"
#include "protocol/messages/remove_raft_voter.h"
#include "protocol/messages/unregister_broker.h"
#include "protocol/messages/update_features.h"

namespace chronik::broker {

const ApiTable& api_table() {
  // In the order of the keys, as ApiVersions lists them.
  static const std::array entries = {
      api_entry<produce>({.advertised_min = 0, .pipelined = true}),
      api_entry<fetch>(),
      api_entry<list_offsets>(),
      api_entry<metadata_request>(),
      api_entry<offset_commit>(),
      api_entry<offset_fetch>(),
      api_entry<find_coordinator>(),
      api_entry<join_group>(),
      api_entry<heartbeat>(),
      api_entry<leave_group>(),
      api_entry<sync_group>(),
      api_entry<describe_groups>(),
      api_entry<list_groups>(),
      api_versions_entry(),
      api_entry<create_topics>(),
      api_entry<delete_topics>(),
      api_entry<delete_records>(),
      api_entry<init_producer_id>({.max = 5}),
      api_entry<offset_for_leader_epoch>(),
      api_entry<describe_acls>(),
      api_entry<create_acls>(),
      api_entry<delete_acls>(),
      api_entry<describe_configs>(),
      api_entry<alter_configs>(),
      api_entry<describe_log_dirs>(),
      api_entry<create_partitions>(),
      api_entry<delete_groups>(),
      api_entry<elect_leaders>(),
      api_entry<incremental_alter_configs>(),
      api_entry<alter_partition_reassignments>(),
      api_entry<list_partition_reassignments>(),
      api_entry<offset_delete>(),
      api_entry<describe_quorum>(),
      api_entry<update_features>(),
      api_entry<describe_cluster>(),
      api_entry<describe_producers>(),
      api_entry<unregister_broker>(),
      api_entry<list_config_resources>(),
      api_entry<describe_topic_partitions>(),
      api_entry<add_raft_voter>(),
      api_entry<remove_raft_voter>(),
  };
  static const ApiTable table(entries);
  return table;
}

}  // namespace chronik::broker
