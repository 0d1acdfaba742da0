#include "integration/harness/admin.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"

namespace chronik::integration {

namespace {

template <class T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

constexpr int patience_ms = 30'000;

std::string text_or_empty(const char* text) { return text == nullptr ? "" : text; }

Outcome of_error(const rd_kafka_error_t* error) {
  if (error == nullptr) return {};
  return {rd_kafka_error_code(error), rd_kafka_error_string(error)};
}

// The outcome of the whole request, when it failed as such, for every item.
Outcome of_event(rd_kafka_event_t* event) {
  return {rd_kafka_event_error(event), text_or_empty(rd_kafka_event_error_string(event))};
}

std::vector<Outcome> of_topics(const rd_kafka_topic_result_t** results, std::size_t count) {
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < count; ++i) {
    outcomes.push_back({rd_kafka_topic_result_error(results[i]),
                        text_or_empty(rd_kafka_topic_result_error_string(results[i]))});
  }
  return outcomes;
}

template <class T>
std::vector<T*> raw(std::vector<Owned<T>>& owned) {
  std::vector<T*> result;
  result.reserve(owned.size());
  for (Owned<T>& item : owned) result.push_back(item.get());
  return result;
}

}  // namespace

Admin::Admin(const std::string& bootstrap)
    : bootstrap_(bootstrap), handle_(make_client(RD_KAFKA_PRODUCER, make_conf(bootstrap, {}))) {}

/// `call(options, queue)` starts the request; the result event is returned.
template <class Call>
auto Admin::run(rd_kafka_admin_op_t operation, Call call) {
  const Owned<rd_kafka_AdminOptions_t> options(rd_kafka_AdminOptions_new(handle_.get(), operation),
                                               &rd_kafka_AdminOptions_destroy);
  char text[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), patience_ms, text, sizeof(text));
  if (through_ >= 0) rd_kafka_AdminOptions_set_broker(options.get(), through_, text, sizeof(text));
  const Owned<rd_kafka_queue_t> queue(rd_kafka_queue_new(handle_.get()), &rd_kafka_queue_destroy);
  call(options.get(), queue.get());
  Owned<rd_kafka_event_t> event(rd_kafka_queue_poll(queue.get(), 2 * patience_ms),
                                &rd_kafka_event_destroy);
  CHECK_MSG(event != nullptr, "librdkafka gave no answer to an admin request");
  return event;
}

std::vector<Outcome> Admin::create_topics(const std::vector<NewTopic>& topics) {
  std::vector<Owned<rd_kafka_NewTopic_t>> items;
  char text[256];
  for (const NewTopic& topic : topics) {
    items.emplace_back(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions,
                                             topic.replication, text, sizeof(text)),
                       &rd_kafka_NewTopic_destroy);
    CHECK_MSG(items.back() != nullptr, text);
    for (const auto& [name, value] : topic.configs) {
      rd_kafka_NewTopic_set_config(items.back().get(), name.c_str(), value.c_str());
    }
  }
  std::vector<rd_kafka_NewTopic_t*> pointers = raw(items);
  const auto event = run(RD_KAFKA_ADMIN_OP_CREATETOPICS, [&](auto* options, auto* queue) {
    rd_kafka_CreateTopics(handle_.get(), pointers.data(), pointers.size(), options, queue);
  });
  const auto* result = rd_kafka_event_CreateTopics_result(event.get());
  if (result == nullptr || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::vector<Outcome>(topics.size(), of_event(event.get()));
  }
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results = rd_kafka_CreateTopics_result_topics(result, &count);
  return of_topics(results, count);
}

std::vector<Outcome> Admin::delete_topics(const std::vector<std::string>& names) {
  std::vector<Owned<rd_kafka_DeleteTopic_t>> items;
  items.reserve(names.size());
  for (const std::string& name : names) {
    items.emplace_back(rd_kafka_DeleteTopic_new(name.c_str()), &rd_kafka_DeleteTopic_destroy);
  }
  std::vector<rd_kafka_DeleteTopic_t*> pointers = raw(items);
  const auto event = run(RD_KAFKA_ADMIN_OP_DELETETOPICS, [&](auto* options, auto* queue) {
    rd_kafka_DeleteTopics(handle_.get(), pointers.data(), pointers.size(), options, queue);
  });
  const auto* result = rd_kafka_event_DeleteTopics_result(event.get());
  if (result == nullptr || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::vector<Outcome>(names.size(), of_event(event.get()));
  }
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results = rd_kafka_DeleteTopics_result_topics(result, &count);
  return of_topics(results, count);
}

Outcome Admin::create_partitions(const std::string& topic, std::size_t total) {
  char text[256];
  const Owned<rd_kafka_NewPartitions_t> item(
      rd_kafka_NewPartitions_new(topic.c_str(), total, text, sizeof(text)),
      &rd_kafka_NewPartitions_destroy);
  CHECK_MSG(item != nullptr, text);
  rd_kafka_NewPartitions_t* pointer = item.get();
  const auto event = run(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, [&](auto* options, auto* queue) {
    rd_kafka_CreatePartitions(handle_.get(), &pointer, 1, options, queue);
  });
  const auto* result = rd_kafka_event_CreatePartitions_result(event.get());
  if (result == nullptr || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return of_event(event.get());
  }
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results = rd_kafka_CreatePartitions_result_topics(result, &count);
  return of_topics(results, count).front();
}

