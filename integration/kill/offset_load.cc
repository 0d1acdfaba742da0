#include "integration/kill/offset_load.h"

#include <fmt/format.h>

namespace chronik::integration {

OffsetLoad::OffsetLoad(const std::string& bootstrap, std::string topic, int partitions,
                       std::uint64_t seed, const ClientConfig& config)
    : topic_(std::move(topic)), random_(seed) {
  for (int g = 0; g < 3; ++g) {
    const std::string name = "offsets-" + std::to_string(g);
    Group& group = groups_.emplace_back();
    group.name = name;
    group.consumer = std::make_unique<Consumer>(bootstrap, name, config);
    group.partitions.resize(static_cast<std::size_t>(partitions));
  }
}

void OffsetLoad::step() {
  Group& group = groups_[random_.below(groups_.size())];
  std::vector<PartitionOffset> offsets;
  for (std::size_t p = 0; p < group.partitions.size(); ++p) {
    if (random_.below(2) == 0) continue;
    const std::int64_t offset =
        ++group.partitions[p].attempted + static_cast<std::int64_t>(random_.below(3));
    group.partitions[p].attempted = offset;
    offsets.push_back({topic_, static_cast<std::int32_t>(p), offset, std::to_string(offset)});
  }
  if (offsets.empty()) return;
  if (group.consumer->commit(offsets) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  for (const PartitionOffset& o : offsets) {
    group.partitions[static_cast<std::size_t>(o.partition)].acknowledged = o.offset;
  }
  ++count_;
}

void OffsetLoad::check(bool, Problems& problems) {
  for (Group& group : groups_) {
    std::vector<PartitionOffset> wanted;
    for (std::size_t p = 0; p < group.partitions.size(); ++p) {
      wanted.push_back({topic_, static_cast<std::int32_t>(p)});
    }
    const std::vector<PartitionOffset> found = group.consumer->committed(wanted);
    if (found.size() != wanted.size()) {
      problems.push_back(group.name + ": the committed offsets cannot be read");
      continue;
    }
    for (const PartitionOffset& o : found) {
      const Commit& commit = group.partitions[static_cast<std::size_t>(o.partition)];
      const std::int64_t offset = o.offset == RD_KAFKA_OFFSET_INVALID ? -1 : o.offset;
      if (offset < commit.acknowledged || offset > commit.attempted) {
        problems.push_back(fmt::format("{} partition {}: committed {}, acknowledged {}, tried {}",
                                       group.name, o.partition, offset, commit.acknowledged,
                                       commit.attempted));
      } else if (offset >= 0 && o.metadata != std::to_string(offset)) {
        problems.push_back(fmt::format("{} partition {}: offset {} with the metadata of {}",
                                       group.name, o.partition, offset, o.metadata));
      }
    }
  }
}

std::string OffsetLoad::counts() const {
  return fmt::format("{} offset commits acknowledged to {} groups", count_, groups_.size());
}

}  // namespace chronik::integration
