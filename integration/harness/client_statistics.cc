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

const json::object& part(const json::object& object, std::string_view name) {
  static const json::object nothing;
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_object() ? found->get_object() : nothing;
}

std::string open_partitions(const json::object& topics) {
  std::string text;
  for (const auto& [topic, about] : topics) {
    if (!about.is_object()) continue;
    for (const auto& [id, each] : part(about.get_object(), "partitions")) {
      if (!each.is_object()) continue;
      const json::object& partition = each.get_object();
      const std::int64_t queued =
          number(partition, "msgq_cnt") + number(partition, "xmit_msgq_cnt");
      const std::int64_t sent = number(partition, "msgs_inflight");
      if (queued + sent == 0) continue;
      text += fmt::format("; {}-{}: {} wait, {} sent, leader {}, next {}, acknowledged {}",
                          std::string_view(topic), std::string_view(id), queued, sent,
                          number(partition, "leader"), number(partition, "next_ack_seq"),
                          number(partition, "acked_msgid"));
    }
  }
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
  json::error_code failed;
  const json::value parsed =
      json::parse(json::string_view(statistics.data(), statistics.size()), failed);
  if (failed || !parsed.is_object()) return "the client says nothing of itself";
  const json::object& all = parsed.get_object();
  const json::object& eos = part(all, "eos");
  return fmt::format("idempotence {} for {} s{}{}", word(eos, "idemp_state"),
                     number(eos, "idemp_stateage") / 1000, open_partitions(part(all, "topics")),
                     open_brokers(part(all, "brokers")));
}

}  // namespace chronik::integration
