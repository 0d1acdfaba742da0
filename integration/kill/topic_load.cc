#include "integration/kill/topic_load.h"

#include <fmt/format.h>

namespace chronik::integration {

namespace {
constexpr int topics_max = 12;
}

TopicLoad::TopicLoad(const std::string& bootstrap, std::uint64_t seed, const std::string& names,
                     std::int32_t through, int replication)
    : bootstrap_(bootstrap),
      replication_(replication),
      with_records_(through < 0 || replication > 1),
      admin_(bootstrap),
      random_(seed) {
  admin_.go_through(through);
  for (int i = 0; i < topics_max; ++i) topics_.push_back({.name = fmt::format("{}-{}", names, i)});
}

void TopicLoad::step() { advance(topics_[random_.below(topics_.size())]); }

void TopicLoad::advance(Topic& topic) {
  switch (topic.state) {
    case State::absent:
    case State::creating:
      return create(topic);
    case State::deleting:
      return remove(topic);
    case State::present:
      return !with_records_ || random_.below(3) == 0 ? remove(topic) : write(topic);
  }
}

void TopicLoad::create(Topic& topic) {
  if (topic.state == State::absent) {
    topic.state = State::creating;
    topic.partitions = 1 + static_cast<int>(random_.below(5));
    ++topic.life;
    topic.records = topic.records_attempted = 0;
  }
  const Outcome outcome = admin_.create_topic(
      {.name = topic.name, .partitions = topic.partitions, .replication = replication_});
  if (outcome.ok() || outcome.error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
    topic.state = State::present;
    ++created_;
  }
}

void TopicLoad::remove(Topic& topic) {
  topic.state = State::deleting;
  const Outcome outcome = admin_.delete_topic(topic.name);
  if (outcome.ok() || outcome.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
    topic.state = State::absent;
    ++deleted_;
  }
}

// A producer of its own for each record: what a client remembers of the topic's former life, or
// tries again, is not what is looked at here.
void TopicLoad::write(Topic& topic) {
  ClientConfig config{{"message.timeout.ms", "2000"}};
  // It sends again what another node may have taken, whatever it is told of retries.
  if (replication_ > 1) {
    config["enable.idempotence"] = "true";
  } else {
    config["message.send.max.retries"] = "0";
  }
  Producer producer(bootstrap_, config);
  const std::string value = fmt::format("{}:{}", topic.life, topic.records_attempted++);
  if (producer.send({.topic = topic.name, .partition = 0, .value = value}).error ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++topic.records;
    ++written_;
  }
}

void TopicLoad::finish() {
  for (Topic& topic : topics_) {
    while (topic.state == State::creating || topic.state == State::deleting) advance(topic);
  }
}

void TopicLoad::check(bool all, Problems& problems) {
  const auto found = admin_.topics();
  for (const Topic& topic : topics_) {
    const auto entry = found.find(topic.name);
    if (topic.state == State::present) {
      if (entry == found.end()) {
        problems.push_back(topic.name + " was created and is not there");
      } else if (entry->second.leaders.size() != static_cast<std::size_t>(topic.partitions)) {
        problems.push_back(fmt::format("{} has {} partitions, not {}", topic.name,
                                       entry->second.leaders.size(), topic.partitions));
      } else if (all && with_records_) {
        check_records(topic, problems);
      }
    } else if (topic.state == State::absent && entry != found.end()) {
      problems.push_back(topic.name + " was deleted and is there");
    }
  }
}

void TopicLoad::check_records(const Topic& topic, Problems& problems) const {
  Consumer consumer(bootstrap_, "");
  const std::int64_t end = consumer.watermarks(topic.name, 0).second;
  consumer.assign({{topic.name, 0, 0}});
  if (end < topic.records || end > topic.records_attempted) {
    problems.push_back(fmt::format("{}: {} records, acknowledged {}, tried {}", topic.name, end,
                                   topic.records, topic.records_attempted));
  }
  const std::string life = std::to_string(topic.life) + ":";
  for (const Message& m :
       consumer.consume(static_cast<std::size_t>(std::max<std::int64_t>(end, 0)))) {
    if (m.value->rfind(life, 0) != 0) {
      problems.push_back(fmt::format("{} of life {} holds {}", topic.name, topic.life, *m.value));
    }
  }
}

std::vector<std::string> TopicLoad::absent() const {
  std::vector<std::string> names;
  for (const Topic& topic : topics_) {
    if (topic.state == State::absent) names.push_back(topic.name);
  }
  return names;
}

std::string TopicLoad::counts() const {
  return fmt::format("{} topics created, {} deleted, {} records in them", created_, deleted_,
                     written_);
}

}  // namespace chronik::integration
