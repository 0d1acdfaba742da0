#include "base/testing/source_tree.h"

namespace chronik {

std::string in_source_tree(std::string_view path) {
  return std::string(CHRONIK_SOURCE_DIR "/").append(path);
}

std::string in_build_tree(std::string_view path) {
  return std::string(CHRONIK_BINARY_DIR "/").append(path);
}

}  // namespace chronik
