#include "integration/sim/plan.h"

#include <spdlog/fmt/fmt.h>

#include "base/random.h"

namespace chronik::sim {

namespace {

void plan_network(Plan& plan, Random& random) {
  const auto maybe = [&](std::uint64_t percent) { return random.below(100) < percent; };
  raft::testing::NetworkFaults& network = plan.network;
  network.delay_min = milliseconds(maybe(50) ? 0 : 1);
  network.delay_max = milliseconds(maybe(60) ? 3 : (maybe(60) ? 40 : 400));
  network.lose_one_in = maybe(60) ? 0 : 4 + random.below(60);
  network.repeat_one_in = maybe(60) ? 0 : 3 + random.below(30);
  network.reorder = maybe(35);
  plan.partitions = maybe(45);
  plan.one_way_cuts = maybe(30);
  plan.resets = maybe(40);
}

void plan_disks(Plan& plan, Random& random) {
  const auto maybe = [&](std::uint64_t percent) { return random.below(100) < percent; };
  plan.disk_delay_max = milliseconds(maybe(60) ? 2 : (maybe(70) ? 20 : 150));
  plan.stalls = maybe(25);
  plan.full_disks = maybe(15);
  plan.lost_syncs = maybe(25);
  // Of one node at a time, else what is lost was on no other one.
  plan.flips = maybe(20);
  plan.wipes = !plan.flips && maybe(20);
  // Small, so that there are many files and snapshots.
  if (maybe(80)) {
    plan.segment_bytes = 1'500 + random.below(8'000);
    plan.snapshot_log_bytes_min = 1'000 + random.below(8'000);
  }
}

/// Drawn apart from the rest: what a seed does to the metadata is older than partitions.
void plan_replicated(Plan& plan) {
  Random random(plan.seed ^ 0x9A27'1710'0000ULL);
  const auto maybe = [&](std::uint64_t percent) { return random.below(100) < percent; };
  if (!maybe(60)) return;
  plan.replicated = 1 + static_cast<int>(random.below(3));
  plan.producers = 1 + static_cast<int>(random.below(3));
  plan.consumers = 1 + static_cast<int>(random.below(2));
  plan.produce_interval = milliseconds(40 + random.below(maybe(50) ? 100 : 500));
  plan.request_timeout = milliseconds(400 + random.below(maybe(50) ? 500 : 2'500));
  plan.client_loses_one_in = maybe(50) ? 0 : 10 + random.below(90);
  if (maybe(70)) plan.partition_segment_bytes = 800 + random.below(4'000);
  if (maybe(30)) plan.retention_bytes = 2'000 + random.below(6'000);
  if (maybe(50)) plan.min_insync_replicas = maybe(40) ? 3 : 2;
  plan.compacts = maybe(35);
  if (plan.compacts) plan.partition_segment_bytes = 800 + random.below(2'500);
  plan.new_epochs = maybe(40);
  plan.deletions = maybe(40);
  plan.moves = maybe(40);
}

/// Apart as well.
void plan_journal(Plan& plan) {
  Random random(plan.seed ^ 0x10C4'7A11'0000ULL);
  if (random.one_in(2)) plan.journal_logs_min = 1 + static_cast<int>(random.below(2));
  plan.syncs_all = plan.journal_logs_min > 0 && random.one_in(2);
}

}  // namespace

Plan::Plan(std::uint64_t from) : seed(from) {
  Random random(from);
  const auto maybe = [&](std::uint64_t percent) { return random.below(100) < percent; };
  voters = maybe(70) ? 3 : (maybe(50) ? 5 : 4);
  plan_network(*this, random);
  kills = maybe(50);
  power_cuts = maybe(50);
  cuts_in_work = maybe(40);
  clean_stops = maybe(30);
  pauses = maybe(30);
  plan_disks(*this, random);
  skew = maybe(40);
  wall_jumps = maybe(30);
  changes = maybe(40);
  hand_overs = maybe(40);
  pool = voters + (changes ? 1 + static_cast<int>(random.below(2)) : 0);
  client_interval = milliseconds(maybe(60) ? 150 : 50 + random.below(500));
  trouble_interval = milliseconds(200 + random.below(1'200));
  propose_timeout = milliseconds(maybe(60) ? 5'000 : 500 + random.below(3'000));
  plan_replicated(*this);
  plan_journal(*this);
  rests = Random(seed ^ 0x2E57).below(100) < 60;
  forgets = Random(seed ^ 0xF026'E7).below(100) < 40;
  tells_commit_late = Random(seed ^ 0x7E115).below(100) < 60;
}

std::string Plan::describe() const {
  std::string text =
      fmt::format("{} voters of {}, network {} to {} ms, disk up to {} ms", voters, pool,
                  network.delay_min.count(), network.delay_max.count(), disk_delay_max.count());
  if (network.lose_one_in > 0) text += fmt::format(", 1 in {} lost", network.lose_one_in);
  if (network.repeat_one_in > 0) text += fmt::format(", 1 in {} repeated", network.repeat_one_in);
  const std::pair<bool, const char*> kinds[] = {{network.reorder, "disorder"},
                                                {partitions, "partitions"},
                                                {one_way_cuts, "one-way cuts"},
                                                {resets, "resets"},
                                                {kills, "kills"},
                                                {power_cuts, "power cuts"},
                                                {cuts_in_work, "power cuts in work"},
                                                {clean_stops, "clean stops"},
                                                {pauses, "pauses"},
                                                {stalls, "stalls"},
                                                {full_disks, "full disks"},
                                                {lost_syncs, "lost syncs"},
                                                {flips, "flipped bits"},
                                                {wipes, "wipes"},
                                                {skew, "skewed clocks"},
                                                {wall_jumps, "jumps of the wall clock"},
                                                {changes, "changes of membership"},
                                                {hand_overs, "hand-overs"},
                                                {rests, "rests"},
                                                {forgets, "little memory for entries"},
                                                {tells_commit_late, "commits told late"},
                                                {syncs_all, "one sync behind the journal"}};
  for (const auto& [has, name] : kinds) {
    if (has) text += fmt::format(", {}", name);
  }
  if (journal_logs_min > 0)
    text += fmt::format(", a journal for {} logs or more", journal_logs_min);
  if (replicated > 0) {
    text += fmt::format(
        "; {} partitions with {} producers and {} consumers each, requests time out after {} ms, "
        "segments of {} bytes, {} kept{}, min.insync.replicas {}, clients lose 1 in {}",
        replicated, producers, consumers, request_timeout.count(), partition_segment_bytes,
        retention_bytes, compacts ? ", compacted" : "", min_insync_replicas, client_loses_one_in);
    if (new_epochs) text += ", producers that begin anew";
    if (deletions) text += ", deletions of records";
    if (moves) text += ", replicas that move";
  }
  return text;
}

}  // namespace chronik::sim
