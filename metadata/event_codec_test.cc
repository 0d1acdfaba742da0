// ProposeEvent: what a proposer hands in comes out of the log as it was; bytes of newer builds are
// met with a clear word.
#include "metadata/event_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "metadata/apply.h"
#include "metadata/event_source.h"
#include "metadata/image_events.h"

namespace chronik::metadata {
namespace {

using ::testing::HasSubstr;

Bytes encoded(const MetadataEvent& event) {
  Writer writer;
  encode_event(writer, event);
  return writer.take_bytes();
}

EventSource source_of(std::uint64_t seed) {
  return EventSource([random = Random(seed)]() mutable { return random.next(); });
}

TEST(ProposeEvent, EveryKindComesBackAsItWas) {
  EventSource source = source_of(1);
  std::vector<int> seen(std::variant_size_v<MetadataEvent>);
  for (int i = 0; i < 5000; ++i) {
    const MetadataEvent event = source.next();
    const auto decoded = decode_event(encoded(event));
    ASSERT_TRUE(decoded) << decoded.error().message;
    ASSERT_TRUE(*decoded);
    EXPECT_EQ(**decoded, event) << describe_event(event);
    ++seen[event.index()];
  }
  for (std::size_t kind = 0; kind < seen.size(); ++kind) EXPECT_GT(seen[kind], 0) << kind;
}

// The numbers lie on disk: they never change.
TEST(ProposeEvent, KindsKeepTheirNumbers) {
  const std::vector<std::pair<MetadataEvent, std::uint8_t>> numbers = {
      {ClusterCreated{}, 1},
      {FeatureLevelChanged{}, 2},
      {BrokerRegistered{}, 3},
      {BrokerRemoved{}, 4},
      {BrokerFenced{}, 5},
      {TopicCreated{}, 10},
      {TopicDeleted{}, 11},
      {PartitionsAdded{}, 12},
      {TopicConfigChanged{}, 13},
      {ConfigChanged{}, 14},
      {PartitionReplicasChanged{}, 15},
      {PartitionGroupFounded{}, 16},
      {PartitionRecovered{}, 17},
      {GroupUpdated{}, 20},
      {GroupDeleted{}, 21},
      {OffsetsCommitted{}, 22},
      {OffsetsDeleted{}, 23},
      {ProducerIdsAllocated{}, 30}};
  EXPECT_EQ(numbers.size(), std::variant_size_v<MetadataEvent>);
  for (const auto& [event, number] : numbers) {
    const Bytes bytes = encoded(event);
    EXPECT_EQ(bytes[0], 1) << event_name(event);
    EXPECT_EQ(bytes[1], number) << event_name(event);
    EXPECT_EQ(bytes[2], 0) << event_name(event);
    EXPECT_EQ(bytes[3], 0) << event_name(event);
  }
}

TEST(ProposeEvent, TheBytesOfAnEventStayWhatTheyAre) {
  const Bytes bytes = encoded(offset_committed("g", 1, 2, 3));
  const Bytes
      expected = {1,    22,   0,    0,  // frame
                  2,    'g',            // group
                  2,                    // one topic
                  1,    0,    0,    0,    0,    0,    0,    0,    0,
                  0,    0,    0,    0,    0,    0,    1,    1,  // id, empty name
                  2,                                            // one partition
                  0,    0,    0,    2,    0,    0,    0,    0,    0,
                  0,    0,    3,    0,    0,    0,    0,        // partition, offset, leader epoch
                  0,    0,    1,    0x8b, 0xcf, 0xe5, 0x68, 0,  // commit time
                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,  // expire time, empty metadata
                  0,    0,    0};                                     // no tags
  EXPECT_EQ(bytes, expected);
}

TEST(ProposeEvent, AFieldThatANewerBuildAddedIsSteppedOver) {
  Bytes bytes = encoded(GroupDeleted{"g"});
  ASSERT_EQ(bytes.back(), 0);  // count of tagged fields
  bytes.back() = 1;
  bytes.insert(bytes.end(), {7, 2, 0xaa, 0xbb});
  const auto decoded = decode_event(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(std::get<GroupDeleted>(**decoded).group_id, "g");
}

TEST(ProposeEvent, AKindThatThisBuildDoesNotKnowStopsItUnlessMarkedIgnorable) {
  const auto unknown = decode_event(Bytes{1, 99, 0, 0, 1, 2, 3});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::unsupported);
  EXPECT_THAT(unknown.error().message, HasSubstr("unknown kind 99"));
  EXPECT_THAT(unknown.error().message, HasSubstr("newer chronik"));
  const auto ignorable = decode_event(Bytes{1, 99, 0, 1, 1, 2, 3});
  ASSERT_TRUE(ignorable);
  EXPECT_FALSE(*ignorable);
  const auto version = decode_event(Bytes{1, 21, 5, 0, 1});
  ASSERT_FALSE(version);
  EXPECT_THAT(version.error().message, HasSubstr("GroupDeleted version 5"));
  const auto skipped = decode_event(Bytes{1, 21, 5, 1, 1});
  ASSERT_TRUE(skipped);
  EXPECT_FALSE(*skipped);
  EXPECT_EQ(decode_event(Bytes{2, 21, 0, 0, 1}).error().code, Errc::unsupported);
  EXPECT_EQ(decode_event(Bytes{1, 21, 0, 2, 1}).error().code, Errc::unsupported);
}

TEST(ProposeEvent, DamageIsNamedAndNeverAborts) {
  EXPECT_EQ(decode_event(Bytes{}).error().code, Errc::corrupt);
  Bytes bytes = encoded(topic_created(1, "orders", 3));
  const auto cut = decode_event(ByteView(bytes).first(bytes.size() - 1));
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Errc::corrupt);
  bytes.push_back(0);
  EXPECT_THAT(decode_event(bytes).error().message, HasSubstr("left over"));
  Random random(5);
  EventSource source = source_of(2);
  std::shared_ptr<const Image> image = std::make_shared<const Image>();
  for (int i = 0; i < 5000; ++i) {
    Bytes damaged = encoded(source.next());
    damaged[random.below(damaged.size())] ^= static_cast<std::uint8_t>(1 + random.below(255));
    const auto decoded = decode_event(damaged);
    if (decoded && *decoded) image = apply_event(image, **decoded).first;
  }
}

// ApplyEvent of what was written equals apply of what was handed in.
TEST(ProposeEvent, SerialisedEventsGiveTheSameImageAndResults) {
  EventSource source = source_of(3);
  std::shared_ptr<const Image> direct = std::make_shared<const Image>();
  std::shared_ptr<const Image> serialised = direct;
  for (int i = 0; i < 3000; ++i) {
    const MetadataEvent event = source.next();
    auto [next, result] = apply_event(direct, event);
    auto [next_serialised, same] = apply_event(serialised, **decode_event(encoded(event)));
    ASSERT_EQ(result, same) << describe_event(event);
    direct = next;
    serialised = next_serialised;
  }
  EXPECT_EQ(dump_image(direct), dump_image(serialised));
  EXPECT_EQ(image_hash(direct), image_hash(serialised));
}

// ReadPath: the image's events make the image, in one batch or one by one.
TEST(ReadPath, TheEventsOfAnImageMakeIt) {
  for (std::uint64_t seed = 10; seed < 20; ++seed) {
    EventSource source = source_of(seed);
    std::shared_ptr<const Image> image = std::make_shared<const Image>();
    ImageBuilder all(image);
    for (int i = 0; i < 2000; ++i) {
      const MetadataEvent event = source.next();
      all.apply(event);
      image = apply_event(image, event).first;
    }
    const auto in_one = all.finish().image;
    ASSERT_EQ(dump_image(in_one), dump_image(image));
    ASSERT_EQ(image_hash(in_one), image_hash(image));
    ImageBuilder builder(std::make_shared<const Image>());
    ImageEvents events(image);
    while (const auto event = events.next()) {
      const ApplyResult result = builder.apply(*event);
      EXPECT_TRUE(result.ok()) << result.message;
      EXPECT_TRUE(result.rejected.empty());
    }
    const auto rebuilt = builder.finish().image;
    EXPECT_EQ(dump_image(rebuilt), dump_image(image));
    EXPECT_EQ(image_hash(rebuilt), image_hash(image));
    EXPECT_EQ(rebuilt->offset_count(), image->offset_count());
    EXPECT_EQ(rebuilt->partition_count(), image->partition_count());
  }
}

TEST(ReadPath, ImagesThatDifferHaveDifferentHashesAndDumps) {
  auto empty = std::make_shared<const Image>();
  auto one = apply_event(empty, topic_created(1, "t")).first;
  auto two = apply_event(one, TopicConfigChanged{topic_id(1), "", false, {{"a", "b"}}}).first;
  EXPECT_NE(image_hash(empty), image_hash(one));
  EXPECT_NE(image_hash(one), image_hash(two));
  EXPECT_EQ(dump_image(empty), "");
  EXPECT_THAT(dump_image(two), HasSubstr("TopicCreated {"));
  EXPECT_THAT(dump_image(two), HasSubstr("\"name\":\"t\""));
}

}  // namespace
}  // namespace chronik::metadata
