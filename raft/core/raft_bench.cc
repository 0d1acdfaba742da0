// What the core itself costs: a proposal that goes through three cores in memory, from propose() to
// the leader's commit, with disks and network that take no time.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <new>

#include "raft/core/memory_storage.h"
#include "raft/core/raft.h"

namespace {
std::uint64_t allocations = 0;
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace chronik::raft {
namespace {

class Group {
 public:
  Group() {
    const Membership membership{{1, 2, 3}, {}, {}, {}, false};
    for (NodeId id = 1; id <= 3; ++id) {
      Options options;
      options.id = id;
      options.random = [id] { return static_cast<std::uint64_t>(id); };
      auto& member = members_[static_cast<std::size_t>(id - 1)];
      member.disk = MemoryStorage(membership);
      member.raft = std::make_unique<Raft>(options, member.disk,
                                           Recovered{{}, 0, 0, member.disk.memberships()});
    }
    leader().campaign_now();
    settle();
    CHECK(leader().role() == Role::leader);
  }
  Raft& leader() { return *members_[0].raft; }
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (Member& member : members_) {
        for (; member.raft->has_ready(); moved = true) act(member, member.raft->ready());
      }
      for (; !network_.empty(); moved = true) {
        Message message = std::move(network_.front());
        network_.pop_front();
        Raft& to = *members_[static_cast<std::size_t>(message.to - 1)].raft;
        CHECK(to.step(message).has_value());
      }
    }
  }
  /// Else the logs would grow for as long as it is measured.
  void compact() {
    for (Member& member : members_) {
      const Log& log = member.raft->log();
      const Index index = log.applied();
      member.disk.compact({index, *log.term(index), log.membership_at(index)}, index + 1);
      member.raft->on_log_compacted();
    }
  }

 private:
  struct Member {
    MemoryStorage disk;
    std::unique_ptr<Raft> raft;
  };
  void act(Member& member, Ready ready) {
    for (Message& message : ready.messages) network_.push_back(std::move(message));
    for (Message& message : ready.heartbeats) network_.push_back(std::move(message));
    if (!ready.committed.empty()) member.raft->on_applied(ready.committed.back().index);
    if (ready.number == 0) return;
    member.disk.persist(ready.install, ready.entries);
    member.raft->on_persisted(ready.number);
    for (Message& message : ready.messages_when_durable) network_.push_back(std::move(message));
  }

  Member members_[3];
  std::deque<Message> network_;
};

void propose_and_commit(benchmark::State& state) {
  Group group;
  const auto batch = static_cast<std::size_t>(state.range(0));
  const SharedBytes payload = SharedBytes::allocate(1024);
  const std::uint64_t before = allocations;
  std::uint64_t rounds = 0;
  for (auto unused : state) {
    const auto at = group.leader().propose(std::vector<SharedBytes>(batch, payload));
    group.settle();
    CHECK(group.leader().log().commit() >= at->index);
    if (++rounds % 1000 == 0) group.compact();
  }
  const auto proposals = static_cast<double>(rounds * batch);
  state.SetItemsProcessed(static_cast<std::int64_t>(proposals));
  state.counters["allocations"] = static_cast<double>(allocations - before) / proposals;
}
BENCHMARK(propose_and_commit)->Arg(1)->Arg(16)->Arg(256);

// A tick of an idle leader of three, heartbeats and their answers included.
void idle_tick(benchmark::State& state) {
  Group group;
  for (auto unused : state) {
    group.leader().tick();
    group.settle();
  }
}
BENCHMARK(idle_tick);

}  // namespace
}  // namespace chronik::raft

BENCHMARK_MAIN();
