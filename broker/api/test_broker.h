// A broker of one manual shard with metadata in memory, for the tests of handlers: no thread, no
// socket, no disk, a clock that stands still.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "broker/api/config_changes.h"
#include "broker/api/context.h"
#include "broker/api/handler.h"
#include "broker/api/table.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "broker/runtime/shard.h"
#include "broker/settings/live_settings.h"
#include "metadata/memory_store.h"

namespace chronik::broker {

class TestBroker {
 public:
  /// `flags` as on the command line: {"--num.partitions=3"}.
  explicit TestBroker(std::vector<std::string> flags = {})
      : shards_(1, clock_, 1, Shard::Mode::manual) {
    StartSources sources;
    sources.flags = std::move(flags);
    StartConfig config = read_start_config(sources).value();
    Settings settings = start_settings(config).value();
    live_settings_ = std::make_unique<LiveSettings>(std::move(config), std::move(settings));
    store_.set_leadership({.leader = 1, .term = 0, .ready = true});
    store_.add_observer(*live_settings_);
    shard().run([&] {
      view_ = std::make_unique<MetadataView>(shards_, store_);
      config_changes_ = std::make_unique<ConfigChanges>(shard(), *view_, *live_settings_, 1);
    });
    broker_.clock = &clock_;
    broker_.shards = &shards_;
    broker_.apis = &api_table();
    broker_.settings = live_settings_.get();
    broker_.metadata = view_.get();
    broker_.config_changes = config_changes_.get();
    broker_.node.id = 1;
    broker_.node.cluster_id = "test-cluster";
    broker_.node.listeners.push_back({"PLAINTEXT", "broker.example", 9092});
    connection_.listener = "PLAINTEXT";
    connection_.peer = "127.0.0.1:40000";
    connection_.client_host = "/127.0.0.1";
    connection_.local_host = "127.0.0.1";
  }
  ~TestBroker() {
    shard().run([&] {
      config_changes_.reset();
      view_.reset();
    });
    store_.remove_observer(*live_settings_);
  }

  Shard& shard() { return shards_.first(); }
  Broker& broker() { return broker_; }
  ManualClock& clock() { return clock_; }
  metadata::MemoryMetadataStore& store() { return store_; }
  ConnectionInfo& connection() { return connection_; }
  std::shared_ptr<const metadata::Image> image() const { return store_.image(); }

  /// A request under way; its answer comes when what the handler waits for has happened.
  template <class Response>
  struct Pending {
    explicit Pending(TestBroker& test) : context(test.broker_, test.shard(), test.connection_) {}
    RequestContext context;
    Gate gate;
    std::optional<Response> response;
  };

  /// Calls the handler as a request of `version`.
  template <auto handler, class Request>
  auto start(Request request, std::int16_t version = Request::max_version) {
    using Response = typename Request::Response;
    auto pending = std::make_unique<Pending<Response>>(*this);
    protocol::RequestHeader header;
    header.api_key = Request::api_key;
    header.api_version = version;
    header.client_id = "test-client";
    shard().run([&] { pending->context.start(std::move(header), shard().now()); });
    shard().run([&] {
      spawn(keep<Response>(handler(pending->context, std::move(request)), &pending->response),
            pending->gate);
    });
    return pending;
  }

  /// The same for a handler that answers without time passing.
  template <auto handler, class Request>
  auto call(Request request, std::int16_t version = Request::max_version) {
    auto pending = start<handler>(std::move(request), version);
    CHECK_MSG(pending->response.has_value(), "the handler still waits");
    return std::move(*pending->response);
  }

  /// The same from the bytes of a body, through the table, as a connection calls it.
  template <class Request>
  Reply call_bytes(SharedBytes body, std::int16_t version) {
    RequestContext context(broker_, shard(), connection_);
    protocol::RequestHeader header;
    header.api_key = Request::api_key;
    header.api_version = version;
    shard().run([&] { context.start(std::move(header), shard().now()); });
    std::optional<Reply> reply;
    Gate gate;
    const Dispatch dispatch = broker_.apis->find(Request::api_key)->dispatch;
    shard().run([&] { spawn(keep<Reply>(dispatch(context, std::move(body)), &reply), gate); });
    CHECK_MSG(reply.has_value(), "the handler still waits");
    return std::move(*reply);
  }

 private:
  template <class Response>
  static Task<void> keep(Task<Response> task, std::optional<Response>* out) {
    Response response = co_await std::move(task);
    out->emplace(std::move(response));
  }

  ManualClock clock_;
  Shards shards_;
  metadata::MemoryMetadataStore store_;
  std::unique_ptr<LiveSettings> live_settings_;
  std::unique_ptr<MetadataView> view_;
  std::unique_ptr<ConfigChanges> config_changes_;
  Broker broker_;
  ConnectionInfo connection_;
};

}  // namespace chronik::broker
