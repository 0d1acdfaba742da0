#include "broker/cli/version.h"

#ifndef CHRONIK_VERSION
#error "CHRONIK_VERSION is set by broker/CMakeLists.txt"
#endif

namespace chronik::broker::cli {

const char* version() { return CHRONIK_VERSION; }

std::string version_line() {
  return std::string("chronik ") + version() + " (speaks the protocol of Apache Kafka 4.4)";
}

}  // namespace chronik::broker::cli