std::vector<PartitionOffset> Admin::delete_records(const std::vector<PartitionOffset>& before) {
  const Owned<rd_kafka_DeleteRecords_t> item(rd_kafka_DeleteRecords_new(to_list(before).get()),
                                             &rd_kafka_DeleteRecords_destroy);
  rd_kafka_DeleteRecords_t* pointer = item.get();
  const auto event = run(RD_KAFKA_ADMIN_OP_DELETERECORDS, [&](auto* options, auto* queue) {
    rd_kafka_DeleteRecords(handle_.get(), &pointer, 1, options, queue);
  });
  const auto* result = rd_kafka_event_DeleteRecords_result(event.get());
  if (result == nullptr) return {};
  const rd_kafka_topic_partition_list_t* offsets = rd_kafka_DeleteRecords_result_offsets(result);
  return offsets == nullptr ? std::vector<PartitionOffset>{} : from_list(*offsets);
}

std::map<std::string, ConfigEntry> Admin::describe_config(rd_kafka_ResourceType_t type,
                                                          const std::string& name) {
  const Owned<rd_kafka_ConfigResource_t> item(rd_kafka_ConfigResource_new(type, name.c_str()),
                                              &rd_kafka_ConfigResource_destroy);
  rd_kafka_ConfigResource_t* pointer = item.get();
  const auto event = run(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, [&](auto* options, auto* queue) {
    rd_kafka_DescribeConfigs(handle_.get(), &pointer, 1, options, queue);
  });
  std::map<std::string, ConfigEntry> entries;
  const auto* result = rd_kafka_event_DescribeConfigs_result(event.get());
  if (result == nullptr) return entries;
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** resources =
      rd_kafka_DescribeConfigs_result_resources(result, &count);
  if (count == 0) return entries;
  const rd_kafka_ConfigEntry_t** configs = rd_kafka_ConfigResource_configs(resources[0], &count);
  for (std::size_t i = 0; i < count; ++i) {
    entries[rd_kafka_ConfigEntry_name(configs[i])] = {
        text_or_empty(rd_kafka_ConfigEntry_value(configs[i])),
        rd_kafka_ConfigEntry_source(configs[i]),
        rd_kafka_ConfigEntry_is_read_only(configs[i]) == 1};
  }
  return entries;
}

std::map<std::string, ConfigEntry> Admin::describe_topic_config(const std::string& topic) {
  return describe_config(RD_KAFKA_RESOURCE_TOPIC, topic);
}

std::map<std::string, ConfigEntry> Admin::describe_broker_config(const std::string& node_id) {
  return describe_config(RD_KAFKA_RESOURCE_BROKER, node_id);
}

Outcome Admin::set_topic_config(const std::string& topic,
                                const std::map<std::string, std::string>& configs) {
  const Owned<rd_kafka_ConfigResource_t> item(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()),
      &rd_kafka_ConfigResource_destroy);
  for (const auto& [name, value] : configs) {
    rd_kafka_ConfigResource_set_config(item.get(), name.c_str(), value.c_str());
  }
  rd_kafka_ConfigResource_t* pointer = item.get();
  const auto event = run(RD_KAFKA_ADMIN_OP_ALTERCONFIGS, [&](auto* options, auto* queue) {
    rd_kafka_AlterConfigs(handle_.get(), &pointer, 1, options, queue);
  });
  const auto* result = rd_kafka_event_AlterConfigs_result(event.get());
  if (result == nullptr) return of_event(event.get());
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** resources =
      rd_kafka_AlterConfigs_result_resources(result, &count);
  if (count == 0) return of_event(event.get());
  return {rd_kafka_ConfigResource_error(resources[0]),
          text_or_empty(rd_kafka_ConfigResource_error_string(resources[0]))};
}

std::map<std::string, TopicPartitions> Admin::topics() {
  std::map<std::string, TopicPartitions> result;
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(handle_.get(), 1, nullptr, &metadata, patience_ms) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return result;
  }
  for (int t = 0; t < metadata->topic_cnt; ++t) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[t];
    TopicPartitions& entry = result[topic.topic];
    entry.error = topic.err;
    entry.leaders.resize(static_cast<std::size_t>(topic.partition_cnt), -1);
    for (int p = 0; p < topic.partition_cnt; ++p) {
      entry.leaders.at(static_cast<std::size_t>(topic.partitions[p].id)) =
          topic.partitions[p].leader;
    }
  }
  rd_kafka_metadata_destroy(metadata);
  return result;
}

TopicPartitions Admin::topic(const std::string& name) {
  std::map<std::string, TopicPartitions> all = topics();
  const auto found = all.find(name);
  if (found == all.end()) return {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, {}};
  return found->second;
}

