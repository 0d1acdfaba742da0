// A NetServer with small handlers of the test's own, for the tests of connections:
//   Heartbeat  answers at once; error_code says the generation_id of the request
//   Produce    pipelined; waits until the test releases it, by its timeout_ms, which it gives back
//              as throttle_time_ms; acks=0 sends nothing, with transactional id "fail" it closes
//   Fetch      answers max_bytes bytes: of a file, or of memory when min_bytes is 1; with
//              max_wait_ms > 0 it waits until it is cancelled or released
//   ApiVersions is the broker's own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/memory_disk.h"
#include "base/posix_disk.h"
#include "broker/api/api_versions.h"
#include "broker/net/net_server.h"
#include "broker/net/test_client.h"
#include "broker/runtime/blocking.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/produce.h"

namespace chronik::broker {

/// What the handlers and the test share.
struct TestState {
  static inline TestState* current = nullptr;

  struct Waiting {
    Shard* shard = nullptr;
    Promise<void>* promise = nullptr;
  };

  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::int32_t, Waiting> waiting;  // Produce and Fetch, by timeout_ms (max_wait_ms)
  std::vector<std::int32_t> started;        // of Produce, in order
  std::vector<SharedBytes> kept;            // records that a handler kept
  bool hold_produce = false;
  bool keep_records = false;
  std::atomic<int> cancelled{0};
  std::shared_ptr<File> file;
  std::atomic<std::uint64_t> records_bytes{0};

  void begin_wait(std::int32_t tag, Promise<void>& promise) {
    std::lock_guard lock(mutex);
    waiting[tag] = {Shard::current(), &promise};
    changed.notify_all();
  }
  void end_wait(std::int32_t tag) {
    std::lock_guard lock(mutex);
    waiting.erase(tag);
    changed.notify_all();
  }
  void await_waiting(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting.size() >= count; });
  }
  /// The tag of one that waits, once there is one.
  std::int32_t await_any() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !waiting.empty(); });
    return waiting.begin()->first;
  }
  void release(std::int32_t tag) {
    Waiting found;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return waiting.contains(tag); });
      found = waiting[tag];
      waiting.erase(tag);
    }
    call_on(*found.shard, [&] { found.promise->try_set(); });
  }
};

inline Task<protocol::HeartbeatResponse> test_heartbeat(RequestContext& /*context*/,
                                                        protocol::HeartbeatRequest request) {
  protocol::HeartbeatResponse response;
  response.error_code = static_cast<std::int16_t>(request.generation_id);
  co_return response;
}

inline Task<protocol::ProduceResponse> test_produce(RequestContext& context,
                                                    protocol::ProduceRequest request) {
  TestState& state = *TestState::current;
  for (auto& topic : request.topic_data) {
    for (auto& partition : topic.partition_data) {
      SharedBytes records = partition.records.slice();
      state.records_bytes += records.size();
      if (state.keep_records) {
        std::lock_guard lock(state.mutex);
        state.kept.push_back(std::move(records));
      }
    }
  }
  if (state.hold_produce) {
    {
      std::lock_guard lock(state.mutex);
      state.started.push_back(request.timeout_ms);
    }
    Promise<void> promise;
    Future<void> released = promise.future();
    state.begin_wait(request.timeout_ms, promise);
    co_await released;
  }
  if (request.acks == 0) {
    if (request.transactional_id == "fail") {
      context.close_connection("the test wanted it");
    } else {
      context.answer_nothing();
    }
  }
  protocol::ProduceResponse response;
  response.throttle_time_ms = request.timeout_ms;
  co_return response;
}

inline Task<protocol::FetchResponse> test_fetch(RequestContext& context,
                                                protocol::FetchRequest request) {
  TestState& state = *TestState::current;
  if (request.max_wait_ms > 0) {
    Promise<void> promise;
    Future<void> released = promise.future();
    state.begin_wait(request.max_wait_ms, promise);
    context.on_cancel([&promise, &state] {
      ++state.cancelled;
      promise.try_set();
    });
    co_await released;
    context.on_cancel(nullptr);
    state.end_wait(request.max_wait_ms);
  }
  protocol::FetchResponse response;
  protocol::FetchResponse::FetchableTopicResponse topic;
  protocol::FetchResponse::PartitionData partition;
  const auto size = static_cast<std::uint64_t>(request.max_bytes);
  ByteChain chain;
  if (request.min_bytes == 1) {
    SharedBytes bytes = SharedBytes::allocate(size);
    std::fill_n(bytes.mutable_view().data(), size, static_cast<std::uint8_t>('m'));
    chain.append(std::move(bytes));
  } else {
    chain.append(FileRange{state.file, 0, size});
  }
  partition.records = protocol::RecordsField(std::move(chain));
  topic.partitions.push_back(std::move(partition));
  response.responses.push_back(std::move(topic));
  co_return response;
}

