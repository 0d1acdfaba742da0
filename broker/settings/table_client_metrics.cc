// The settings of: one client metrics subscription.
#include "broker/settings/table_rows.h"

namespace chronik::broker::rows {

namespace {

constexpr SettingDefinition all[] = {
    {"interval.ms", int32, "300000", any, listed, cluster_wide,
     "How often matching clients push their metrics."},
    {"match", list, "", any, listed, cluster_wide,
     "Which clients are meant, as selector=regular expression."},
    {"metrics", list, "", any, listed, cluster_wide,
     "Prefixes of the metrics that are asked for; * for all."},
};

}  // namespace

std::span<const SettingDefinition> client_metrics() { return all; }

}  // namespace chronik::broker::rows
