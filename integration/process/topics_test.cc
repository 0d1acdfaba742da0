// Topics by the admin interface: what is created is there for every client, also after a restart,
// and what is deleted is gone, with its records.
#include <gtest/gtest.h>

#include <algorithm>

#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/harness/kafka_client.h"

namespace chronik::integration {
namespace {

TEST(Topics, CreatedTopicHasItsPartitionsAndALeader) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .partitions = 5}).ok());
  const TopicPartitions topic = admin.topic("t");
  EXPECT_EQ(topic.error, RD_KAFKA_RESP_ERR_NO_ERROR);
  ASSERT_EQ(topic.leaders.size(), 5u);
  EXPECT_EQ(std::count(topic.leaders.begin(), topic.leaders.end(), topic.leaders.front()), 5);
  EXPECT_GE(topic.leaders.front(), 0);
}

TEST(Topics, SecondCreationIsRefusedAndChangesNothing) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .partitions = 2}).ok());
  EXPECT_EQ(admin.create_topic({.name = "t", .partitions = 7}).error,
            RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
  EXPECT_EQ(admin.topic("t").leaders.size(), 2u);
}

TEST(Topics, EachTopicOfARequestHasItsOwnOutcome) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  const auto outcomes = admin.create_topics({{.name = "good"},
                                             {.name = "../escape"},
                                             {.name = "bad-config", .configs = {{"no.such", "1"}}},
                                             {.name = "too-wide", .replication = 3},
                                             {.name = std::string(250, 'x')}});
  ASSERT_EQ(outcomes.size(), 5u);
  EXPECT_TRUE(outcomes[0].ok());
  EXPECT_EQ(outcomes[1].error, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
  EXPECT_EQ(outcomes[2].error, RD_KAFKA_RESP_ERR_INVALID_CONFIG);
  EXPECT_EQ(outcomes[3].error, RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR);
  EXPECT_EQ(outcomes[4].error, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
  for (std::size_t i = 1; i < outcomes.size(); ++i) EXPECT_NE(outcomes[i].message, "");
  EXPECT_EQ(admin.topic("good").leaders.size(), 1u);
  EXPECT_EQ(admin.topic("too-wide").error, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

TEST(Topics, PartitionsCanBeAddedButNotTaken) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .partitions = 2}).ok());
  Producer producer(broker.bootstrap());
  ASSERT_EQ(producer.send({.topic = "t", .partition = 1, .value = "kept"}).error,
            RD_KAFKA_RESP_ERR_NO_ERROR);
  ASSERT_TRUE(admin.create_partitions("t", 4).ok());
  EXPECT_EQ(admin.create_partitions("t", 3).error, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS);
  EXPECT_EQ(admin.topic("t").leaders.size(), 4u);

  Producer later(broker.bootstrap());
  EXPECT_EQ(later.send({.topic = "t", .partition = 3, .value = "new"}).error,
            RD_KAFKA_RESP_ERR_NO_ERROR);
  Consumer consumer(broker.bootstrap(), "");
  consumer.assign({{"t", 1, 0}, {"t", 3, 0}});
  EXPECT_EQ(consumer.consume(2).size(), 2u);
}

TEST(Topics, TopicsAndConfigsSurviveARestartAndAKill) {
  BrokerProcess broker;
  std::string cluster_id;
  {
    Admin admin(broker.bootstrap());
    cluster_id = admin.cluster_id();
    EXPECT_NE(cluster_id, "");
    ASSERT_TRUE(admin
                    .create_topic(
                        {.name = "t", .partitions = 3, .configs = {{"retention.ms", "123456789"}}})
                    .ok());
    ASSERT_TRUE(admin.create_topic({.name = "gone"}).ok());
    ASSERT_TRUE(admin.delete_topic("gone").ok());
  }
  broker.restart();
  broker.restart_after_kill();
  Admin admin(broker.bootstrap());
  EXPECT_EQ(admin.cluster_id(), cluster_id);
  EXPECT_EQ(admin.topic("t").leaders.size(), 3u);
  EXPECT_EQ(admin.describe_topic_config("t")["retention.ms"].value, "123456789");
  EXPECT_EQ(admin.topic("gone").error, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

TEST(Topics, ChangedConfigTakesEffectAndReplacesTheOldOne) {
  BrokerProcess broker;
  Admin admin(broker.bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .configs = {{"retention.ms", "5000000"}}}).ok());
  ASSERT_TRUE(admin.set_topic_config("t", {{"max.message.bytes", "2000"}}).ok());
  auto config = admin.describe_topic_config("t");
  EXPECT_EQ(config["max.message.bytes"].value, "2000");
  EXPECT_EQ(config["max.message.bytes"].source, RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG);
  EXPECT_EQ(config["retention.ms"].value, "604800000");
  EXPECT_EQ(config["retention.ms"].source, RD_KAFKA_CONFIG_SOURCE_DEFAULT_CONFIG);
  EXPECT_EQ(admin.set_topic_config("t", {{"max.message.bytes", "many"}}).error,
            RD_KAFKA_RESP_ERR_INVALID_CONFIG);

  Producer producer(broker.bootstrap());
  EXPECT_EQ(producer.send({.topic = "t", .partition = 0, .value = std::string(5000, 'x')}).error,
            RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  EXPECT_EQ(producer.send({.topic = "t", .partition = 0, .value = "small"}).error,
            RD_KAFKA_RESP_ERR_NO_ERROR);
}

TEST(Topics, RecreatedTopicHasNothingOfTheOldOne) {
  BrokerProcess broker;
  for (int round = 0; round < 3; ++round) {
    const auto value = [&](int i) { return std::to_string(round) + "." + std::to_string(i); };
    ASSERT_TRUE(Admin(broker.bootstrap()).create_topic({.name = "t"}).ok());
    {
      Producer producer(broker.bootstrap());
      for (int i = 0; i <= round; ++i) {
        const Message sent = producer.send({.topic = "t", .partition = 0, .value = value(i)});
        ASSERT_EQ(sent.error, RD_KAFKA_RESP_ERR_NO_ERROR);
        EXPECT_EQ(sent.offset, i);
      }
      Consumer consumer(broker.bootstrap(), "");
      consumer.assign({{"t", 0, 0}});
      const std::vector<Message> read = consumer.consume(static_cast<std::size_t>(round) + 1);
      ASSERT_EQ(read.size(), static_cast<std::size_t>(round) + 1);
      EXPECT_EQ(read.front().value, value(0));
    }
    ASSERT_TRUE(Admin(broker.bootstrap()).delete_topic("t").ok());
    broker.restart();
    EXPECT_EQ(Admin(broker.bootstrap()).topic("t").error, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  }
}

TEST(Topics, UnknownTopicIsAnErrorUnlessItIsMadeAtFirstUse) {
  BrokerProcess without;
  Producer refused(without.bootstrap(), {{"topic.metadata.propagation.max.ms", "500"}});
  EXPECT_EQ(refused.send({.topic = "auto", .partition = 0, .value = "x"}).error,
            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);

  BrokerProcess with(Settings{{"auto.create.topics.enable", "true"}, {"num.partitions", "3"}});
  Producer producer(with.bootstrap());
  EXPECT_EQ(producer.send({.topic = "auto", .value = "x"}).error, RD_KAFKA_RESP_ERR_NO_ERROR);
  Admin admin(with.bootstrap());
  EXPECT_EQ(admin.topic("auto").leaders.size(), 3u);
  EXPECT_EQ(admin.delete_topic("never-there").error, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

}  // namespace
}  // namespace chronik::integration
