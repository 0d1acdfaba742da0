// librdkafka as the tests use it: a producer that remembers every delivery report, and a consumer,
// over the C interface. Waiting always has a deadline; reaching it is a test failure of the caller
// (the result is short), never a hang. One thread an object.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace chronik::integration {

/// librdkafka's configuration, name to value.
using ClientConfig = std::map<std::string, std::string>;

constexpr std::chrono::seconds client_patience(30);

struct Header {
  std::string name;
  std::optional<std::string> value;
  bool operator==(const Header&) const = default;
};

/// A record to produce, or one that was consumed.
struct Message {
  std::string topic = {};
  std::int32_t partition = RD_KAFKA_PARTITION_UA;
  std::optional<std::string> key = {};
  std::optional<std::string> value = {};
  std::vector<Header> headers = {};
  std::int64_t timestamp = 0;  // milliseconds; 0 when produced: now
  rd_kafka_timestamp_type_t timestamp_type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  std::int64_t offset = -1;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
};

struct PartitionOffset {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = RD_KAFKA_OFFSET_INVALID;
  std::string metadata = {};
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  bool operator==(const PartitionOffset&) const = default;
  auto operator<=>(const PartitionOffset&) const =
      default;  // NOLINT(modernize-use-nullptr): its slip
};

/// Makes a client; ends the test process with librdkafka's text when the configuration is wrong.
using ClientHandle = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;
ClientHandle make_client(rd_kafka_type_t type, rd_kafka_conf_t* conf);
rd_kafka_conf_t* make_conf(const std::string& bootstrap, const ClientConfig& config);

using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                      decltype(&rd_kafka_topic_partition_list_destroy)>;
PartitionList to_list(const std::vector<PartitionOffset>& partitions);
std::vector<PartitionOffset> from_list(const rd_kafka_topic_partition_list_t& list);

class Producer {
 public:
  explicit Producer(const std::string& bootstrap, const ClientConfig& config = {});
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  ~Producer();

  /// Queues one record; waits while the queue is full.
  rd_kafka_resp_err_t produce(const Message& message);
  rd_kafka_resp_err_t produce(const std::string& topic, std::int32_t partition,
                              const std::string& value) {
    return produce({.topic = topic, .partition = partition, .value = value});
  }
  /// Handles delivery reports for up to `limit`.
  void poll(std::chrono::milliseconds limit) { rd_kafka_poll(handle_.get(), int(limit.count())); }
  /// Waits for all delivery reports; true when none is missing.
  bool flush(std::chrono::milliseconds limit = client_patience);
  /// What keeps flush() waiting, as the client sees it; needs statistics.interval.ms.
  std::string describe_open() const;
  /// See client_statistics.h; needs statistics.interval.ms.
  bool asks_another_than_the_leader() const;
  /// produce, flush, and the delivery report of this one record.
  Message send(const Message& message);

  /// Every delivery report so far, in the order of their arrival.
  const std::vector<Message>& deliveries() const { return deliveries_; }
  std::vector<Message> take_deliveries() { return std::exchange(deliveries_, {}); }
  std::size_t failures() const;
  rd_kafka_t* get() { return handle_.get(); }

 private:
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);
  static int on_statistics(rd_kafka_t*, char* json, std::size_t size, void* opaque);

  std::vector<Message> deliveries_;
  std::string statistics_;  // the last ones, JSON
  ClientHandle handle_{nullptr, &rd_kafka_destroy};
};

/// End it before a topic that it has is deleted: librdkafka 2.0.2 (Debian 12) else never ends, with
/// Kafka neither.
class Consumer {
 public:
  /// group "" means one of its own that commits nothing. Starts at the earliest offset unless the
  /// configuration says else.
  Consumer(const std::string& bootstrap, const std::string& group, const ClientConfig& config = {});
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  ~Consumer();

  void subscribe(const std::vector<std::string>& topics);
  void assign(const std::vector<PartitionOffset>& partitions);
  /// Waits for `count` records, at most `limit`.
  std::vector<Message> consume(std::size_t count,
                               std::chrono::milliseconds limit = client_patience);
  /// One poll: a record, an error, or nothing in time.
  std::optional<Message> poll(std::chrono::milliseconds limit);
  /// Polls until the group has given it `count` partitions; what came meanwhile is kept for
  /// consume(). False when it took too long.
  bool wait_for_partitions(std::size_t count, std::chrono::milliseconds limit = client_patience);

  std::vector<PartitionOffset> assignment();
  rd_kafka_resp_err_t commit();  // the positions, synchronously
  rd_kafka_resp_err_t commit(const std::vector<PartitionOffset>& offsets);
  std::vector<PartitionOffset> committed(const std::vector<PartitionOffset>& partitions);
  std::pair<std::int64_t, std::int64_t> watermarks(const std::string& topic,
                                                   std::int32_t partition);
  std::vector<PartitionOffset> offsets_for_times(const std::vector<PartitionOffset>& timestamps);
  rd_kafka_resp_err_t close();
  /// Ends without a word to the group, like a process that was killed. close() of librdkafka 2.0.2
  /// may wait for ever for its own thread while the coordinator changes.
  void abandon();
  int assignments() const { return assignments_; }
  /// Why this client will never work again: "" while it may.
  std::string fatal_error();
  rd_kafka_t* get() { return handle_.get(); }

 private:
  static void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t event,
                           rd_kafka_topic_partition_list_t* partitions, void* opaque);

  int assignments_ = 0;
  std::vector<Message> early_;
  ClientHandle handle_{nullptr, &rd_kafka_destroy};
};

}  // namespace chronik::integration
