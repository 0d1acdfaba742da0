// ApplyEvent: what each event means for an image, and when it is refused.
#include "metadata/apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "base/random.h"
#include "metadata/event_source.h"

namespace chronik::metadata {
namespace {

using protocol::ErrorCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ApplyEvent : public ::testing::Test {
 protected:
  ApplyResult apply(const MetadataEvent& event) {
    auto [next, result] = apply_event(image_, event);
    image_ = next;
    return result;
  }
  void accept(const MetadataEvent& event) {
    const ApplyResult result = apply(event);
    EXPECT_TRUE(result.ok()) << result.message;
    EXPECT_EQ(result.message, "");
  }
  void refuse(const MetadataEvent& event, ErrorCode code, const std::string& text) {
    const auto before = image_;
    const ApplyResult result = apply(event);
    EXPECT_EQ(result.code, code) << result.message;
    EXPECT_THAT(result.message, HasSubstr(text));
    EXPECT_EQ(image_->topic_count(), before->topic_count());
    EXPECT_EQ(image_->group_count(), before->group_count());
    EXPECT_EQ(image_->offset_count(), before->offset_count());
  }

  std::shared_ptr<const Image> image_ = std::make_shared<const Image>();
};

TEST_F(ApplyEvent, ATopicIsFoundByNameAndById) {
  TopicCreated event = topic_created(7, "orders", 2);
  event.partitions[1].replicas = {3, 1};
  event.partitions[1].leader = 3;
  event.partitions[1].leader_epoch = 4;
  event.configs = {{"retention.ms", "5"}, {"cleanup.policy", "compact"}};
  accept(event);
  const Topic* topic = image_->topic("orders");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(image_->topic(topic_id(7)), topic);
  EXPECT_EQ(topic->name, "orders");
  EXPECT_EQ(topic->created_ms, event.created_ms);
  EXPECT_THAT(topic->partitions, ElementsAre(Partition{{1}, 1, 0}, Partition{{3, 1}, 3, 4}));
  ASSERT_NE(topic->configs.find("retention.ms"), nullptr);
  EXPECT_EQ(*topic->configs.find("retention.ms"), "5");
  EXPECT_EQ(topic->configs.find("segment.bytes"), nullptr);
  EXPECT_EQ(image_->topic("order"), nullptr);
  EXPECT_EQ(image_->topic(topic_id(8)), nullptr);
  EXPECT_EQ(image_->topic_count(), 1u);
  EXPECT_EQ(image_->partition_count(), 2u);
}

TEST_F(ApplyEvent, OfTwoCreationsOfOneNameTheSecondIsRefused) {
  accept(topic_created(1, "orders"));
  refuse(topic_created(2, "orders"), ErrorCode::topic_already_exists, "'orders' already exists");
  EXPECT_EQ(image_->topic("orders")->id, topic_id(1));
}

TEST_F(ApplyEvent, NamesThatDifferOnlyInDotAndUnderscoreCollide) {
  accept(topic_created(1, "a.b_c"));
  refuse(topic_created(2, "a_b.c"), ErrorCode::invalid_topic_exception,
         "'a_b.c' collides with existing topic: a.b_c");
  accept(topic_created(3, "a-b-c"));
  accept(topic_deleted(1, "a.b_c"));
  accept(topic_created(2, "a_b.c"));
}

TEST_F(ApplyEvent, BadTopicNamesAreRefused) {
  for (const std::string name : {"", ".", "..", "a/b", "../x", "a b", "\xc3\xa4", "__meta"}) {
    refuse(topic_created(1, name), ErrorCode::invalid_topic_exception, "Topic name is invalid");
  }
  refuse(topic_created(1, std::string(250, 'x')), ErrorCode::invalid_topic_exception, "249");
  accept(topic_created(1, std::string(249, 'x')));
  EXPECT_EQ(refuse_topic_name("__consumer_offsets"), std::nullopt);
}

TEST_F(ApplyEvent, BadPartitionsAreRefused) {
  refuse(topic_created(1, "t", 0), ErrorCode::invalid_partitions, "at least one partition");
  TopicCreated gap = topic_created(1, "t", 2);
  gap.partitions[1].partition_index = 2;
  refuse(gap, ErrorCode::invalid_partitions, "Partition 2 where partition 1");
  TopicCreated doubled = topic_created(1, "t");
  doubled.partitions[0].replicas = {1, 2, 1};
  refuse(doubled, ErrorCode::invalid_replica_assignment, "[1, 2, 1]");
  TopicCreated nobody = topic_created(1, "t");
  nobody.partitions[0].replicas = {};
  refuse(nobody, ErrorCode::invalid_replica_assignment, "at least one replica");
  TopicCreated stranger = topic_created(1, "t");
  stranger.partitions[0].leader = 9;
  refuse(stranger, ErrorCode::invalid_replica_assignment, "leader 9");
  TopicCreated nameless = topic_created(1, "t");
  nameless.topic_id = Uuid{};
  refuse(nameless, ErrorCode::invalid_request, "Topic id");
  accept(topic_created(1, "t"));
  refuse(topic_created(1, "u"), ErrorCode::invalid_request, "in use");
}

TEST_F(ApplyEvent, ADeletedTopicIsGoneWithItsOffsetsAndItsNameIsFree) {
  accept(topic_created(1, "orders", 40));
  accept(topic_created(2, "other"));
  accept(offset_committed("g", 1, 0, 5));
  accept(offset_committed("g", 1, 39, 6));
  accept(offset_committed("g", 2, 0, 7));
  accept(offset_committed("only", 1, 3, 8));
  EXPECT_EQ(image_->offset_count(), 4u);
  accept(topic_deleted(1, "orders"));
  EXPECT_EQ(image_->topic("orders"), nullptr);
  EXPECT_EQ(image_->offset_count(), 1u);
  EXPECT_EQ(image_->partition_count(), 1u);
  EXPECT_EQ(image_->committed("g", topic_id(2), 0)->offset, 7);
  EXPECT_EQ(image_->group("only"), nullptr);
  refuse(topic_deleted(1, "orders"), ErrorCode::unknown_topic_id, "orders");
  accept(topic_created(3, "orders", 40));
  EXPECT_EQ(image_->committed("g", topic_id(3), 0), nullptr);
}

TEST_F(ApplyEvent, TheReplicasOfAPartitionChangeFromWhatTheyAre) {
  TopicCreated created = topic_created(1, "t", 2);
  created.partitions[1].replicas = {1, 2};
  created.partitions[1].directories = {topic_id(11), topic_id(12)};
  accept(created);
  const auto change = [](PartitionId index, std::vector<BrokerId> before,
                         std::vector<BrokerId> replicas, std::vector<BrokerId> adding = {},
                         std::vector<BrokerId> removing = {}) {
    return PartitionReplicasChanged{
        topic_id(1),        "t", index, std::move(before), std::move(replicas), std::move(adding),
        std::move(removing)};
  };
  accept(change(1, {1, 2}, {3, 2, 1}, {3}, {1}));
  const auto partition = [this] { return image_->topic("t")->partitions[1]; };
  EXPECT_TRUE(partition().is_reassigned());
  EXPECT_EQ(partition().target(), (std::vector<BrokerId>{3, 2}));
  EXPECT_EQ(partition().leader, 3);
  EXPECT_EQ(partition().directories, (std::vector<Uuid>{{}, topic_id(12), topic_id(11)}))
      << "they may not have founded it yet";
  // Two that race: the second one was made on the same picture.
  refuse(change(1, {1, 2}, {1, 2}), ErrorCode::invalid_request, "[3, 2, 1], not [1, 2]");
  refuse(change(1, {3, 2, 1}, {3, 3}), ErrorCode::invalid_replica_assignment, "occurs once");
  refuse(change(0, {1}, {1, 2}), ErrorCode::invalid_request, "Partition 0");
  refuse(change(2, {1}, {1}), ErrorCode::unknown_topic_or_partition, "no partition 2");
  // Taken back: nothing but this may ever say who founds the group.
  accept(change(1, {3, 2, 1}, {1, 2, 3}, {3}, {3}));
  accept(change(1, {1, 2, 3}, {1, 2}));
  EXPECT_EQ(partition().directories, (std::vector<Uuid>{topic_id(11), topic_id(12)}));
  accept(change(1, {1, 2}, {3, 2, 1}, {3}, {1}));
  accept(change(1, {3, 2, 1}, {3, 2}));
  EXPECT_FALSE(partition().is_reassigned());
  EXPECT_EQ(partition().directories, std::vector<Uuid>(2)) << "nobody founds it again";
  EXPECT_TRUE(partition().has_group());
  accept(change(1, {3, 2}, {3}));
  EXPECT_TRUE(partition().has_group()) << "one replica of a group is still one of a group";
}

TEST_F(ApplyEvent, ARecoveryNamesTheSurvivorAndStaysInThePicture) {
  TopicCreated created = topic_created(1, "t", 1);
  created.partitions[0].replicas = {1, 2};
  created.partitions[0].directories = {topic_id(11), topic_id(12)};
  accept(created);
  accept(PartitionRecovered{topic_id(1), "t", 0, 1, 2, topic_id(12), 1'007, 40, {1}, 5});
  const auto recovery = [this] { return image_->topic("t")->partitions[0].recovery; };
  EXPECT_EQ(recovery(), (Recovery{1, 2, topic_id(12), 1'007}));
  // Who survived may go; the others must know for ever that they begin anew.
  accept(PartitionReplicasChanged{topic_id(1), "t", 0, {1, 2}, {1}, {}, {}});
  EXPECT_EQ(recovery().number, 1);
  const auto without = PartitionRecovered{topic_id(1), "t", 0, 2, 1, {}, 3'000, 40, {}, 5};
  refuse(without, ErrorCode::invalid_request, "changed meanwhile");
}

TEST_F(ApplyEvent, APartitionOfOneReplicaGetsAGroupWithItsLog) {
  accept(topic_created(1, "t", 2));
  const auto partition = [this] { return image_->topic("t")->partitions[0]; };
  ASSERT_EQ(partition().replicas, std::vector<BrokerId>{1});
  const PartitionGroupFounded founded{topic_id(1), "t", 0, 1, topic_id(11)};
  const auto changed = [](std::vector<BrokerId> before, std::vector<BrokerId> replicas,
                          std::vector<BrokerId> adding = {}, std::vector<BrokerId> removing = {}) {
    return PartitionReplicasChanged{
        topic_id(1),        "t", 0, std::move(before), std::move(replicas), std::move(adding),
        std::move(removing)};
  };
  PartitionGroupFounded wrong = founded;
  wrong.founder = 2;
  refuse(wrong, ErrorCode::invalid_request, "Broker 2 cannot found");
  wrong = founded;
  wrong.directory = {};
  refuse(wrong, ErrorCode::invalid_request, "Broker 1 cannot found");
  wrong.partition_index = 2;
  refuse(wrong, ErrorCode::unknown_topic_or_partition, "no partition 2");
  EXPECT_EQ(partition().lone_founder(), std::nullopt);

  accept(founded);
  EXPECT_TRUE(partition().has_group());
  EXPECT_FALSE(image_->topic("t")->partitions[1].has_group()) << "of its other partitions nothing";
  refuse(founded, ErrorCode::invalid_request, "changed meanwhile");
  // Whatever is asked for next: until it is done, the only log there is is the founder's.
  accept(changed({1}, {2, 3, 1}, {2, 3}, {1}));
  EXPECT_EQ(partition().directories, (std::vector<Uuid>{{}, {}, topic_id(11)}));
  accept(changed({2, 3, 1}, {1, 2, 3}, {2, 3}));
  EXPECT_EQ(partition().lone_founder(), 1);
  EXPECT_EQ(partition().directories, (std::vector<Uuid>{topic_id(11), {}, {}}));
  accept(changed({1, 2, 3}, {1, 2, 3}));
  EXPECT_EQ(partition().lone_founder(), std::nullopt) << "nobody founds it again";
  EXPECT_TRUE(partition().has_group());
}

TEST_F(ApplyEvent, PartitionsAreAddedBehindThoseThere) {
  accept(topic_created(1, "t", 2));
  accept(PartitionsAdded{topic_id(1), "t", {{2, {1}, 1, 0}, {3, {1}, 1, 0}}});
  EXPECT_EQ(image_->topic("t")->partition_count(), 4);
  EXPECT_EQ(image_->partition_count(), 4u);
  // The second of two racing requests, made on the same picture.
  refuse(PartitionsAdded{topic_id(1), "t", {{2, {1}, 1, 0}}}, ErrorCode::invalid_partitions,
         "currently has 4 partition(s); 3 would not be an increase");
  refuse(PartitionsAdded{topic_id(1), "t", {{2, {1}, 1, 0}, {3, {1}, 1, 0}}},
         ErrorCode::invalid_partitions, "already has 4 partition(s)");
  refuse(PartitionsAdded{topic_id(1), "t", {}}, ErrorCode::invalid_partitions, "already has 4");
  refuse(PartitionsAdded{topic_id(9), "u", {}}, ErrorCode::unknown_topic_id, "'u'");
  EXPECT_EQ(image_->topic("t")->partition_count(), 4);
}

TEST_F(ApplyEvent, TopicConfigsAreSetDeletedAndReplaced) {
  accept(topic_created(1, "t"));
  accept(TopicConfigChanged{topic_id(1), "t", false, {{"b", "1"}, {"a", "2"}, {"c", "3"}}});
  accept(
      TopicConfigChanged{topic_id(1), "t", false, {{"b", std::nullopt}, {"none", std::nullopt}}});
  EXPECT_THAT(image_->topic("t")->configs,
              ElementsAre(ConfigMap::Entry{"a", "2"}, ConfigMap::Entry{"c", "3"}));
  accept(TopicConfigChanged{topic_id(1), "t", true, {{"d", "4"}}});
  EXPECT_THAT(image_->topic("t")->configs, ElementsAre(ConfigMap::Entry{"d", "4"}));
  refuse(TopicConfigChanged{topic_id(2), "t", false, {}}, ErrorCode::unknown_topic_id, "'t'");
}

TEST_F(ApplyEvent, ConfigsOfBrokersAndGroups) {
  const std::int8_t broker = 4;
  accept(ConfigChanged{broker, "", false, {{"log.retention.ms", "7"}}});
  accept(ConfigChanged{broker, "1", false, {{"log.retention.ms", "8"}}});
  accept(ConfigChanged{32, "g", false, {{"consumer.session.timeout.ms", "9"}}});
  EXPECT_EQ(*image_->configs(ConfigResourceType::broker, "").find("log.retention.ms"), "7");
  EXPECT_EQ(*image_->configs(ConfigResourceType::broker, "1").find("log.retention.ms"), "8");
  EXPECT_TRUE(image_->configs(ConfigResourceType::broker, "2").empty());
  EXPECT_TRUE(image_->configs(ConfigResourceType::group, "1").empty());
  accept(ConfigChanged{broker, "1", false, {{"log.retention.ms", std::nullopt}}});
  int resources = 0;
  image_->for_each_config([&](const ConfigResource&, const ConfigMap&) { ++resources; });
  EXPECT_EQ(resources, 2);
  refuse(ConfigChanged{2, "t", false, {{"a", "b"}}}, ErrorCode::invalid_request, "topic id");
}

TEST_F(ApplyEvent, AGroupIsItsLastState) {
  accept(group_updated("g", 2, 5));
  accept(group_updated("g", 0, 6));
  ASSERT_NE(image_->group("g"), nullptr);
  EXPECT_EQ(image_->group("g")->state->generation, 6);
  EXPECT_TRUE(image_->group("g")->state->members.empty());
  EXPECT_EQ(image_->group_count(), 1u);
}

TEST_F(ApplyEvent, OnlyAnEmptyGroupIsDeletedAndItsOffsetsGoAlong) {
  accept(topic_created(1, "t"));
  accept(group_updated("g", 1));
  accept(offset_committed("g", 1, 0, 5));
  refuse(GroupDeleted{"g"}, ErrorCode::non_empty_group, "1 member");
  accept(group_updated("g", 0));
  accept(GroupDeleted{"g"});
  EXPECT_EQ(image_->group("g"), nullptr);
  EXPECT_EQ(image_->offset_count(), 0u);
  refuse(GroupDeleted{"g"}, ErrorCode::group_id_not_found, "Group g not found");
}

TEST_F(ApplyEvent, AnOffsetOfAPartitionThatIsGoneIsLeftOutAndTheRestTaken) {
  accept(topic_created(1, "t", 2));
  OffsetsCommitted event = offset_committed("g", 1, 1, 10);
  event.topics[0].partitions.push_back({2, 11, 0, 0, -1, ""});
  event.topics[0].partitions.push_back({-1, 11, 0, 0, -1, ""});
  event.topics.push_back({topic_id(2), "gone", {{0, 12, 0, 0, -1, ""}}});
  event.topics.push_back({topic_id(1), "t", {{0, 13, 4, 99, 100, "note"}}});
  const ApplyResult result = apply(event);
  EXPECT_TRUE(result.ok());
  const ErrorCode gone = ErrorCode::unknown_topic_or_partition;
  EXPECT_THAT(result.rejected,
              ElementsAre(ApplyResult::Rejected{1, gone}, ApplyResult::Rejected{2, gone},
                          ApplyResult::Rejected{3, gone}));
  EXPECT_EQ(image_->committed("g", topic_id(1), 1)->offset, 10);
  EXPECT_EQ(*image_->committed("g", topic_id(1), 0), (CommittedOffset{13, 0, 4, 99, 100, "note"}));
  EXPECT_EQ(image_->offset_count(), 2u);
  // Nothing taken: no group comes into being.
  apply(offset_committed("h", 2, 0, 1));
  EXPECT_EQ(image_->group("h"), nullptr);
}

TEST_F(ApplyEvent, OffsetsAreDeletedOneByOne) {
  accept(topic_created(1, "t", 3));
  accept(offset_committed("g", 1, 0, 10));
  accept(offset_committed("g", 1, 2, 12));
  accept(OffsetsDeleted{"g", {{topic_id(1), "t", {0, 1, -5}}, {topic_id(5), "", {0}}}});
  EXPECT_EQ(image_->committed("g", topic_id(1), 0), nullptr);
  EXPECT_EQ(image_->committed("g", topic_id(1), 2)->offset, 12);
  EXPECT_EQ(image_->offset_count(), 1u);
  accept(OffsetsDeleted{"g", {{topic_id(1), "t", {2}}}});
  EXPECT_EQ(image_->group("g"), nullptr);
  refuse(OffsetsDeleted{"g", {}}, ErrorCode::group_id_not_found, "Group g");
}

TEST_F(ApplyEvent, ProducerIdBlocksFollowEachOther) {
  EXPECT_EQ(apply(ProducerIdsAllocated{1, 1000}).producer_id_first, 0);
  EXPECT_EQ(apply(ProducerIdsAllocated{2, 500}).producer_id_first, 1000);
  EXPECT_EQ(image_->next_producer_id(), 1500);
  refuse(ProducerIdsAllocated{1, 0}, ErrorCode::invalid_request, "block of 0");
  refuse(ProducerIdsAllocated{1, std::numeric_limits<std::int64_t>::max()},
         ErrorCode::invalid_request, "cannot be taken");
  EXPECT_EQ(image_->next_producer_id(), 1500);
}

TEST_F(ApplyEvent, AClusterKeepsItsId) {
  accept(ClusterCreated{"c1", 5});
  accept(ClusterCreated{"c1", 6});
  EXPECT_EQ(image_->cluster_id(), "c1");
  EXPECT_EQ(image_->cluster_created_ms(), 5);
  refuse(ClusterCreated{"c2", 5}, ErrorCode::inconsistent_cluster_id, "'c1'");
  refuse(ClusterCreated{"", 5}, ErrorCode::invalid_request, "empty");
}

TEST_F(ApplyEvent, BrokersAndFeatures) {
  accept(BrokerRegistered{1, topic_id(1), {{"PLAINTEXT", "h", 9092, 0}}, "r", 5});
  accept(BrokerRegistered{2, topic_id(2), {}, std::nullopt, 5});
  accept(BrokerRemoved{2});
  refuse(BrokerRemoved{2}, ErrorCode::broker_id_not_registered, "2");
  refuse(BrokerRegistered{-1, {}, {}, std::nullopt, 5}, ErrorCode::invalid_request, "-1");
  ASSERT_NE(image_->broker(1), nullptr);
  EXPECT_EQ(image_->broker(1)->endpoints[0].port, 9092);
  EXPECT_EQ(image_->brokers().size(), 1u);
  accept(BrokerFenced{1, true});
  accept(BrokerFenced{1, true});
  EXPECT_TRUE(image_->is_fenced(1));
  accept(BrokerRegistered{1, topic_id(1), {{"PLAINTEXT", "h", 9093, 0}}, "r", 6});
  EXPECT_TRUE(image_->is_fenced(1)) << "only the leader knows whether it is there";
  accept(BrokerFenced{1, false});
  EXPECT_FALSE(image_->is_fenced(1));
  refuse(BrokerFenced{2, true}, ErrorCode::broker_id_not_registered, "2");
  accept(BrokerRegistered{2, topic_id(2), {}, std::nullopt, 5});
  accept(BrokerFenced{2, true});
  accept(BrokerRemoved{2});
  EXPECT_FALSE(image_->is_fenced(2)) << "who comes again under this id begins anew";
  accept(FeatureLevelChanged{"group.version", 1});
  EXPECT_EQ(image_->feature_level("group.version"), 1);
  accept(FeatureLevelChanged{"group.version", 0});
  EXPECT_EQ(image_->feature_level("group.version"), 0);
  EXPECT_TRUE(image_->features().empty());
  refuse(FeatureLevelChanged{"group.version", -1}, ErrorCode::invalid_request, "-1");
}

TEST_F(ApplyEvent, TheDeltaNamesWhatChanged) {
  accept(topic_created(1, "kept"));
  accept(topic_created(2, "dropped"));
  const auto before = image_->shared_topic("kept");
  ImageBuilder builder(image_);
  builder.apply(TopicConfigChanged{topic_id(1), "kept", false, {{"a", "b"}}});
  builder.apply(topic_created(3, "short-lived"));
  builder.apply(topic_deleted(2, "dropped"));
  builder.apply(topic_deleted(3, "short-lived"));
  builder.apply(topic_created(4, "new"));
  builder.apply(PartitionsAdded{topic_id(4), "new", {{1, {1}, 1, 0}}});
  builder.apply(topic_created(5, "kept"));  // refused
  builder.apply(group_updated("g", 1));
  builder.apply(ConfigChanged{4, "1", false, {{"a", "b"}}});
  builder.set_applied(9, 90);
  const auto [after, delta] = builder.finish();
  EXPECT_EQ(after->applied_index(), 9);
  EXPECT_EQ(after->applied_offset(), 90);
  ASSERT_EQ(delta.topics.size(), 3u);
  EXPECT_EQ(delta.topics[0].before, before);
  EXPECT_EQ(delta.topics[0].after, after->shared_topic("kept"));
  EXPECT_EQ(delta.topics[1].before->name, "dropped");
  EXPECT_EQ(delta.topics[1].after, nullptr);
  EXPECT_EQ(delta.topics[2].before, nullptr);
  EXPECT_EQ(delta.topics[2].after->partition_count(), 2);
  EXPECT_THAT(delta.groups, ElementsAre("g"));
  EXPECT_THAT(delta.configs, ElementsAre(ConfigResource{ConfigResourceType::broker, "1"}));
  EXPECT_FALSE(delta.offsets);
  EXPECT_FALSE(delta.empty());
}

TEST_F(ApplyEvent, AnOlderImageNeverChanges) {
  EventSource source([random = Random(3)]() mutable { return random.next(); });
  std::vector<std::pair<std::shared_ptr<const Image>, std::array<std::size_t, 4>>> kept;
  const auto counts = [](const Image& image) {
    std::size_t offsets = 0;
    image.for_each_group([&](const Group& group) {
      group.offsets.for_each([&](const Uuid&, const CommittedOffset&) { ++offsets; });
    });
    EXPECT_EQ(offsets, image.offset_count());
    std::size_t partitions = 0;
    image.for_each_topic(
        [&](const std::shared_ptr<const Topic>& topic) { partitions += topic->partitions.size(); });
    EXPECT_EQ(partitions, image.partition_count());
    return std::array{image.topic_count(), partitions, image.group_count(), offsets};
  };
  for (int i = 0; i < 3000; ++i) {
    apply(source.next());
    if (i % 100 == 0) kept.emplace_back(image_, counts(*image_));
  }
  EXPECT_GT(image_->topic_count(), 5u);
  EXPECT_GT(image_->offset_count(), 20u);
  for (const auto& [image, then] : kept) EXPECT_EQ(counts(*image), then);
}

}  // namespace
}  // namespace chronik::metadata
