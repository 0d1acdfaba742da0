// ApplyEvent as stories: runs testdata/*.txt (base/testing/transcript.h). testdata/README.txt lists
// the commands.
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "base/testing/transcript.h"
#include "metadata/apply.h"
#include "metadata/event_source.h"
#include "metadata/image_events.h"

namespace chronik::metadata {
namespace {

using Words = std::vector<std::string>;

Words split(const std::string& text, char separator) {
  Words words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, separator);) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

int number(const std::string& text) { return std::stoi(text); }

/// Takes key=value pairs of these keys out of the words.
std::string take(Words& words, const std::string& key, const std::string& otherwise) {
  for (auto word = words.begin(); word != words.end(); ++word) {
    if (!word->starts_with(key + "=")) continue;
    std::string value = word->substr(key.size() + 1);
    words.erase(word);
    return value;
  }
  return otherwise;
}

template <class Change>
std::vector<Change> changes(Words& words, bool& replace) {
  std::vector<Change> result;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (word == "replace") {
      replace = true;
    } else if (equals == std::string::npos) {
      result.push_back({word.substr(0, word.size() - 1), std::nullopt});
    } else {
      result.push_back({word.substr(0, equals), word.substr(equals + 1)});
    }
  }
  return result;
}

/// "3:1=7" -> topic 3, partition 1, offset 7.
struct Position {
  explicit Position(const std::string& text) {
    const Words parts = split(text, ':');
    topic = static_cast<std::uint64_t>(number(parts[0]));
    const Words rest = split(parts[1], '=');
    partition = number(rest[0]);
    if (rest.size() > 1) offset = number(rest[1]);
  }
  std::uint64_t topic = 0;
  PartitionId partition = 0;
  Offset offset = 0;
};

Uuid directory_of(BrokerId broker) { return topic_id(100 + static_cast<std::uint64_t>(broker)); }

MetadataEvent create(Words words) {
  const int partitions = number(take(words, "partitions", "1"));
  const Words replicas = split(take(words, "replicas", "1"), '+');
  const bool founded = take(words, "founded", "no") == "yes";
  TopicCreated event =
      topic_created(static_cast<std::uint64_t>(number(words[0])), words[1], partitions);
  for (auto& partition : event.partitions) {
    partition.replicas.clear();
    for (const std::string& replica : replicas) {
      partition.replicas.push_back(number(replica));
      if (founded) partition.directories.push_back(directory_of(number(replica)));
    }
    partition.leader = partition.replicas.front();
  }
  for (std::size_t i = 2; i < words.size(); ++i) {
    const Words pair = split(words[i], '=');
    event.configs.push_back({pair[0], pair[1]});
  }
  return event;
}

MetadataEvent add(const Words& words) {
  PartitionsAdded event{topic_id(static_cast<std::uint64_t>(number(words[0]))), "", {}};
  for (int i = 0; i < number(words[2]); ++i) {
    event.partitions.push_back({number(words[1]) + i, {1}, 1, 0});
  }
  return event;
}

MetadataEvent recover(Words words) {
  const Position at(words[0]);
  PartitionRecovered event;
  event.topic_id = topic_id(at.topic);
  event.partition_index = at.partition;
  event.recovery = number(words[1]);
  event.survivor = number(words[2]);
  event.directory = directory_of(event.survivor);
  event.term = number(take(words, "term", "1"));
  event.recovered_ms = 1;
  return event;
}

MetadataEvent configure_topic(Words words) {
  TopicConfigChanged event{topic_id(static_cast<std::uint64_t>(number(words[0]))), "", false, {}};
  words.erase(words.begin());
  event.changes = changes<TopicConfigChanged::Change>(words, event.replace);
  return event;
}

MetadataEvent configure(Words words) {
  static const std::map<std::string, std::int8_t> types = {
      {"topic", std::int8_t{2}}, {"broker", std::int8_t{4}}, {"group", std::int8_t{32}}};
  ConfigChanged event{types.at(words[0]), words[1] == "default" ? "" : words[1], false, {}};
  words.erase(words.begin(), words.begin() + 2);
  event.changes = changes<ConfigChanged::Change>(words, event.replace);
  return event;
}

