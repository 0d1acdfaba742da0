#include "integration/harness/kafka_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/check.h"
#include "integration/harness/client_statistics.h"

namespace chronik::integration {

namespace {

using Clock = std::chrono::steady_clock;

std::chrono::milliseconds left(Clock::time_point deadline) {
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
}

std::optional<std::string> text_of(const void* bytes, std::size_t size) {
  if (bytes == nullptr) return std::nullopt;
  return std::string(static_cast<const char*>(bytes), size);
}

std::vector<Header> headers_of(const rd_kafka_message_t* message) {
  std::vector<Header> result;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return result;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
    result.push_back({name, text_of(value, size)});
  }
  return result;
}

Message to_message(const rd_kafka_message_t* message) {
  Message result;
  if (message->rkt != nullptr) result.topic = rd_kafka_topic_name(message->rkt);
  result.partition = message->partition;
  result.error = message->err;
  result.offset = message->offset;
  result.key = text_of(message->key, message->key_len);
  result.value = text_of(message->payload, message->len);
  result.headers = headers_of(message);
  result.timestamp = rd_kafka_message_timestamp(message, &result.timestamp_type);
  return result;
}

// A client that has just been made, or whose broker has just been restarted, may not know the
// leader yet.
template <class Query>
void retry(Query query) {
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (query() != RD_KAFKA_RESP_ERR_NO_ERROR && Clock::now() < deadline) {
  }
}

}  // namespace

rd_kafka_conf_t* make_conf(const std::string& bootstrap, const ClientConfig& config) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  ClientConfig all{{"bootstrap.servers", bootstrap},
                   {"reconnect.backoff.ms", "10"},
                   {"reconnect.backoff.max.ms", "200"}};
  for (const auto& [name, value] : config) all[name] = value;
  // What goes wrong is in the results; TEST_CLIENT_LOG shows the client's own view.
  if (std::getenv("TEST_CLIENT_LOG") == nullptr) rd_kafka_conf_set_log_cb(conf, nullptr);
  char text[512];
  for (const auto& [name, value] : all) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof(text)) !=
        RD_KAFKA_CONF_OK) {
      std::fprintf(stderr, "%s\n", text);
      std::exit(1);
    }
  }
  return conf;
}

ClientHandle make_client(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  char text[512];
  ClientHandle handle(rd_kafka_new(type, conf, text, sizeof(text)), &rd_kafka_destroy);
  CHECK_MSG(handle != nullptr, text);
  return handle;
}

PartitionList to_list(const std::vector<PartitionOffset>& partitions) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())),
                     &rd_kafka_topic_partition_list_destroy);
  for (const PartitionOffset& p : partitions) {
    rd_kafka_topic_partition_t* entry =
        rd_kafka_topic_partition_list_add(list.get(), p.topic.c_str(), p.partition);
    entry->offset = p.offset;
    if (p.metadata.empty()) continue;
    entry->metadata = std::malloc(p.metadata.size());
    std::copy(p.metadata.begin(), p.metadata.end(), static_cast<char*>(entry->metadata));
    entry->metadata_size = p.metadata.size();
  }
  return list;
}

std::vector<PartitionOffset> from_list(const rd_kafka_topic_partition_list_t& list) {
  std::vector<PartitionOffset> result;
  for (int i = 0; i < list.cnt; ++i) {
    const rd_kafka_topic_partition_t& p = list.elems[i];
    result.push_back(
        {p.topic, p.partition, p.offset, text_of(p.metadata, p.metadata_size).value_or(""), p.err});
  }
  std::sort(result.begin(), result.end());
  return result;
}

Producer::Producer(const std::string& bootstrap, const ClientConfig& config) {
  rd_kafka_conf_t* conf = make_conf(bootstrap, config);
  rd_kafka_conf_set_dr_msg_cb(conf, &Producer::on_delivery);
  rd_kafka_conf_set_stats_cb(conf, &Producer::on_statistics);
  rd_kafka_conf_set_opaque(conf, this);
  handle_ = make_client(RD_KAFKA_PRODUCER, conf);
}

