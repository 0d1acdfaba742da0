#include "integration/harness/node_network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/check.h"
#include "integration/harness/child_process.h"

namespace chronik::integration {

namespace {

constexpr const char* router = "10.77.0.254";

Error cannot(const std::string& what) { return {Errc::unsupported, what}; }

Result<void> set_kernel_value(const std::string& name, const std::string& value) {
  const std::string path = "/proc/sys/net/ipv4/" + name;
  std::ofstream file(path);
  file << value;
  file.flush();
  if (!file) return cannot(fmt::format("{} cannot be set to {}", path, value));
  return {};
}

/// A new namespace, which lives as long as the descriptor.
Result<int> new_namespace() {
  int descriptor = -1;
  int error = 0;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) == 0) {
      descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    }
    error = errno;
  }).join();
  if (descriptor >= 0) return descriptor;
  return cannot(fmt::format("no network namespace can be made: {}", std::strerror(error)));
}

bool is_installed(const std::string& program) {
  for (const char* folder : {"/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"}) {
    if (access((folder + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<NodeNetwork>> NodeNetwork::open(int nodes) {
  for (const char* program : {"ip", "nsenter"}) {
    if (!is_installed(program)) return cannot(fmt::format("there is no program {}", program));
  }
  if (unshare(CLONE_NEWNET) != 0) {
    return cannot(fmt::format("no network namespace can be made: {}", std::strerror(errno)));
  }
  std::unique_ptr<NodeNetwork> network(new NodeNetwork());
  TRY(network->prepare(nodes));
  return network;
}

NodeNetwork::~NodeNetwork() {
  for (const int descriptor : namespaces_) close(descriptor);
}

Result<void> NodeNetwork::prepare(int nodes) {
  TRY(run_ip("link set lo up\n"));
  TRY(run_ip(fmt::format("addr add {}/32 dev lo\n", router)));
  TRY(set_kernel_value("ip_forward", "1"));
  TRY(set_kernel_value("conf/all/rp_filter", "0"));
  TRY(set_kernel_value("conf/default/rp_filter", "0"));
  for (int node = 1; node <= nodes; ++node) TRY(add_node(node));
  // Whether rules are there at all shows now, not in the middle of a test.
  cut(1, 2);
  heal();
  return {};
}

Result<void> NodeNetwork::add_node(int node) {
  TRY_ASSIGN(const int descriptor, new_namespace());
  namespaces_.push_back(descriptor);
  TRY(
      run_ip(fmt::format("link add node{0} type veth peer name eth0 netns {1}\n"
                         "link set node{0} up\n"
                         "route add {2}/32 dev node{0} src {3}\n",
                         node, place_of(node), host(node), router)));
  return run_ip(fmt::format("link set lo up\n"
                            "addr add {0}/32 dev eth0\n"
                            "link set eth0 up\n"
                            "route add default via {1} dev eth0 onlink\n",
                            host(node), router),
                node);
}

std::string NodeNetwork::host(int node) const { return fmt::format("10.77.0.{}", node); }

std::string NodeNetwork::place_of(int node) const {
  return fmt::format("/proc/{}/fd/{}", getpid(), namespaces_[static_cast<std::size_t>(node - 1)]);
}

std::vector<std::string> NodeNetwork::wrapper(int node) const {
  return {"nsenter", "--net=" + place_of(node)};
}

Result<void> NodeNetwork::run_ip(const std::string& lines, int in_node) const {
  std::string folder = std::filesystem::temp_directory_path() / "chronik-network-XXXXXX";
  CHECK(mkdtemp(folder.data()) != nullptr);
  const std::string batch = folder + "/batch";
  const std::string log = folder + "/log";
  std::ofstream(batch) << lines;
  std::vector<std::string> command;
  if (in_node != 0) command = wrapper(in_node);
  for (const std::string& word : {std::string("ip"), std::string("-batch"), batch}) {
    command.push_back(word);
  }
  const int status = run_program(command, log);
  std::stringstream said;
  said << std::ifstream(log).rdbuf();
  std::filesystem::remove_all(folder);
  if (status == 0) return {};
  return cannot(fmt::format("ip refused '{}': {}", lines, said.str()));
}

void NodeNetwork::cut(int from, int to) {
  const Result<void> done =
      run_ip(fmt::format("rule add from {} to {} blackhole\n", host(from), host(to)));
  CHECK_MSG(done.has_value(), done.error().message);
  cuts_.emplace_back(from, to);
}

void NodeNetwork::heal() {
  std::string lines;
  for (const auto& [from, to] : cuts_) {
    lines += fmt::format("rule del from {} to {} blackhole\n", host(from), host(to));
  }
  const Result<void> done = run_ip(lines);
  CHECK_MSG(done.has_value(), done.error().message);
  cuts_.clear();
}

}  // namespace chronik::integration
