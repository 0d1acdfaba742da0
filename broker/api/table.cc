#include "broker/api/table.h"

#include <array>

#include "broker/api/api_versions.h"
#include "broker/api/create_topics.h"
#include "broker/api/describe_cluster.h"
#include "broker/api/metadata.h"

namespace chronik::broker {

const ApiTable& api_table() {
  // In the order of the keys, as ApiVersions lists them.
  static const std::array entries = {
      api_entry<metadata_request>(),
      api_versions_entry(),
      api_entry<create_topics>(),
      api_entry<describe_cluster>(),
  };
  static const ApiTable table(entries);
  return table;
}

}  // namespace chronik::broker
