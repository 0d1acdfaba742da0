#include "broker/group/group_print.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace chronik::broker {
namespace {

using protocol::error_name;

std::string at_instance(const std::optional<std::string>& instance_id) {
  return instance_id ? "@" + *instance_id : "";
}

std::string text(const JoinReply& reply) {
  const JoinResult& result = reply.result;
  if (result.error != ErrorCode::none) {
    return fmt::format("#{} <- {} member \"{}\"", reply.token, error_name(result.error),
                       result.member_id);
  }
  std::string line =
      fmt::format("#{} <- {} in generation {}, {}/{}, leader {}", reply.token, result.member_id,
                  result.generation, result.protocol_type.value_or("-"),
                  result.protocol_name.value_or("-"), result.leader);
  if (result.skip_assignment) line += ", skip assignment";
  if (!result.members.empty()) line += ", members";
  for (const auto& member : result.members) line += " " + member.member_id;
  return line;
}

std::string text(const SyncReply& reply) {
  if (reply.result.error != ErrorCode::none) {
    return fmt::format("#{} <- {}", reply.token, error_name(reply.result.error));
  }
  return fmt::format("#{} <- assignment \"{}\"", reply.token, as_text(reply.result.assignment));
}

std::string text(const LeaveReply& reply) {
  std::string line = fmt::format("#{} <- {}", reply.token, error_name(reply.result.error));
  for (const auto& member : reply.result.members) {
    line += fmt::format(" {}{}={}", member.member_id, at_instance(member.group_instance_id),
                        error_name(member.error));
  }
  return line;
}

std::string text(const PersistDemand& demand) {
  return fmt::format("store generation {}, members {}", demand.record.generation,
                     demand.record.members.size());
}

std::string text(const GroupNote& note) { return "- " + note.text; }

}  // namespace

std::string to_string(const GroupEffect& effect) {
  return std::visit([](const auto& one) { return text(one); }, effect);
}

std::string to_string(const GroupDescription& description) {
  std::string lines = fmt::format("{}, type \"{}\", protocol \"{}\"", to_string(description.state),
                                  description.protocol_type, description.protocol_name);
  for (const auto& member : description.members) {
    lines += fmt::format("\n  {}{} {} {} assignment \"{}\"", member.member_id,
                         at_instance(member.group_instance_id), member.client_id,
                         member.client_host, as_text(member.assignment));
  }
  return lines;
}

}  // namespace chronik::broker
