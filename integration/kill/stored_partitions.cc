#include "integration/kill/stored_partitions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "protocol/record_batch.h"

namespace chronik::integration {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t problems_max = 20;
constexpr std::int32_t batch_length_max = 64 << 20;

/// The batches of one replica, one after the other, through all of its segments.
class ReplicaReader {
 public:
  explicit ReplicaReader(const std::string& directory) {
    std::error_code none;  // yet
    for (const auto& file : fs::directory_iterator(directory, none)) {
      if (file.path().extension() == ".log") segments_.push_back(file.path());
    }
    std::sort(segments_.begin(), segments_.end());
  }
  void skip_to_last_segment() { segment_ = segments_.empty() ? 0 : segments_.size() - 1; }

  /// The next one that is whole; nothing at the end, or where a write did not finish.
  std::optional<Bytes> next() {
    while (true) {
      if (!file_.is_open()) {
        if (segment_ == segments_.size()) return std::nullopt;
        file_.open(segments_[segment_++], std::ios::binary);
      }
      if (std::optional<Bytes> batch = read_batch()) return batch;
      file_.close();
      file_.clear();
    }
  }

 private:
  std::optional<Bytes> read_batch() {
    Bytes bytes(protocol::batch_header_size);
    if (!read(bytes, 0)) return std::nullopt;
    const protocol::BatchHeader header = protocol::read_batch_header(ByteView(bytes));
    const bool sane = header.magic == 2 && header.length < batch_length_max &&
                      header.size() >= protocol::batch_header_size;
    if (!sane) return std::nullopt;
    bytes.resize(header.size());
    if (!read(bytes, protocol::batch_header_size)) return std::nullopt;
    if (protocol::compute_batch_crc(ByteView(bytes)) != header.crc) return std::nullopt;
    return bytes;
  }
  bool read(Bytes& bytes, std::size_t from) {
    const auto wanted = static_cast<std::streamsize>(bytes.size() - from);
    file_.read(reinterpret_cast<char*>(bytes.data() + from), wanted);
    return file_.gcount() == wanted;
  }

  std::vector<fs::path> segments_;
  std::size_t segment_ = 0;
  std::ifstream file_;
};

std::string replica_directory(ClusterProcesses& cluster, int node, const std::string& topic,
                              std::size_t partition) {
  return fmt::format("{}/{}-{}", cluster.node(node).data_directory(), topic, partition);
}

struct Compared {
  std::int64_t batches = 0;
  std::uint64_t bytes = 0;
};

std::string of_batch(const Bytes& batch) {
  const protocol::BatchHeader header = protocol::read_batch_header(ByteView(batch));
  return fmt::format("offset {} to {}, epoch {}, crc {:08x}", header.base_offset,
                     header.last_offset(), header.leader_epoch, header.crc);
}

class Comparison {
 public:
  Comparison(ClusterProcesses& cluster, const StoredTopic& topic, std::size_t partition)
      : name_(fmt::format("{}-{}", topic.name, partition)),
        end_(topic.ends[partition]),
        nodes_(topic.replicas.at(partition)) {
    for (const std::int32_t id : nodes_) {
      readers_.emplace_back(replica_directory(cluster, id, topic.name, partition));
    }
  }

  /// Batch by batch; a log that has ended takes no more part.
  void run(Compared& compared, Problems& problems) {
    std::vector<std::int64_t> reached(readers_.size(), 0);
    std::vector<bool> ended(readers_.size(), false);
    while (true) {
      std::optional<Bytes> first;
      int first_node = 0;
      for (std::size_t i = 0; i < readers_.size(); ++i) {
        if (ended[i]) continue;
        const std::optional<Bytes> batch = readers_[i].next();
        if (!batch || base_offset(*batch) >= end_) {
          ended[i] = true;
          continue;
        }
        reached[i] = protocol::read_batch_header(ByteView(*batch)).next_offset();
        ++compared.batches;
        compared.bytes += batch->size();
        if (!first) {
          first = batch;
          first_node = nodes_[i];
        } else if (*first != *batch) {
          return say(problems, fmt::format("node {} has {}, node {} has {}", first_node,
                                           of_batch(*first), nodes_[i], of_batch(*batch)));
        }
      }
      if (!first) break;
    }
    if (*std::min_element(reached.begin(), reached.end()) >= end_) return;
    say(problems, fmt::format("the replicas of nodes {} end at {}, the high watermark is {}",
                              fmt::join(nodes_, ", "), fmt::join(reached, ", "), end_));
  }

 private:
  static std::int64_t base_offset(const Bytes& batch) {
    return protocol::read_batch_header(ByteView(batch)).base_offset;
  }
  void say(Problems& problems, const std::string& what) const {
    if (problems.size() < problems_max) problems.push_back(fmt::format("{}: {}", name_, what));
  }

  const std::string name_;
  const std::int64_t end_;
  const std::vector<std::int32_t> nodes_;
  std::vector<ReplicaReader> readers_;  // by node
};

}  // namespace

bool is_stored_everywhere(ClusterProcesses& cluster, const StoredTopic& topic) {
  for (int id = 1; id <= cluster.count(); ++id) {
    for (std::size_t p = 0; p < topic.ends.size(); ++p) {
      const std::string directory = replica_directory(cluster, id, topic.name, p);
      if (std::ranges::find(topic.replicas.at(p), id) == topic.replicas[p].end()) {
        if (fs::exists(directory)) return false;
        continue;
      }
      ReplicaReader reader(directory);
      reader.skip_to_last_segment();
      std::int64_t end = 0;
      while (const std::optional<Bytes> batch = reader.next()) {
        end = protocol::read_batch_header(ByteView(*batch)).next_offset();
      }
      if (end < topic.ends[p]) return false;
    }
  }
  return true;
}

std::string compare_stored_partitions(ClusterProcesses& cluster, const StoredTopic& topic,
                                      Problems& problems) {
  Compared compared;
  for (std::size_t p = 0; p < topic.ends.size(); ++p) {
    Comparison(cluster, topic, p).run(compared, problems);
  }
  return fmt::format("{} batches, {:.1f} MB of replicas compared", compared.batches,
                     static_cast<double>(compared.bytes) / 1e6);
}

std::vector<std::string> stored_directories(ClusterProcesses& cluster,
                                            const std::vector<std::string>& topics) {
  const std::set<std::string> wanted(topics.begin(), topics.end());
  std::vector<std::string> found;
  for (int id = 1; id <= cluster.count(); ++id) {
    std::error_code gone;  // what is removed meanwhile is not there
    for (const auto& entry : fs::directory_iterator(cluster.node(id).data_directory(), gone)) {
      const std::string name = entry.path().filename();
      if (wanted.contains(name.substr(0, name.rfind('-')))) found.push_back(entry.path());
    }
  }
  return found;
}

}  // namespace chronik::integration
