// librdkafka's admin interface as the tests use it: every call waits for the answer and gives the
// outcome of each item. One thread an object.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "integration/harness/kafka_client.h"

namespace chronik::integration {

/// What the broker said about one item (a topic, a resource, a group).
struct Outcome {
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string message = {};
  bool ok() const { return error == RD_KAFKA_RESP_ERR_NO_ERROR; }
};

struct NewTopic {
  std::string name;
  int partitions = 1;
  std::map<std::string, std::string> configs = {};
  int replication = 1;
};

struct TopicPartitions {
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::vector<std::int32_t> leaders;  // by partition
};

struct ConfigEntry {
  std::string value;
  rd_kafka_ConfigSource_t source = RD_KAFKA_CONFIG_SOURCE_UNKNOWN_CONFIG;
  bool read_only = false;
};

struct GroupMember {
  std::string member_id;
  std::string client_id;
  std::string instance_id;
  std::vector<PartitionOffset> partitions;
};

struct GroupDescription {
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_consumer_group_state_t state = RD_KAFKA_CONSUMER_GROUP_STATE_UNKNOWN;
  std::string assignor;
  std::vector<GroupMember> members;
};

class Admin {
 public:
  explicit Admin(const std::string& bootstrap);
  /// From now on requests go to this node; else to the controller, as it is usual.
  void go_through(std::int32_t node) { through_ = node; }

  std::vector<Outcome> create_topics(const std::vector<NewTopic>& topics);
  Outcome create_topic(const NewTopic& topic) { return create_topics({topic}).front(); }
  std::vector<Outcome> delete_topics(const std::vector<std::string>& names);
  Outcome delete_topic(const std::string& name) { return delete_topics({name}).front(); }
  Outcome create_partitions(const std::string& topic, std::size_t total);
  /// Records before each offset go; gives the new start of each log.
  std::vector<PartitionOffset> delete_records(const std::vector<PartitionOffset>& before);

  std::map<std::string, ConfigEntry> describe_topic_config(const std::string& topic);
  std::map<std::string, ConfigEntry> describe_broker_config(const std::string& node_id);
  /// Replaces all overrides of the topic (AlterConfigs, not the incremental one).
  Outcome set_topic_config(const std::string& topic,
                           const std::map<std::string, std::string>& configs);

  std::map<std::string, TopicPartitions> topics();
  TopicPartitions topic(const std::string& name);
  std::string cluster_id();

  std::vector<std::string> groups();
  GroupDescription describe_group(const std::string& group);
  Outcome delete_group(const std::string& group);
  /// All offsets that the group has committed.
  std::vector<PartitionOffset> committed(const std::string& group);

 private:
  template <class Call>
  auto run(rd_kafka_admin_op_t operation, Call call);
  std::map<std::string, ConfigEntry> describe_config(rd_kafka_ResourceType_t type,
                                                     const std::string& name);

  std::vector<PartitionOffset> list_offsets(const std::string& group);

  std::string bootstrap_;
  ClientHandle handle_;
  std::int32_t through_ = -1;
};

}  // namespace chronik::integration
