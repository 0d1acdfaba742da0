#include "broker/settings/value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/settings/table.h"

namespace chronik::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string canonical(std::string_view name, std::string_view text) {
  const SettingDefinition* definition = find_broker_setting(name);
  if (definition == nullptr) definition = topic_settings().find(name);
  const Result<std::string> value = canonical_value(*definition, text);
  return value ? *value : "error: " + value.error().message;
}

TEST(Value, IsReadAsKafkaReadsIt) {
  EXPECT_EQ(canonical("log.retention.ms", " 77 "), "77");
  EXPECT_EQ(canonical("log.retention.ms", "+5"), "5");
  EXPECT_EQ(canonical("log.retention.ms", "007"), "7");
  EXPECT_EQ(canonical("log.preallocate", "TRUE"), "true");
  EXPECT_EQ(canonical("listeners", "PLAINTEXT://:1 , B://:2"), "PLAINTEXT://:1,B://:2");
  EXPECT_EQ(canonical("log.cleanup.policy", ""), "");
  EXPECT_EQ(canonical("log.cleaner.min.cleanable.ratio", ".5"), "0.5");
  EXPECT_EQ(canonical("log.cleaner.min.cleanable.ratio", "1"), "1.0");
  EXPECT_EQ(canonical("group.consumer.migration.policy", "Upgrade"), "Upgrade");
  EXPECT_EQ(canonical("compression.gzip.level", "-1"), "-1");
}

TEST(Value, OfTheWrongTypeIsRefusedInKafkasWords) {
  EXPECT_EQ(canonical("retention.ms", "abc"), "error: Not a number of type LONG");
  EXPECT_EQ(canonical("retention.ms", ""), "error: Not a number of type LONG");
  EXPECT_EQ(canonical("retention.ms", "1 2"), "error: Not a number of type LONG");
  EXPECT_EQ(canonical("retention.ms", "+-1"), "error: Not a number of type LONG");
  EXPECT_EQ(canonical("retention.ms", "0x10"), "error: Not a number of type LONG");
  EXPECT_EQ(canonical("retention.ms", "9223372036854775808"), "error: Not a number of type LONG");
  EXPECT_EQ(canonical("segment.bytes", "99999999999"), "error: Not a number of type INT");
  EXPECT_EQ(canonical("offsets.topic.replication.factor", "40000"),
            "error: Not a number of type SHORT");
  EXPECT_EQ(canonical("min.cleanable.dirty.ratio", "nan"), "error: Not a number of type DOUBLE");
  EXPECT_EQ(canonical("preallocate", "maybe"), "error: Expected value to be either true or false");
}

TEST(Value, OutOfItsBoundsIsRefusedInKafkasWords) {
  EXPECT_EQ(canonical("segment.bytes", "1"), "error: Value must be at least 1048576");
  EXPECT_EQ(canonical("retention.ms", "-2"), "error: Value must be at least -1");
  EXPECT_EQ(canonical("min.cleanable.dirty.ratio", "2"), "error: Value must be no more than 1");
  EXPECT_EQ(canonical("compression.gzip.level", "0"),
            "error: Value must be between 1 and 9 or equal to -1");
  EXPECT_EQ(canonical("compression.type", "bz"),
            "error: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer");
  EXPECT_EQ(canonical("cleanup.policy", "foo"), "error: String must be one of: compact, delete");
  EXPECT_EQ(canonical("cleanup.policy", "compact,foo"),
            "error: 'foo' must be one of: compact, delete");
  EXPECT_EQ(canonical("remote.log.metadata.manager.impl.prefix", " "),
            "error: String must be non-empty");
  EXPECT_THAT(canonical("leader.replication.throttled.replicas", "x"),
              testing::HasSubstr("must be the literal '*' or a list of replicas"));
  EXPECT_EQ(canonical("leader.replication.throttled.replicas", "0:1, 2:3"), "0:1,2:3");
  EXPECT_EQ(canonical("leader.replication.throttled.replicas", "*"), "*");
}

TEST(Value, DoublesArePrintedAsJavaDoes) {
  EXPECT_EQ(format_double(0.5), "0.5");
  EXPECT_EQ(format_double(2), "2.0");
  EXPECT_EQ(format_double(-0.05), "-0.05");
  EXPECT_EQ(format_double(1e7), "1.0E7");
  EXPECT_EQ(format_double(1.5e-4), "1.5E-4");
  EXPECT_EQ(format_double(std::numeric_limits<double>::max()), "1.7976931348623157E308");
}

TEST(Value, ListsAreSplitAtCommas) {
  EXPECT_THAT(split_list("  "), IsEmpty());
  EXPECT_THAT(split_list(" a , b,c "), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split_list(",a,"), ElementsAre("", "a", ""));
  EXPECT_EQ(join_list({"", "a", ""}), ",a,");
}

TEST(Value, SecretsAndControlCharactersAreNotShown) {
  EXPECT_EQ(shown("ssl.key.password", "hunter2"), "[hidden]");
  EXPECT_EQ(shown("listener.name.a.ssl.key.password", "hunter2"), "[hidden]");
  EXPECT_EQ(shown("ssl.key.passwort", "hunter2"), "[hidden]");
  EXPECT_EQ(shown("rack", "a\nb"), "a\\x0ab");
  EXPECT_EQ(shown("rack", std::string(200, 'x')).size(), 123u);
}

}  // namespace
}  // namespace chronik::broker
