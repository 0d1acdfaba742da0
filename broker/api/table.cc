#include "broker/api/table.h"

#include <array>

#include "broker/api/api_versions.h"

namespace chronik::broker {

const ApiTable& api_table() {
  // In the order of the keys, as ApiVersions lists them.
  static const std::array entries = {
      api_versions_entry(),
  };
  static const ApiTable table(entries);
  return table;
}

}  // namespace chronik::broker
