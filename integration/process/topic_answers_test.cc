// The answers of the APIs around topics and the cluster, in all their versions, as Apache Kafka 4.4
// gives them (testdata/topic_answers.txt; harness/recorded_answers.h says how it was recorded).
#include <gtest/gtest.h>

#include <algorithm>

#include "integration/harness/recorded_answers.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_acls.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "protocol/messages/list_config_resources.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {
namespace {

using namespace protocol;  // NOLINT: the messages of eight APIs

const Uuid unknown_topic = Uuid::from_random(77, 77);

template <class T, class By>
void in_order(std::vector<T>& list, By by) {
  std::sort(list.begin(), list.end(), [&](const T& a, const T& b) { return by(a) < by(b); });
}

/// Topics come in any order, with random ids; of configs only what was asked for is compared here.
void make_equal(CreateTopicsResponse& response) {
  in_order(response.topics, [](const auto& topic) { return topic.name; });
  for (auto& topic : response.topics) {
    if (!topic.topic_id.is_zero()) topic.topic_id = unknown_topic;
    if (topic.configs) {
      std::erase_if(*topic.configs, [](const auto& config) {
        return config.config_source != 1;  // DYNAMIC_TOPIC_CONFIG
      });
    }
  }
}

class TopicAnswers {
 public:
  TopicAnswers() : to("topic_answers.txt", {{"auto.create.topics.enable", "false"}}) {
    to.call_it(unknown_topic.to_string(), "<id>");
    MetadataRequest request;
    request.topics.emplace();
    const auto response = to.await(13, request, [](const MetadataResponse& answer) {
      return answer.cluster_id && !answer.brokers.empty();
    });
    to.call_it(response.cluster_id.value_or("?"), "<cluster>");
  }

  static CreateTopicsRequest create(const std::string& name, std::int32_t partitions = 1,
                                    std::int16_t replicas = 1) {
    CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = replicas;
    return request;
  }
  static CreateTopicsRequest configured(const std::string& name, const std::string& key,
                                        const std::optional<std::string>& value) {
    CreateTopicsRequest request = create(name);
    auto& config = request.topics[0].configs.emplace_back();
    config.name = key;
    config.value = value;
    return request;
  }
  static CreateTopicsRequest assigned(const std::string& name,
                                      const std::vector<std::vector<std::int32_t>>& replicas) {
    CreateTopicsRequest request = create(name, -1, -1);
    for (std::size_t i = 0; i < replicas.size(); ++i) {
      auto& assignment = request.topics[0].assignments.emplace_back();
      assignment.partition_index = static_cast<std::int32_t>(i);
      assignment.broker_ids = replicas[i];
    }
    return request;
  }
  void show(const std::string& what, std::int16_t version, const CreateTopicsRequest& request) {
    to.show(what, version, request, [&](CreateTopicsResponse& answer) {
      make_equal(answer);
      for (auto& topic : answer.topics) {
        // Kafka makes ids up for what it only judges, and says less than we do of two mistakes.
        if (request.validate_only) topic.topic_id = {};
        if (topic.error_code == 38 || topic.error_code == 40) topic.error_message.reset();
      }
    });
  }
  void await_topic(const std::string& name, bool there) {
    MetadataRequest request;
    request.allow_auto_topic_creation = false;
    request.topics.emplace().emplace_back().name = name;
    to.await(13, request, [&](const MetadataResponse& answer) {
      const auto& topic = answer.topics.at(0);
      const bool led = std::all_of(topic.partitions.begin(), topic.partitions.end(),
                                   [](const auto& one) { return one.error_code == 0; });
      return there ? topic.error_code == 0 && led : topic.error_code == 3;
    });
  }