MetadataEvent commit(const Words& words) {
  OffsetsCommitted event{words[0], {}};
  for (std::size_t i = 1; i < words.size(); ++i) {
    const Position position(words[i]);
    event.topics.push_back({topic_id(position.topic), "", {}});
    event.topics.back().partitions.push_back({position.partition, position.offset, 0, 1, -1, ""});
  }
  return event;
}

MetadataEvent delete_offsets(const Words& words) {
  OffsetsDeleted event{words[0], {}};
  for (std::size_t i = 1; i < words.size(); ++i) {
    const Position position(words[i]);
    event.topics.push_back({topic_id(position.topic), "", {position.partition}});
  }
  return event;
}

MetadataEvent event_of(const std::string& command, Words words) {
  const auto id = [&] { return static_cast<std::uint64_t>(number(words[0])); };
  if (command == "cluster") return ClusterCreated{words[0], 1};
  if (command == "feature") {
    return FeatureLevelChanged{words[0], static_cast<std::int16_t>(number(words[1]))};
  }
  if (command == "broker") {
    BrokerRegistered event{number(words[0]), {}, {}, std::nullopt, 1};
    const Words address = split(words.at(1), ':');
    event.endpoints.push_back(
        {"PLAINTEXT", address[0], static_cast<std::uint16_t>(number(address[1])), 0});
    return event;
  }
  if (command == "remove-broker") return BrokerRemoved{number(words[0])};
  if (command == "fence") return BrokerFenced{number(words[0]), true};
  if (command == "unfence") return BrokerFenced{number(words[0]), false};
  if (command == "create") return create(words);
  if (command == "delete") return topic_deleted(id(), "");
  if (command == "add") return add(words);
  if (command == "recover") return recover(words);
  if (command == "config") return configure_topic(words);
  if (command == "configure") return configure(words);
  if (command == "group") {
    const int members = number(take(words, "members", "0"));
    return group_updated(words[0], members, number(take(words, "generation", "1")));
  }
  if (command == "delete-group") return GroupDeleted{words[0]};
  if (command == "commit") return commit(words);
  if (command == "delete-offsets") return delete_offsets(words);
  EXPECT_EQ(command, "producer-ids");
  return ProducerIdsAllocated{number(words[0]), number(words[1])};
}

std::string describe(const ApplyResult& result) {
  if (!result.ok()) {
    return fmt::format("{}: {}\n", protocol::error_name(result.code), result.message);
  }
  std::string text = "accepted";
  if (result.producer_id_first >= 0) text += fmt::format(", from {}", result.producer_id_first);
  for (const ApplyResult::Rejected& rejected : result.rejected) {
    text += fmt::format(", without #{}: {}", rejected.index, protocol::error_name(rejected.code));
  }
  return text + "\n";
}

std::string run(std::shared_ptr<const Image>& image, const std::string& line) {
  if (line == "image") return dump_image(image);
  const bool batch = line.starts_with("batch ");
  ImageBuilder builder(image);
  std::string output;
  for (const std::string& part : batch ? split(line.substr(6), ';') : Words{line}) {
    Words words = split(part, ' ');
    const std::string command = words.front();
    words.erase(words.begin());
    output += describe(builder.apply(event_of(command, words)));
  }
  image = builder.finish().image;
  return output;
}

class ApplyTranscript : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(ApplyTranscript, ReadsAsRecorded) {
  std::shared_ptr<const Image> image = std::make_shared<const Image>();
  const Replayed replayed =
      replay_file(GetParam(), [&](const std::string& command) { return run(image, command); });
  EXPECT_EQ(replayed.recorded, replayed.actual) << how_to_rewrite;
}

INSTANTIATE_TEST_SUITE_P(Stories, ApplyTranscript,
                         ::testing::ValuesIn(transcripts("metadata/testdata")),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace chronik::metadata