// Reports of what is still queued must find this object alive, or not be made at all.
Producer::~Producer() {
  rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(handle_.get(), 1000);
}

void Producer::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  static_cast<Producer*>(opaque)->deliveries_.push_back(to_message(message));
}

int Producer::on_statistics(rd_kafka_t*, char* json, std::size_t size, void* opaque) {
  static_cast<Producer*>(opaque)->statistics_.assign(json, size);
  return 0;
}

std::string Producer::describe_open() const {
  return chronik::integration::describe_open(statistics_);
}

bool Producer::asks_another_than_the_leader() const {
  return chronik::integration::asks_another_than_the_leader(statistics_);
}

rd_kafka_resp_err_t Producer::produce(const Message& message) {
  while (true) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(message.headers.size());
    for (const Header& h : message.headers) {
      rd_kafka_header_add(headers, h.name.c_str(), -1, h.value ? h.value->data() : nullptr,
                          h.value ? static_cast<ssize_t>(h.value->size()) : -1);
    }
    const auto bytes = [](const std::optional<std::string>& text) {
      return text ? const_cast<char*>(text->data()) : nullptr;
    };
    const auto size = [](const std::optional<std::string>& text) {
      return text ? text->size() : std::size_t{0};
    };
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        handle_.get(), RD_KAFKA_V_TOPIC(message.topic.c_str()),
        RD_KAFKA_V_PARTITION(message.partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(bytes(message.key), size(message.key)),
        RD_KAFKA_V_VALUE(bytes(message.value), size(message.value)),
        RD_KAFKA_V_TIMESTAMP(message.timestamp), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_headers_destroy(headers);
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) return error;
    poll(std::chrono::milliseconds(100));
  }
}

bool Producer::flush(std::chrono::milliseconds limit) {
  return rd_kafka_flush(handle_.get(), static_cast<int>(limit.count())) ==
         RD_KAFKA_RESP_ERR_NO_ERROR;
}

Message Producer::send(const Message& message) {
  const rd_kafka_resp_err_t error = produce(message);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR && flush() && !deliveries_.empty()) {
    return deliveries_.back();
  }
  Message failed = message;
  failed.error = error != RD_KAFKA_RESP_ERR_NO_ERROR ? error : RD_KAFKA_RESP_ERR__TIMED_OUT;
  return failed;
}

std::size_t Producer::failures() const {
  return static_cast<std::size_t>(
      std::count_if(deliveries_.begin(), deliveries_.end(),
                    [](const Message& m) { return m.error != RD_KAFKA_RESP_ERR_NO_ERROR; }));
}

Consumer::Consumer(const std::string& bootstrap, const std::string& group,
                   const ClientConfig& config) {
  ClientConfig all{{"group.id", group.empty() ? "unused" : group},
                   {"auto.offset.reset", "earliest"},
                   {"enable.auto.commit", "false"},
                   {"check.crcs", "true"},
                   {"fetch.wait.max.ms", "100"},
                   {"topic.metadata.refresh.interval.ms", "500"}};
  for (const auto& [name, value] : config) all[name] = value;
  rd_kafka_conf_t* conf = make_conf(bootstrap, all);
  rd_kafka_conf_set_rebalance_cb(conf, &Consumer::on_rebalance);
  rd_kafka_conf_set_opaque(conf, this);
  handle_ = make_client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(handle_.get());
}

Consumer::~Consumer() { close(); }

void Consumer::on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t event,
                            rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  const bool given = event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  if (given) ++static_cast<Consumer*>(opaque)->assignments_;
  if (std::string(rd_kafka_rebalance_protocol(client)) == "COOPERATIVE") {
    rd_kafka_error_destroy(given ? rd_kafka_incremental_assign(client, partitions)
                                 : rd_kafka_incremental_unassign(client, partitions));
  } else {
    rd_kafka_assign(client, given ? partitions : nullptr);
  }
}

