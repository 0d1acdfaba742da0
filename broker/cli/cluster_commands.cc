#include "broker/cli/cluster_commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <ostream>

#include "broker/cli/broker_client.h"
#include "broker/cli/command_line.h"
#include "protocol/errors.h"
#include "protocol/messages/add_raft_voter.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_quorum.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/remove_raft_voter.h"
#include "protocol/messages/unregister_broker.h"

namespace chronik::broker::cli {

namespace {

using protocol::DescribeClusterRequest;
using protocol::DescribeClusterResponse;
using protocol::DescribeQuorumRequest;
using protocol::DescribeQuorumResponse;
using protocol::ErrorCode;

constexpr std::chrono::milliseconds wait_max{45'000};
constexpr std::int32_t add_timeout_ms = 30'000;
constexpr std::int32_t recover_timeout_ms = 30'000;

Result<void> outcome_of(std::int16_t code, const std::optional<std::string>& message) {
  if (code == 0) return {};
  const auto error = static_cast<ErrorCode>(code);
  const std::string why =
      message && !message->empty() ? *message : std::string(protocol::error_message(error));
  return Error{Errc::invalid_argument, fmt::format("{} ({})", why, protocol::error_name(error))};
}

/// Asks; the outcome, whatever was wrong.
template <class Request>
Result<void> change(BrokerClient& broker, const Request& request) {
  TRY_ASSIGN(const auto response, broker.call(request));
  return outcome_of(response.error_code, response.error_message);
}

std::string ago(Timestamp now, Timestamp then) {
  if (then < 0) return "never";
  return fmt::format("{:.1f} s ago", static_cast<double>(std::max<Timestamp>(now - then, 0)) / 1e3);
}

struct Row {
  std::string role = "-";
  std::string log_end = "-";
  std::string lag = "-";
  std::string heard = "-";
  std::string directory = "-";
  std::string broker = "not registered";
};

std::map<BrokerId, Row> rows_of(const DescribeQuorumResponse::PartitionData& quorum,
                                const DescribeClusterResponse& cluster) {
  std::map<BrokerId, Row> rows;
  std::int64_t end = 0;
  Timestamp now = 0;
  for (const auto& replica : quorum.current_voters) {
    if (replica.replica_id != quorum.leader_id) continue;
    end = replica.log_end_offset;
    now = replica.last_fetch_timestamp;
  }
  const auto add = [&](const DescribeQuorumResponse::ReplicaState& replica, const char* role) {
    Row& row = rows[replica.replica_id];
    row.role = replica.replica_id == quorum.leader_id ? "leader" : role;
    row.log_end = std::to_string(replica.log_end_offset);
    row.lag = std::to_string(std::max<std::int64_t>(end - replica.log_end_offset, 0));
    row.heard = ago(now, replica.last_fetch_timestamp);
    row.directory = replica.replica_directory_id.to_string();
  };
  for (const auto& replica : quorum.current_voters) add(replica, "voter");
  for (const auto& replica : quorum.observers) add(replica, "observer");
  for (const auto& broker : cluster.brokers) {
    rows[broker.broker_id].broker =
        fmt::format("{}:{}{}", broker.host, broker.port, broker.is_fenced ? " (out of reach)" : "");
  }
  return rows;
}

Result<void> print_status(BrokerClient& broker, std::ostream& out) {
  DescribeQuorumRequest request;
  DescribeQuorumRequest::TopicData& topic = request.topics.emplace_back();
  topic.topic_name = "__cluster_metadata";
  topic.partitions.emplace_back();
  TRY_ASSIGN(const DescribeQuorumResponse answer, broker.call(request));
  TRY(outcome_of(answer.error_code, answer.error_message));
  if (answer.topics.size() != 1 || answer.topics[0].partitions.size() != 1) {
    return Error{Errc::unsupported, "the broker tells of no quorum"};
  }
  const DescribeQuorumResponse::PartitionData& quorum = answer.topics[0].partitions[0];
  TRY(outcome_of(quorum.error_code, quorum.error_message));
  DescribeClusterRequest all;
  all.include_fenced_brokers = true;
  TRY_ASSIGN(const DescribeClusterResponse cluster, broker.call(all));
  TRY(outcome_of(cluster.error_code, cluster.error_message));
  out << fmt::format("cluster {}, led by node {} in epoch {}, {} entries committed\n\n",
                     cluster.cluster_id, quorum.leader_id, quorum.leader_epoch,
                     quorum.high_watermark - 1);
  constexpr const char* line = "{:<6}{:<10}{:>10}{:>8}  {:<12}{:<24}{}\n";
  out << fmt::format(line, "node", "role", "log end", "lag", "heard", "directory", "broker");
  for (const auto& [node, row] : rows_of(quorum, cluster)) {
    out << fmt::format(line, node, row.role, row.log_end, row.lag, row.heard, row.directory,
                       row.broker);
  }
  return {};
}

/// As broker/api/elect_leaders.cc has them.
constexpr std::int8_t unclean_election = 1;
constexpr std::int8_t rehearsed_unclean_election = -1;

Result<void> recover(BrokerClient& broker, const ClusterCommand& command, std::ostream& out) {
  protocol::ElectLeadersRequest request;
  request.election_type = command.accept_loss ? unclean_election : rehearsed_unclean_election;
  request.timeout_ms = recover_timeout_ms;
  auto& asked = request.topic_partitions.emplace().emplace_back();
  asked.topic = command.topic;
  asked.partitions.push_back(command.partition);
  TRY_ASSIGN(const protocol::ElectLeadersResponse answer, broker.call(request));
  TRY(outcome_of(answer.error_code, std::nullopt));
  const auto& results = answer.replica_election_results;
  if (results.size() != 1 || results[0].partition_result.size() != 1) {
    return Error{Errc::unsupported, "the broker says nothing of the partition"};
  }
  const auto& partition = results[0].partition_result[0];
  TRY(outcome_of(partition.error_code, partition.error_message));
  out << fmt::format("{}-{}: {}\n", command.topic, command.partition,
                     partition.error_message.value_or(""));
  out << (command.accept_loss ? "It has a leader again.\n"
                              : "Nothing was done. Start the brokers that were not heard if that "
                                "is possible; --accept-loss gives up what only they have.\n");
  return {};
}

Result<void> carry_out(const ClusterCommand& command, std::ostream& out) {
  TRY_ASSIGN(BrokerClient broker, BrokerClient::connect(command.address, wait_max));
  switch (command.what) {
    case ClusterCommand::What::status:
      return print_status(broker, out);
    case ClusterCommand::What::add: {
      protocol::AddRaftVoterRequest request;
      request.cluster_id.reset();
      request.timeout_ms = add_timeout_ms;
      request.voter_id = command.node;
      TRY(change(broker, request));
      out << fmt::format("node {} votes\n", command.node);
      return {};
    }
    case ClusterCommand::What::remove: {
      protocol::RemoveRaftVoterRequest request;
      request.cluster_id.reset();
      request.voter_id = command.node;
      TRY(change(broker, request));
      out << fmt::format("node {} has no vote any more\n", command.node);
      return {};
    }
    case ClusterCommand::What::forget: {
      protocol::UnregisterBrokerRequest request;
      request.broker_id = command.node;
      TRY(change(broker, request));
      out << fmt::format("broker {} is forgotten\n", command.node);
      return {};
    }
    case ClusterCommand::What::recover:
      return recover(broker, command, out);
  }
  return {};
}

}  // namespace

int run_cluster_command(const ClusterCommand& command, const Console& console) {
  const Result<void> done = carry_out(command, console.out);
  if (done) return exit_fine;
  console.err << "chronik: " << done.error().message << "\n";
  return exit_failed;
}

}  // namespace chronik::broker::cli
