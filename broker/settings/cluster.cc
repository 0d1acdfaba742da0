#include "broker/settings/cluster.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>

#include "broker/settings/settings.h"
#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

constexpr std::string_view nodes_setting = "cluster.nodes";
constexpr std::string_view listeners_setting = "cluster.listeners";
constexpr std::string_view observer_mark = "/observer";
// As many as a group of Raft takes (raft/core/membership.h).
constexpr std::size_t nodes_max = 32;
// Fewer, and one lost message makes an election.
constexpr int heartbeats_per_election = 3;

using Problem = std::optional<SettingProblem>;

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

/// host:port or [v6]:port; the host may be empty.
std::optional<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = whole_number<std::uint16_t>(text.substr(colon + 1));
  if (!port || *port == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return std::nullopt;
  }
  if (host.find_first_of(" \t/@") != std::string_view::npos) return std::nullopt;
  return Address{lower(host), *port};
}

bool is_everywhere(std::string_view host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

std::string ids_of(const std::vector<ClusterNode>& nodes) {
  std::string text;
  for (const ClusterNode& node : nodes) {
    if (!text.empty()) text += ", ";
    text += std::to_string(node.id);
  }
  return text;
}

class Reading {
 public:
  Reading(const ConfigLayers& layers, BrokerId node_id, std::span<const Listener> clients)
      : layers_(layers), node_id_(node_id), clients_(clients) {}

  std::variant<std::optional<ClusterSettings>, SettingProblem> run() {
    const std::vector<std::string> nodes = list(nodes_setting);
    if (nodes.empty()) {
      if (Problem problem = check_standalone()) return *problem;
      return std::nullopt;
    }
    if (Problem problem = read_nodes(nodes)) return *problem;
    if (Problem problem = read_own_node()) return *problem;
    if (Problem problem = read_listeners()) return *problem;
    if (Problem problem = read_numbers()) return *problem;
    return std::move(result_);
  }

 private:
  std::vector<std::string> list(std::string_view name) const {
    return split_list(layers_.value(name).value_or(""));
  }
  std::int64_t number(std::string_view name) const { return as_int64(layers_.value(name).value()); }

  static Problem problem(std::string_view name, std::string reason) {
    return SettingProblem{std::string(name), std::move(reason)};
  }

  /// A node alone. Whoever names other nodes elsewhere meant a cluster, and would get as many
  /// clusters as nodes.
  Problem check_standalone() const {
    for (const std::string_view name : {listeners_setting, std::string_view("node.role")}) {
      if (layers_.value(name).value_or("").empty()) continue;
      return problem(name, "is for a cluster only; name its nodes in cluster.nodes");
    }
    for (const std::string& voter : list("controller.quorum.voters")) {
      if (whole_number<BrokerId>(voter.substr(0, voter.find('@'))) == node_id_) continue;
      return problem("controller.quorum.voters",
                     fmt::format("{} is another node than this one, {}, and chronik has no "
                                 "controllers beside its nodes; for a cluster name all its nodes "
                                 "in cluster.nodes=1@host1:9192,2@host2:9192,3@host3:9192",
                                 voter, node_id_));
    }
    return std::nullopt;
  }

  Problem read_node(std::string_view text) {
    const auto malformed = [&] {
      return problem(nodes_setting,
                     fmt::format("{} is not of the form id@host:port or id@host:port/observer, as "
                                 "1@n1:9192",
                                 text));
    };
    ClusterNode node;
    std::string_view rest = text;
    node.observer = rest.ends_with(observer_mark);
    if (node.observer) rest.remove_suffix(observer_mark.size());
    const std::size_t at = rest.find('@');
    if (at == std::string_view::npos) return malformed();
    const auto id = whole_number<BrokerId>(rest.substr(0, at));
    const auto address = parse_address(rest.substr(at + 1));
    if (!id || *id < 0 || !address || address->host.empty()) return malformed();
    if (is_everywhere(address->host)) {
      return problem(nodes_setting, fmt::format("other nodes cannot connect to {}; name an address "
                                                "that they reach",
                                                address->host));
    }
    node.id = *id;
    node.host = address->host;
    node.port = address->port;
    for (const ClusterNode& other : result_.nodes) {
      if (other.id == node.id) {
        return problem(nodes_setting, fmt::format("the node {} stands in it twice", node.id));
      }
      if (other.host == node.host && other.port == node.port) {
        return problem(nodes_setting, fmt::format("the nodes {} and {} have the same address {}:{}",
                                                  other.id, node.id, node.host, node.port));
      }
    }
    result_.nodes.push_back(std::move(node));
    return std::nullopt;
  }

  Problem read_nodes(const std::vector<std::string>& entries) {
    if (entries.size() > nodes_max) {
      return problem(nodes_setting, fmt::format("names {} nodes, and a cluster has {} at most",
                                                entries.size(), nodes_max));
    }
    for (const std::string& entry : entries) {
      if (Problem found = read_node(entry)) return found;
    }
    std::vector<ClusterNode>& nodes = result_.nodes;
    std::sort(nodes.begin(), nodes.end(), [](auto& a, auto& b) { return a.id < b.id; });
    if (std::all_of(nodes.begin(), nodes.end(), [](auto& node) { return node.observer; })) {
      return problem(nodes_setting, "names observers only; somebody must vote");
    }
    return std::nullopt;
  }

  Problem read_own_node() {
    own_ = std::find_if(result_.nodes.begin(), result_.nodes.end(),
                        [&](auto& node) { return node.id == node_id_; });
    if (own_ == result_.nodes.end()) {
      return problem(nodes_setting,
                     fmt::format("this node, {}, is not among {}; set node.id on each node to its "
                                 "number in the list",
                                 node_id_, ids_of(result_.nodes)));
    }
    result_.observer = own_->observer;
    const std::string role = layers_.value("node.role").value_or("");
    if (!role.empty() && (role == "observer") != own_->observer) {
      return problem("node.role",
                     fmt::format("but cluster.nodes has this node as {}; every node must know who "
                                 "votes: {}",
                                 own_->observer ? "an observer" : "a voter",
                                 own_->observer ? "leave /observer out there"
                                                : "write /observer behind its address there"));
    }
    return std::nullopt;
  }

  Problem read_listeners() {
    for (const std::string& entry : list(listeners_setting)) {
      auto address = parse_address(entry);
      if (!address) {
        return problem(listeners_setting,
                       fmt::format("{} is not of the form host:port with a port of 1 to 65535, as "
                                   "0.0.0.0:9192",
                                   entry));
      }
      if (is_everywhere(address->host)) address->host.clear();
      const ClusterListener listener{std::move(address->host), address->port};
      for (const ClusterListener& other : result_.listeners) {
        if (overlap(other, listener.host, listener.port)) {
          return problem(listeners_setting, fmt::format("{} stands in it twice", entry));
        }
      }
      result_.listeners.push_back(listener);
    }
    const bool own_port = result_.listeners.empty();
    if (own_port) result_.listeners.push_back({"", own_->port});
    for (const ClusterListener& listener : result_.listeners) {
      for (const Listener& client : clients_) {
        if (!overlap(listener, client.host, client.port)) continue;
        return problem(
            own_port ? nodes_setting : listeners_setting,
            fmt::format("port {} is taken by the listener {} for clients; the nodes need "
                        "one of their own, as 9192",
                        listener.port, client.name));
      }
    }
    return std::nullopt;
  }

  static bool overlap(const ClusterListener& a, std::string_view host, std::uint16_t port) {
    return a.port == port && (is_everywhere(a.host) || is_everywhere(host) || a.host == host);
  }

  Problem read_numbers() {
    result_.election_timeout = milliseconds(number("cluster.election.timeout.ms"));
    result_.heartbeat_interval = milliseconds(number("cluster.heartbeat.interval.ms"));
    result_.propose_timeout = milliseconds(number("cluster.propose.timeout.ms"));
    result_.frame_bytes_max = static_cast<std::int32_t>(number("cluster.frame.bytes.max"));
    result_.queue_bytes_max = number("cluster.queue.bytes.max");
    if (result_.heartbeat_interval * heartbeats_per_election > result_.election_timeout) {
      return problem("cluster.heartbeat.interval.ms",
                     fmt::format("must be at most a third of cluster.election.timeout.ms, which is "
                                 "{}",
                                 result_.election_timeout.count()));
    }
    if (result_.queue_bytes_max < 2 * std::int64_t{result_.frame_bytes_max}) {
      return problem("cluster.queue.bytes.max",
                     fmt::format("must be at least twice cluster.frame.bytes.max, which is {}",
                                 result_.frame_bytes_max));
    }
    return std::nullopt;
  }

  const ConfigLayers& layers_;
  const BrokerId node_id_;
  const std::span<const Listener> clients_;
  ClusterSettings result_;
  std::vector<ClusterNode>::iterator own_{};
};

}  // namespace