std::string Admin::cluster_id() {
  char* id = rd_kafka_clusterid(handle_.get(), patience_ms);
  std::string result = text_or_empty(id);
  rd_kafka_mem_free(handle_.get(), id);
  return result;
}

std::vector<std::string> Admin::groups() {
  const auto event = run(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, [&](auto* options, auto* queue) {
    rd_kafka_ListConsumerGroups(handle_.get(), options, queue);
  });
  std::vector<std::string> names;
  const auto* result = rd_kafka_event_ListConsumerGroups_result(event.get());
  if (result == nullptr) return names;
  std::size_t count = 0;
  const auto** errors = rd_kafka_ListConsumerGroups_result_errors(result, &count);
  for (std::size_t i = 0; i < count; ++i) ADD_FAILURE() << rd_kafka_error_string(errors[i]);
  const auto** listings = rd_kafka_ListConsumerGroups_result_valid(result, &count);
  for (std::size_t i = 0; i < count; ++i) {
    names.emplace_back(rd_kafka_ConsumerGroupListing_group_id(listings[i]));
  }
  std::sort(names.begin(), names.end());
  return names;
}

GroupDescription Admin::describe_group(const std::string& group) {
  const char* name = group.c_str();
  const auto event = run(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, [&](auto* options, auto* queue) {
    rd_kafka_DescribeConsumerGroups(handle_.get(), &name, 1, options, queue);
  });
  GroupDescription description;
  description.error = rd_kafka_event_error(event.get());
  const auto* result = rd_kafka_event_DescribeConsumerGroups_result(event.get());
  if (result == nullptr) return description;
  std::size_t count = 0;
  const auto** groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &count);
  if (count == 0) return description;
  const rd_kafka_ConsumerGroupDescription_t* found = groups[0];
  description.error = of_error(rd_kafka_ConsumerGroupDescription_error(found)).error;
  description.state = rd_kafka_ConsumerGroupDescription_state(found);
  description.assignor = text_or_empty(rd_kafka_ConsumerGroupDescription_partition_assignor(found));
  for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(found); ++i) {
    const auto* member = rd_kafka_ConsumerGroupDescription_member(found, i);
    const auto* assignment = rd_kafka_MemberDescription_assignment(member);
    const auto* partitions =
        assignment == nullptr ? nullptr : rd_kafka_MemberAssignment_partitions(assignment);
    description.members.push_back(
        {text_or_empty(rd_kafka_MemberDescription_consumer_id(member)),
         text_or_empty(rd_kafka_MemberDescription_client_id(member)),
         text_or_empty(rd_kafka_MemberDescription_group_instance_id(member)),
         partitions == nullptr ? std::vector<PartitionOffset>{} : from_list(*partitions)});
  }
  return description;
}

Outcome Admin::delete_group(const std::string& group) {
  const Owned<rd_kafka_DeleteGroup_t> item(rd_kafka_DeleteGroup_new(group.c_str()),
                                           &rd_kafka_DeleteGroup_destroy);
  rd_kafka_DeleteGroup_t* pointer = item.get();
  const auto event = run(RD_KAFKA_ADMIN_OP_DELETEGROUPS, [&](auto* options, auto* queue) {
    rd_kafka_DeleteGroups(handle_.get(), &pointer, 1, options, queue);
  });
  const auto* result = rd_kafka_event_DeleteGroups_result(event.get());
  if (result == nullptr) return of_event(event.get());
  std::size_t count = 0;
  const rd_kafka_group_result_t** groups = rd_kafka_DeleteGroups_result_groups(result, &count);
  if (count == 0) return of_event(event.get());
  return of_error(rd_kafka_group_result_error(groups[0]));
}

std::vector<PartitionOffset> Admin::committed(const std::string& group) {
  // Where the coordinator is another one meanwhile, librdkafka 2.0.2 crashes in a client that has
  // no group.
  Admin member(bootstrap_);
  member.handle_ = make_client(RD_KAFKA_CONSUMER, make_conf(bootstrap_, {{"group.id", group}}));
  return member.list_offsets(group);
}

std::vector<PartitionOffset> Admin::list_offsets(const std::string& group) {
  const Owned<rd_kafka_ListConsumerGroupOffsets_t> item(
      rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), nullptr),
      &rd_kafka_ListConsumerGroupOffsets_destroy);
  rd_kafka_ListConsumerGroupOffsets_t* pointer = item.get();
  const auto event = run(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, [&](auto* options, auto* q) {
    rd_kafka_ListConsumerGroupOffsets(handle_.get(), &pointer, 1, options, q);
  });
  const auto* result = rd_kafka_event_ListConsumerGroupOffsets_result(event.get());
  if (result == nullptr) return {};
  std::size_t count = 0;
  const auto** groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
  if (count == 0) return {};
  return from_list(*rd_kafka_group_result_partitions(groups[0]));
}

}  // namespace chronik::integration