void Consumer::subscribe(const std::vector<std::string>& topics) {
  std::vector<PartitionOffset> entries;
  entries.reserve(topics.size());
  for (const std::string& topic : topics) entries.push_back({topic, RD_KAFKA_PARTITION_UA});
  CHECK(rd_kafka_subscribe(handle_.get(), to_list(entries).get()) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

void Consumer::assign(const std::vector<PartitionOffset>& partitions) {
  CHECK(rd_kafka_assign(handle_.get(), to_list(partitions).get()) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

std::optional<Message> Consumer::poll(std::chrono::milliseconds limit) {
  const std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)> message(
      rd_kafka_consumer_poll(handle_.get(), static_cast<int>(limit.count())),
      &rd_kafka_message_destroy);
  if (message == nullptr) return std::nullopt;
  return to_message(message.get());
}

std::vector<Message> Consumer::consume(std::size_t count, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  std::vector<Message> result = std::exchange(early_, {});
  while (result.size() < count && Clock::now() < deadline) {
    std::optional<Message> message = poll(left(deadline));
    if (message && message->error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      result.push_back(std::move(*message));
    }
  }
  return result;
}

bool Consumer::wait_for_partitions(std::size_t count, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (assignment().size() != count) {
    if (Clock::now() > deadline) return false;
    std::optional<Message> message = poll(std::chrono::milliseconds(20));
    if (message && message->error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      early_.push_back(std::move(*message));
    }
  }
  return true;
}

std::vector<PartitionOffset> Consumer::assignment() {
  rd_kafka_topic_partition_list_t* list = nullptr;
  CHECK(rd_kafka_assignment(handle_.get(), &list) == RD_KAFKA_RESP_ERR_NO_ERROR);
  return from_list(*PartitionList(list, &rd_kafka_topic_partition_list_destroy));
}

rd_kafka_resp_err_t Consumer::commit() { return rd_kafka_commit(handle_.get(), nullptr, 0); }

rd_kafka_resp_err_t Consumer::commit(const std::vector<PartitionOffset>& offsets) {
  return rd_kafka_commit(handle_.get(), to_list(offsets).get(), 0);
}

std::vector<PartitionOffset> Consumer::committed(const std::vector<PartitionOffset>& partitions) {
  const PartitionList list = to_list(partitions);
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  // Where the coordinator is another one meanwhile, the client asks for it only after an error.
  retry([&] {
    error = rd_kafka_committed(handle_.get(), list.get(),
                               static_cast<int>(client_patience / std::chrono::milliseconds(1)));
    return error;
  });
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return from_list(*list);
}

std::pair<std::int64_t, std::int64_t> Consumer::watermarks(const std::string& topic,
                                                           std::int32_t partition) {
  std::pair<std::int64_t, std::int64_t> result{-1, -1};
  retry([&] {
    return rd_kafka_query_watermark_offsets(handle_.get(), topic.c_str(), partition, &result.first,
                                            &result.second, 5'000);
  });
  return result;
}

std::vector<PartitionOffset> Consumer::offsets_for_times(
    const std::vector<PartitionOffset>& timestamps) {
  std::vector<PartitionOffset> result;
  retry([&] {
    const PartitionList list = to_list(timestamps);
    const rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(handle_.get(), list.get(), 5'000);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) result = from_list(*list);
    return error;
  });
  return result;
}

rd_kafka_resp_err_t Consumer::close() {
  if (handle_ == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
  const rd_kafka_resp_err_t error = rd_kafka_consumer_close(handle_.get());
  handle_.reset();
  return error;
}

std::string Consumer::fatal_error() {
  std::array<char, 512> text{};
  const rd_kafka_resp_err_t error = rd_kafka_fatal_error(handle_.get(), text.data(), text.size());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return "";
  return fmt::format("{}: {}", rd_kafka_err2name(error), text.data());
}

void Consumer::abandon() {
  rd_kafka_destroy_flags(handle_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

}  // namespace chronik::integration