std::variant<std::optional<ClusterSettings>, SettingProblem> read_cluster(
    const ConfigLayers& layers, BrokerId node_id, std::span<const Listener> clients) {
  return Reading(layers, node_id, clients).run();
}

std::vector<std::string> cluster_warnings(const ClusterSettings& settings) {
  std::vector<std::string> warnings;
  const auto voters = std::count_if(settings.nodes.begin(), settings.nodes.end(),
                                    [](auto& node) { return !node.observer; });
  if (voters % 2 == 0) {
    warnings.push_back(
        fmt::format("cluster.nodes names {0} voters, which outlive the loss of {1}, as {2} do: one "
                    "more or one less is better",
                    voters, (voters - 1) / 2, voters - 1));
  }
  return warnings;
}

Result<BrokerId> node_id_of_host(std::string_view host_name) {
  constexpr std::size_t random_name_chars = 12;  // of a container without a name
  const std::string name = lower(host_name.substr(0, host_name.find('.')));
  const std::size_t digits = name.find_last_not_of("0123456789") + 1;
  const bool drawn = name.size() == random_name_chars &&
                     name.find_first_not_of("0123456789abcdef") == std::string::npos;
  const auto id = whole_number<BrokerId>(std::string_view(name).substr(digits));
  if (drawn || digits == 0 || !id) {
    return Error{Errc::invalid_argument,
                 fmt::format("node.id is not set, and the host name {} does not end in a node's "
                             "number: set node.id to the number that this node has in "
                             "cluster.nodes",
                             host_name)};
  }
  return *id;
}

}  // namespace chronik::broker
