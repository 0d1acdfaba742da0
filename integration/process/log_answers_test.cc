// The answers of the APIs around a partition's log, in all their versions, as Apache Kafka 4.4
// gives them (testdata/log_answers.txt; harness/recorded_answers.h says how it was recorded).
#include <gtest/gtest.h>

#include "integration/harness/recorded_answers.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/messages/produce.h"
#include "protocol/record_builder.h"

namespace chronik::integration {
namespace {

using namespace protocol;  // NOLINT: the messages of nine APIs

constexpr Timestamp some_day = 1'700'000'000'000;

ByteView text(std::string_view characters) {
  return {reinterpret_cast<const std::uint8_t*>(characters.data()), characters.size()};
}

/// `count` records, a second apart from `first` on.
SharedBytes batch(int count, Timestamp first = some_day, const BatchOptions& options = {}) {
  BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) builder.append(first + 1000 * i, text("key"), text("value"));
  return builder.build();
}

SharedBytes by_producer(ProducerId id, ProducerEpoch epoch, Sequence sequence, int count = 2) {
  return batch(count, some_day,
               {.producer_id = id, .producer_epoch = epoch, .base_sequence = sequence});
}

class LogAnswers {
 public:
  LogAnswers() : to("log_answers.txt") {
    log_ = create("log", 2, {});
    small_ = create("small", 1, {{"max.message.bytes", "100"}});
    compacted_ = create("compacted", 1, {{"cleanup.policy", "compact"}});
  }

  Uuid id_of(const std::string& topic) const {
    if (topic == "log") return log_;
    if (topic == "small") return small_;
    if (topic == "compacted") return compacted_;
    return Uuid::from_random(77, 77);
  }

  ProduceRequest produce(const std::string& topic, std::int32_t partition, RecordsField records,
                         std::int16_t acks = -1) const {
    ProduceRequest request;
    request.acks = acks;
    request.timeout_ms = 10'000;
    auto& data = request.topic_data.emplace_back();
    data.name = topic;
    data.topic_id = id_of(topic);
    auto& one = data.partition_data.emplace_back();
    one.index = partition;
    one.records = std::move(records);
    return request;
  }

  FetchRequest fetch(const std::string& topic, std::int32_t partition, Offset offset) const {
    FetchRequest request;
    request.max_bytes = 1 << 20;
    auto& from = request.topics.emplace_back();
    from.topic = topic;
    from.topic_id = id_of(topic);
    auto& one = from.partitions.emplace_back();
    one.partition = partition;
    one.fetch_offset = offset;
    one.partition_max_bytes = 1 << 20;
    return request;
  }

  static ListOffsetsRequest list(const std::string& topic, std::int32_t partition,
                                 Timestamp timestamp) {
    ListOffsetsRequest request;
    request.replica_id = -1;
    auto& of = request.topics.emplace_back();
    of.name = topic;
    auto& one = of.partitions.emplace_back();
    one.partition_index = partition;
    one.timestamp = timestamp;
    return request;
  }

  static DeleteRecordsRequest delete_before(const std::string& topic, std::int32_t partition,
                                            Offset offset) {
    DeleteRecordsRequest request;
    request.timeout_ms = 10'000;
    auto& of = request.topics.emplace_back();
    of.name = topic;
    auto& one = of.partitions.emplace_back();
    one.partition_index = partition;
    one.offset = offset;
    return request;
  }

  /// Our messages say what is wrong where Kafka's say nothing.
  void show_produce(const std::string& what, std::int16_t version, const ProduceRequest& request) {
    to.show(what, version, request, [](ProduceResponse& response) {
      for (auto& topic : response.responses) {
        for (auto& partition : topic.partition_responses) {
          if (partition.record_errors.empty()) partition.error_message.reset();
        }
      }
    });
  }

  RecordedAnswers to;

 private:
  using Configs = std::vector<std::pair<std::string, std::string>>;

  Uuid create(const std::string& name, std::int32_t partitions, const Configs& configs) {
    CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    for (const auto& [key, value] : configs) {
      auto& config = topic.configs.emplace_back();
      config.name = key;
      config.value = value;
    }
    const auto created = to.await(7, request, [](const CreateTopicsResponse& response) {
      return response.topics.at(0).error_code == 0;
    });
    if (created.topics.empty()) return {};
    to.call_it(created.topics[0].topic_id.to_string(), "<" + name + ">");
    for (std::int32_t p = 0; p < partitions; ++p) {
      to.await(7, list(name, p, -1), [](const ListOffsetsResponse& response) {
        return response.topics.at(0).partitions.at(0).error_code == 0;
      });
    }
    return created.topics[0].topic_id;
  }

