#include "integration/harness/client_statistics.h"

#include <fmt/format.h>

// The library is in no Debian package without its sources' being compiled somewhere.
#include <boost/json/src.hpp>

namespace chronik::integration {

namespace {

namespace json = boost::json;

std::int64_t number(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

std::string word(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : "?";
}

/// null when it is no JSON.
json::value parse(std::string_view statistics) {
  json::error_code failed;
  json::value parsed = json::parse(json::string_view(statistics.data(), statistics.size()), failed);
  return failed ? json::value() : parsed;
}

const json::object& part(const json::object& object, std::string_view name) {
  static const json::object nothing;
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_object() ? found->get_object() : nothing;
}

template <class Look>
void each_partition(const json::object& topics, Look look) {
  for (const auto& [topic, about] : topics) {
    if (!about.is_object()) continue;
    for (const auto& [id, each] : part(about.get_object(), "partitions")) {
      if (!each.is_object()) continue;
      look(fmt::format("{}-{}", std::string_view(topic), std::string_view(id)), each.get_object());
    }
  }
}

bool is_astray(const json::object& partition) {
  const std::int64_t asked = number(partition, "broker");
  const std::int64_t leader = number(partition, "leader");
  return asked >= 0 && leader >= 0 && asked != leader;
}

std::string open_partitions(const json::object& topics) {
  std::string text;
  each_partition(topics, [&](const std::string& name, const json::object& partition) {
    const std::int64_t queued = number(partition, "msgq_cnt") + number(partition, "xmit_msgq_cnt");
    const std::int64_t sent = number(partition, "msgs_inflight");
    if (queued + sent == 0 && !is_astray(partition)) return;
    text +=
        fmt::format("; {}: {} wait, {} sent, leader {}, node {} is asked, next {}, acknowledged {}",
                    name, queued, sent, number(partition, "leader"), number(partition, "broker"),
                    number(partition, "next_ack_seq"), number(partition, "acked_msgid"));
  });
  return text;
}

std::string open_brokers(const json::object& brokers) {
  std::string text;
  for (const auto& [name, each] : brokers) {
    if (!each.is_object()) continue;
    const json::object& broker = each.get_object();
    const std::int64_t waiting = number(broker, "waitresp_cnt");
    const std::int64_t unsent = number(broker, "outbuf_cnt");
    const std::string state = word(broker, "state");
    if (number(broker, "nodeid") < 0 || (waiting + unsent == 0 && state == "UP")) continue;
    text += fmt::format("; node {} is {} for {} s, {} requests unsent, {} answers missing",
                        number(broker, "nodeid"), state, number(broker, "stateage") / 1'000'000,
                        unsent, waiting);
  }
  return text;
}

}  // namespace

std::string describe_open(std::string_view statistics) {
  const json::value parsed = parse(statistics);
  if (!parsed.is_object()) return "the client says nothing of itself";
  const json::object& all = parsed.get_object();
  const json::object& eos = part(all, "eos");
  return fmt::format("{} records open, idempotence {} for {} s{}{}", number(all, "msg_cnt"),
                     word(eos, "idemp_state"), number(eos, "idemp_stateage") / 1000,
                     open_partitions(part(all, "topics")), open_brokers(part(all, "brokers")));
}

bool asks_another_than_the_leader(std::string_view statistics) {
  const json::value parsed = parse(statistics);
  bool some = false;
  if (!parsed.is_object()) return some;
  each_partition(part(parsed.get_object(), "topics"),
                 [&](const std::string&, const json::object& partition) {
                   some = some || is_astray(partition);
                 });
  return some;
}

}  // namespace chronik::integration