  RecordedAnswers to;
};

void create_topics(TopicAnswers& topics) {
  for (std::int16_t version = 2; version <= 7; ++version) {
    const std::string name = "made" + std::to_string(version);
    topics.show("as asked", version, TopicAnswers::create(name, 2));
    topics.await_topic(name, true);
    topics.show("once more", version, TopicAnswers::create(name, 2));
    topics.show("defaults", version, [&] {
      CreateTopicsRequest request = TopicAnswers::create("defaults", -1, -1);
      request.validate_only = true;
      return request;
    }());
    topics.show("twice in a request", version, [&] {
      CreateTopicsRequest request = TopicAnswers::create("twin");
      request.topics.push_back(request.topics[0]);
      return request;
    }());
    topics.show("no name", version, TopicAnswers::create(""));
    topics.show("a bad name", version, TopicAnswers::create("../x"));
    topics.show("a long name", version, TopicAnswers::create(std::string(250, 'x')));
    topics.show("no partitions", version, TopicAnswers::create("none", 0));
    topics.show("two replicas", version, TopicAnswers::create("two", 1, 2));
    topics.show("no replicas", version, TopicAnswers::create("zero", 1, 0));
    topics.show("a config", version, [&] {
      auto request = TopicAnswers::configured("configured", "retention.ms", "1000");
      request.validate_only = true;
      return request;
    }());
    topics.show("an unknown config", version,
                TopicAnswers::configured("bad", "retention.msec", "1000"));
    topics.show("a bad value", version, TopicAnswers::configured("bad", "retention.ms", "soon"));
    topics.show("a value out of range", version,
                TopicAnswers::configured("bad", "segment.bytes", "1"));
    topics.show("a config without value", version,
                TopicAnswers::configured("bad", "retention.ms", std::nullopt));
    topics.show("assigned", version, [&] {
      CreateTopicsRequest request = TopicAnswers::assigned("assigned", {{1}, {1}, {1}});
      request.validate_only = true;
      return request;
    }());
    topics.show("assigned to no broker", version, TopicAnswers::assigned("bad", {{1}, {}}));
    topics.show("assigned to an unknown broker", version, TopicAnswers::assigned("bad", {{7}}));
    topics.show("assigned to the same broker twice", version,
                TopicAnswers::assigned("bad", {{1, 1}}));
    topics.show("assigned and counted", version, [&] {
      CreateTopicsRequest request = TopicAnswers::assigned("bad", {{1}});
      request.topics[0].num_partitions = 3;
      return request;
    }());
  }
  topics.show("nearly the name of another", 7, TopicAnswers::create("made.2"));
  topics.show("dots", 7, TopicAnswers::create("a.b"));
  topics.show("dots and underscores", 7, TopicAnswers::create("a_b"));
  topics.show("nothing", 7, {});
}

void create_partitions(TopicAnswers& topics) {
  for (std::int16_t version = 0; version <= 3; ++version) {
    const auto show = [&](const std::string& what, const std::string& topic, std::int32_t count,
                          std::optional<std::vector<std::int32_t>> brokers = {}) {
      CreatePartitionsRequest request;
      request.timeout_ms = 10'000;
      auto& one = request.topics.emplace_back();
      one.name = topic;
      one.count = count;
      one.assignments.reset();
      if (brokers) one.assignments.emplace().emplace_back().broker_ids = *brokers;
      topics.to.show(what, version, request, [](CreatePartitionsResponse& response) {
        for (auto& result : response.results) {
          if (result.error_code == 3 || result.error_code == 39) result.error_message.reset();
        }
      });
    };
    const std::int32_t before = 2 + version;
    show("one more", "made2", before + 1);
    show("as many as there are", "made2", before + 1);
    show("fewer", "made2", 1);
    show("none", "made2", 0);
    show("of an unknown topic", "unknown", 5);
    show("to an unknown broker", "made2", before + 2, std::vector<std::int32_t>{9});
    show("to no broker", "made2", before + 2, std::vector<std::int32_t>{});
    show("two, one of them assigned", "made2", before + 3, std::vector<std::int32_t>{1});
  }
}

void metadata_of_topics(TopicAnswers& topics) {
  for (std::int16_t version = 0; version <= 13; ++version) {
    const auto show = [&](const std::string& what, const MetadataRequest& request) {
      topics.to.show(what, version, request, [](MetadataResponse& response) {
        in_order(response.topics, [](const auto& topic) { return topic.name.value_or(""); });
        for (auto& topic : response.topics) {
          if (!topic.topic_id.is_zero()) topic.topic_id = unknown_topic;
          in_order(topic.partitions, [](const auto& one) { return one.partition_index; });
        }
      });
    };
    MetadataRequest request;
    request.allow_auto_topic_creation = true;
    for (const char* name : {"made2", "made3", "unknown", "../x", ""}) {
      request.topics->emplace_back().name = name;
    }
    if (version >= 4) show("by name", request);
    request.allow_auto_topic_creation = false;
    if (version >= 8) {
      request.include_topic_authorized_operations = true;
      request.include_cluster_authorized_operations = version <= 10;
      show("with operations", request);
    }
    request = {};
    show("an empty list", request);
    if (version >= 1) {
      request.topics.reset();
      show("all", request);
    }
    if (version < 10) continue;
    request = {};
    auto& by_id = request.topics->emplace_back();
    by_id.topic_id = unknown_topic;
    by_id.name.reset();
    if (version >= 12) show("by id", request);
  }
}

void pages_of_topics(TopicAnswers& topics) {
  const auto show = [&](const std::string& what, const DescribeTopicPartitionsRequest& request) {
    topics.to.show(what, 0, request, [](DescribeTopicPartitionsResponse& response) {
      for (auto& topic : response.topics) {
        if (!topic.topic_id.is_zero()) topic.topic_id = unknown_topic;
      }
    });
  };
  DescribeTopicPartitionsRequest request;
  for (const char* name : {"made3", "made2", "unknown"}) request.topics.emplace_back().name = name;
  show("by name", request);
  request.response_partition_limit = 3;
  show("three partitions", request);
  request.cursor.emplace();
  request.cursor->topic_name = "made2";
  request.cursor->partition_index = 3;
  show("from where that ended", request);
  request.cursor->partition_index = -1;
  show("from a negative partition", request);
  request = {};
  show("all", request);
}

void the_cluster(TopicAnswers& topics) {
  for (std::int16_t version = 0; version <= 2; ++version) {
    DescribeClusterRequest request;
    topics.to.show("brokers", version, request);
    request.include_cluster_authorized_operations = true;
    topics.to.show("with operations", version, request);
    if (version < 1) continue;
    request.endpoint_type = 3;
    topics.to.show("an unknown kind of endpoint", version, request);
  }
  for (std::int16_t version = 1; version <= 3; ++version) {
    DescribeAclsRequest request;
    request.resource_type_filter = request.operation = request.permission_type = 1;
    topics.to.show("any", version, request);
  }
  for (std::int16_t version = 0; version <= 1; ++version) {
    ListConfigResourcesRequest request;
    const auto sorted = [](ListConfigResourcesResponse& response) {
      in_order(response.config_resources, [](const auto& resource) {
        return std::pair(resource.resource_type, resource.resource_name);
      });
    };
    if (version == 0) topics.to.show("of client metrics", version, request, sorted);
    if (version == 0) continue;
    for (const std::int8_t type : std::initializer_list<std::int8_t>{2, 4, 16, 32, 1, 99}) {
      request.resource_types = {type};
      topics.to.show("of type " + std::to_string(type), version, request, sorted);
    }
  }
}

void delete_topics(TopicAnswers& topics) {
  for (std::int16_t version = 1; version <= 6; ++version) {
    const std::string name = "made" + std::to_string(version + 1);
    const auto show = [&](const std::string& what, const std::vector<std::string>& names) {
      DeleteTopicsRequest request;
      request.timeout_ms = 10'000;
      request.topic_names = names;
      for (const std::string& one : names) request.topics.emplace_back().name = one;
      topics.to.show(what, version, request, [](DeleteTopicsResponse& response) {
        in_order(response.responses, [](const auto& topic) { return topic.name.value_or(""); });
        for (auto& topic : response.responses) {
          if (!topic.topic_id.is_zero()) topic.topic_id = unknown_topic;
        }
      });
    };
    show("one, and one that is not there", {name, "unknown"});
    topics.await_topic(name, false);
    show("once more", {name});
    show("the same twice", {"a.b", "a.b"});
    show("nothing", {});
  }
  DeleteTopicsRequest request;
  request.timeout_ms = 10'000;
  auto& by_id = request.topics.emplace_back();
  by_id.topic_id = unknown_topic;
  topics.to.show("by an unknown id", 6, request);
  by_id.name = "a.b";
  topics.to.show("by name and id", 6, request);
  by_id.name.reset();
  by_id.topic_id = {};
  topics.to.show("by nothing", 6, request);
}

TEST(TopicAnswers, AreThoseOfKafkaInEveryVersion) {
  TopicAnswers topics;
  create_topics(topics);
  create_partitions(topics);
  metadata_of_topics(topics);
  pages_of_topics(topics);
  the_cluster(topics);
  delete_topics(topics);
  topics.to.expect_as_recorded();
}

}  // namespace
}  // namespace chronik::integration