  Uuid log_, small_, compacted_;
};

void produce_in_every_version(LogAnswers& log) {
  for (std::int16_t version = 3; version <= 13; ++version) {
    log.show_produce("two records", version, log.produce("log", 0, RecordsField(batch(2))));
    log.show_produce("acks 1", version, log.produce("log", 1, RecordsField(batch(1)), 1));
    log.show_produce("acks 2", version, log.produce("log", 0, RecordsField(batch(1)), 2));
    log.show_produce("no such partition", version, log.produce("log", 9, RecordsField(batch(1))));
    log.show_produce("no such topic", version, log.produce("nolog", 0, RecordsField(batch(1))));
    log.show_produce("two batches", version, [&] {
      ByteChain two;
      two.append(batch(1));
      two.append(batch(1));
      return log.produce("log", 0, RecordsField(std::move(two)));
    }());
    log.show_produce("too large", version, log.produce("small", 0, RecordsField(batch(20))));
    log.show_produce("a broken checksum", version, [&] {
      SharedBytes broken = batch(1);
      broken.mutable_view()[broken.size() - 1] ^= 1;
      return log.produce("log", 0, RecordsField(std::move(broken)));
    }());
    log.show_produce("no key for a compacted topic", version, [&] {
      BatchBuilder builder({});
      builder.append(some_day, text("key"), text("value"));
      builder.append(some_day, std::nullopt, text("value"));
      return log.produce("compacted", 0, RecordsField(builder.build()));
    }());
  }
}

void idempotent_producers(LogAnswers& log) {
  RecordedAnswers& to = log.to;
  const auto produce = [&](const std::string& what, const SharedBytes& records) {
    log.show_produce(what, 12, log.produce("log", 0, RecordsField(records)));
  };
  produce("first of a producer", by_producer(4000, 0, 0));
  produce("next", by_producer(4000, 0, 2));
  // Kafka's answer to a batch it has already carries the time of its last record as that of the
  // append, and the Java client takes it for all of them: a bug that has no place here.
  produce("part of it again", by_producer(4000, 0, 1));
  produce("a gap", by_producer(4000, 0, 9));
  produce("a new epoch that does not begin at 0", by_producer(4000, 1, 4));
  produce("a new epoch", by_producer(4000, 1, 0));
  produce("the old epoch", by_producer(4000, 0, 4));
  produce("an unknown producer in the middle", by_producer(4001, 3, 100));
  InitProducerIdRequest first;
  first.transactional_id.reset();
  to.await(5, first,
           [](const InitProducerIdResponse& response) { return response.error_code == 0; });
  for (std::int16_t version = 0; version <= 5; ++version) {
    InitProducerIdRequest request;
    request.transactional_id.reset();
    request.transaction_timeout_ms = 1000;
    const auto any_id = [](InitProducerIdResponse& response) {
      if (response.producer_id >= 0) response.producer_id = 0;
    };
    to.show("idempotent", version, request, any_id);
    if (version >= 3) {
      request.producer_id = 4000;
      request.producer_epoch = 1;
      to.show("with an id", version, request, any_id);
    }
    request = {};
    request.transactional_id = "";
    to.show("an empty transactional id", version, request, any_id);
  }
}

void describe_producers(LogAnswers& log) {
  DescribeProducersRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "log";
  topic.partition_indexes = {0, 1, 7};
  auto& unknown = request.topics.emplace_back();
  unknown.name = "nolog";
  unknown.partition_indexes = {0};
  log.to.show("of partitions", 0, request, [](DescribeProducersResponse& response) {
    for (auto& of : response.topics) {
      std::sort(of.partitions.begin(), of.partitions.end(),
                [](const auto& a, const auto& b) { return a.partition_index < b.partition_index; });
      for (auto& partition : of.partitions) {
        partition.error_message.reset();
        std::sort(partition.active_producers.begin(), partition.active_producers.end(),
                  [](const auto& a, const auto& b) { return a.producer_id < b.producer_id; });
      }
    }
  });
}

void fetch_in_every_version(LogAnswers& log) {
  RecordedAnswers& to = log.to;
  for (std::int16_t version = 4; version <= 18; ++version) {
    to.show("from 3", version, log.fetch("log", 1, 3));
    to.show("the first batch however little is wanted", version, [&] {
      FetchRequest request = log.fetch("log", 0, 0);
      request.max_bytes = 1;
      request.topics[0].partitions[0].partition_max_bytes = 1;
      return request;
    }());
    to.show("committed records only", version, [&] {
      FetchRequest request = log.fetch("log", 1, 9);
      request.isolation_level = 1;
      return request;
    }());
    to.show("at the end", version, log.fetch("log", 1, 11));
    to.show("behind the end", version, log.fetch("log", 1, 12));
    to.show("before the start", version, log.fetch("log", 1, -1));
    to.show("no such partition", version, log.fetch("log", 9, 0));
    to.show("no such topic", version, log.fetch("nolog", 0, 0));
    if (version < 9) continue;
    to.show("an epoch to come", version, [&] {
      FetchRequest request = log.fetch("log", 1, 0);
      request.topics[0].partitions[0].current_leader_epoch = 5;
      return request;
    }());
    if (version < 12) continue;
    to.show("an epoch that was never", version, [&] {
      FetchRequest request = log.fetch("log", 1, 5);
      request.topics[0].partitions[0].last_fetched_epoch = 0;
      return request;
    }());
  }
}

void fetch_sessions(LogAnswers& log) {
  RecordedAnswers& to = log.to;
  for (const std::int16_t version : std::initializer_list<std::int16_t>{7, 12, 13, 18}) {
    FetchRequest request = log.fetch("log", 1, 10);
    request.session_id = 12345;
    request.session_epoch = 3;
    to.show("an unknown session", version, request);
    request.session_id = 0;
    request.session_epoch = 0;
    const auto any_id = [](FetchResponse& response) {
      if (response.session_id != 0) response.session_id = 1;
    };
    const FetchResponse begun = to.show("a new session", version, request, any_id);
    request.session_id = begun.session_id;
    request.session_epoch = 7;
    to.show("the wrong epoch", version, request, any_id);
    request.session_epoch = 1;
    request.topics.clear();
    to.show("nothing new", version, request, any_id);
    request.topics = log.fetch("log", 1, 10).topics;
    request.session_epoch = 2;
    to.show("again from 10", version, request, any_id);
    request.session_epoch = 3;
    request.topics = log.fetch("nolog", 0, 0).topics;
    to.show("an unknown topic joins", version, request, any_id);
    request.session_epoch = -1;
    request.topics = log.fetch("log", 1, 10).topics;
    to.show("the last of it", version, request, any_id);
  }
}

void list_offsets(LogAnswers& log) {
  for (std::int16_t version = 1; version <= 11; ++version) {
    for (const Timestamp timestamp :
         std::initializer_list<Timestamp>{-1, -2, -3, -4, -5, -6, -7, 0, some_day, some_day + 1,
                                          some_day + 1000, some_day + 1001}) {
      log.to.show("of time " + std::to_string(timestamp), version,
                  LogAnswers::list("log", 0, timestamp));
    }
    log.to.show("no such partition", version, LogAnswers::list("log", 9, -1));
    log.to.show("no such topic", version, LogAnswers::list("nolog", 0, -1));
    ListOffsetsRequest request = LogAnswers::list("log", 0, -1);
    request.topics[0].partitions[0].current_leader_epoch = 5;
    log.to.show("an epoch to come", version, request);
  }
}

void ends_of_epochs(LogAnswers& log) {
  for (std::int16_t version = 2; version <= 4; ++version) {
    for (const LeaderEpoch epoch : std::initializer_list<LeaderEpoch>{-1, 0, 1}) {
      for (const LeaderEpoch current : std::initializer_list<LeaderEpoch>{-1, 0, 3}) {
        OffsetForLeaderEpochRequest request;
        auto& topic = request.topics.emplace_back();
        topic.topic = "log";
        auto& partition = topic.partitions.emplace_back();
        partition.partition = 1;
        partition.leader_epoch = epoch;
        partition.current_leader_epoch = current;
        log.to.show("epoch " + std::to_string(epoch) + ", now " + std::to_string(current), version,
                    request);
        request.topics[0].topic = "nolog";
        log.to.show("no such topic", version, request);
      }
    }
  }
}

void delete_records(LogAnswers& log) {
  for (std::int16_t version = 0; version <= 2; ++version) {
    RecordedAnswers& to = log.to;
    to.show("below 1", version, LogAnswers::delete_before("log", 1, 1 + version));
    to.show("below 0", version, LogAnswers::delete_before("log", 1, 0));
    to.show("below -2", version, LogAnswers::delete_before("log", 1, -2));
    to.show("behind the end", version, LogAnswers::delete_before("log", 1, 1000));
    to.show("no such partition", version, LogAnswers::delete_before("log", 9, 0));
    to.show("no such topic", version, LogAnswers::delete_before("nolog", 0, 0));
    to.show("of a compacted topic", version, LogAnswers::delete_before("compacted", 0, 0));
  }
  log.to.show("a fetch below it", 12, log.fetch("log", 1, 2));
  log.to.show("what is left", 2, LogAnswers::delete_before("log", 1, -1));
  log.to.show("the first", 7, LogAnswers::list("log", 1, -2));
}

void log_directories(LogAnswers& log) {
  for (std::int16_t version = 1; version <= 5; ++version) {
    DescribeLogDirsRequest request;
    auto& topic = request.topics->emplace_back();
    topic.topic = "log";
    topic.partitions = {1, 7};
    request.topics->emplace_back().topic = "nolog";
    log.to.show("two partitions", version, request, [](DescribeLogDirsResponse& response) {
      for (auto& result : response.results) {
        result.log_dir = "DIR";
        result.total_bytes = result.usable_bytes = -1;
      }
    });
  }
}

TEST(LogAnswers, AreThoseOfKafkaInEveryVersion) {
  LogAnswers log;
  produce_in_every_version(log);
  idempotent_producers(log);
  describe_producers(log);
  fetch_in_every_version(log);
  fetch_sessions(log);
  list_offsets(log);
  ends_of_epochs(log);
  log_directories(log);
  delete_records(log);
  log.to.expect_as_recorded();
}

}  // namespace
}  // namespace chronik::integration
