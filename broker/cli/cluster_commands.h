// `chronik cluster status|add|remove|forget|recover`: the nodes of a cluster, and partitions that
// have no leader, by what one of its brokers answers to Kafka's admin requests.
#pragma once

#include <string>

#include "base/types.h"
#include "broker/cli/log_commands.h"

namespace chronik::broker::cli {

struct ClusterCommand {
  enum class What {
    status,   // who is there and how far
    add,      // the node gets a vote
    remove,   // the node has none any more
    forget,   // the broker will not come back
    recover,  // a partition goes on with what one replica has
  };
  What what = What::status;
  std::string address;  // of any broker
  BrokerId node = -1;   // of add, remove and forget
  // Of recover.
  std::string topic{};
  PartitionId partition = 0;
  bool accept_loss = false;  // else it only says what would be lost
};

inline constexpr const char* default_bootstrap = "localhost:9092";

/// Gives the exit code.
int run_cluster_command(const ClusterCommand& command, const Console& console);

}  // namespace chronik::broker::cli
