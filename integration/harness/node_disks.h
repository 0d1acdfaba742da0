// NodeDisks: a small file system of its own for the data directory of each node, in a file that is
// mounted as a disk, so that it can be filled to the last byte by somebody else.
//
// Nothing is left behind, however the process ends: the mounts are in a mount namespace of this
// process, and their files are removed as soon as they are mounted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace chronik::integration {

class NodeDisks {
 public:
  /// Takes this process into a mount namespace of its own, so it comes before the first thread.
  /// Errors: unsupported, with the reason why this machine cannot.
  static Result<std::unique_ptr<NodeDisks>> open();
  NodeDisks(const NodeDisks&) = delete;
  NodeDisks& operator=(const NodeDisks&) = delete;
  /// The brokers must have ended.
  ~NodeDisks();

  /// Mounts an empty file system of `bytes` on the directory, which is made.
  Result<void> add(const std::string& directory, std::uint64_t bytes);
  /// Takes every free byte of it.
  static void fill(const std::string& directory);
  /// Gives them back.
  static void release(const std::string& directory);

 private:
  NodeDisks() = default;

  std::vector<std::string> directories_;
};

}  // namespace chronik::integration