class TestServer {
 public:
  explicit TestServer(std::uint32_t shard_count = 1, const NetOptions& options = {})
      : shards_(shard_count, clock_, 1),
        entries_{api_entry<test_produce>({.advertised_min = 0, .pipelined = true}),
                 api_entry<test_fetch>(), api_entry<test_heartbeat>(), api_versions_entry()},
        apis_(entries_) {
    TestState::current = &state;
    broker_.clock = &clock_;
    broker_.shards = &shards_;
    broker_.apis = &apis_;
    broker_.node.cluster_id = "the-cluster";
    server_ = std::make_unique<NetServer>(shards_, broker_, apis_, options);
    const Result<void> opened = server_->open({Listener{"PLAINTEXT", "127.0.0.1", 0}});
    CHECK_MSG(opened.has_value(), opened.error().message);
    server_->start();
  }
  ~TestServer() {
    stop();
    TestState::current = nullptr;
  }

  void stop(milliseconds grace = milliseconds(10'000)) {
    if (!server_) return;
    server_->stop(grace);
    server_.reset();
    shards_.stop();
  }

  TestClient connect(int receive_buffer_bytes = 0) {
    return TestClient(port(), receive_buffer_bytes);
  }
  std::uint16_t port() const { return server_->listeners().front().port; }
  NetServer& server() { return *server_; }
  Shards& shards() { return shards_; }

  std::uint64_t closed(CloseReason reason) {
    std::uint64_t sum = 0;
    for (std::uint32_t id = 0; id < shards_.count(); ++id) {
      const auto& counters = shards_.at(id).metrics().connections_closed;
      sum += counters[static_cast<std::size_t>(reason)].value();
    }
    return sum;
  }
  /// Waits until `count` connections have ended for that reason.
  void await_closed(CloseReason reason, std::uint64_t count) {
    while (closed(reason) < count) std::this_thread::yield();
  }
  void await_connections(std::uint64_t count) {
    while (server_->connections() != count) std::this_thread::yield();
  }

  TestState state;

 private:
  SystemClock clock_;
  Shards shards_;
  std::array<ApiEntry, 4> entries_;
  ApiTable apis_;
  Broker broker_;
  std::unique_ptr<NetServer> server_;
};

inline Bytes heartbeat_frame(std::int32_t correlation_id, std::int16_t error = 0) {
  protocol::HeartbeatRequest request;
  request.group_id = "group";
  request.generation_id = error;
  return request_frame(12, 2, correlation_id, protocol::encode_to_bytes(2, request));
}

inline Bytes produce_frame(std::int32_t correlation_id, std::int32_t tag, std::int16_t acks = -1,
                           std::size_t records_bytes = 0,
                           std::optional<std::string> transactional_id = std::nullopt) {
  protocol::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = tag;
  request.transactional_id = std::move(transactional_id);
  if (records_bytes > 0) {
    protocol::ProduceRequest::PartitionProduceData partition;
    SharedBytes records = SharedBytes::allocate(records_bytes);
    for (std::size_t i = 0; i < records_bytes; ++i) {
      records.mutable_view()[i] = static_cast<std::uint8_t>(tag + static_cast<std::int32_t>(i));
    }
    partition.records = protocol::RecordsField(std::move(records));
    protocol::ProduceRequest::TopicProduceData topic;
    topic.name = "topic";
    topic.partition_data.push_back(std::move(partition));
    request.topic_data.push_back(std::move(topic));
  }
  Writer body;
  protocol::encode(body, 3, request);
  Bytes flat;
  ByteChain chain = body.take_chain();
  for (const auto& part : chain.parts()) {
    const ByteView view = std::get<SharedBytes>(part).view();
    flat.insert(flat.end(), view.begin(), view.end());
  }
  return request_frame(0, 3, correlation_id, flat);
}

inline Bytes fetch_frame(std::int32_t correlation_id, std::int32_t bytes, bool memory,
                         std::int32_t wait_tag = 0) {
  protocol::FetchRequest request;
  request.max_bytes = bytes;
  request.min_bytes = memory ? 1 : 0;
  request.max_wait_ms = wait_tag;
  return request_frame(1, 4, correlation_id, protocol::encode_to_bytes(4, request));
}

inline std::int32_t correlation_of(const std::optional<Bytes>& frame) {
  return frame && frame->size() >= 4 ? load_be<std::int32_t>(frame->data()) : -1;
}

}  // namespace chronik::broker
