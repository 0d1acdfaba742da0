#include "integration/sim/deleter.h"

namespace chronik::sim {

void Deleter::look_again() {
  context_.stage.at(milliseconds(1 + random_.below(2'000)), [this] {
    if (finishing_) return;
    look();
    look_again();
  });
}

/// Whoever is asked and does not lead refuses.
void Deleter::look() {
  const Offset end = context_.checker.committed_end();
  if (end == 0) return;
  const std::uint64_t behind = random_.below(
      std::min<std::uint64_t>(static_cast<std::uint64_t>(end), random_.one_in(4) ? 10 : 1'000));
  const Offset offset = end - static_cast<Offset>(behind);
  const std::vector<BrokerId>& replicas = context_.checker.placed().members.replicas;
  for (const NodeId of : replicas) {
    ClientNetwork::Handle connection = context_.network.connect(of, [] {});
    context_.network.request(connection, [this, offset](Node& node) {
      context_.service.delete_before(node, partition(), offset, context_.plan.request_timeout,
                                     [](const ProduceAnswer&) {});
    });
  }
}

}  // namespace chronik::sim
