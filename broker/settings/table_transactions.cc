// The settings of: transactions.
#include "broker/settings/table_rows.h"

namespace chronik::broker::rows {

namespace {

constexpr SettingDefinition all[] = {
    {"add.partitions.to.txn.retry.backoff.max.ms", int32, "100", at_least(0), listed, read_only,
     "Longest time the broker repeats a refused check of a transaction for the client."},
    {"add.partitions.to.txn.retry.backoff.ms", int32, "20", at_least(1), listed, read_only,
     "Pause before the broker repeats a refused check of a transaction."},
    {"transaction.abort.timed.out.transaction.cleanup.interval.ms", int32, "10000", at_least(1),
     listed, read_only, "How often transactions that took too long are looked for."},
    {"transaction.max.timeout.ms", int32, "900000", at_least(1), listed, read_only,
     "Longest transaction timeout a producer may ask for."},
    {"transaction.partition.verification.enable", boolean, "true", any, listed, cluster_wide,
     "Whether a transactional write is checked against the coordinator first."},
    {"transaction.remove.expired.transaction.cleanup.interval.ms", int32, "3600000", at_least(1),
     listed, read_only, "How often forgotten transactional ids are looked for."},
    {"transaction.state.log.load.buffer.size", int32, "5242880", at_least(1), listed, read_only,
     "Bytes read at a time when Kafka loads the state of transactions."},
    {"transaction.state.log.min.isr", int32, "2", at_least(1), listed, read_only,
     "In-sync replicas that Kafka's topic for transactions needs."},
    {"transaction.state.log.num.partitions", int32, "50", at_least(1), listed, read_only,
     "Partitions of Kafka's topic for transactions."},
    {"transaction.state.log.replication.factor", int16, "3", at_least(1), listed, read_only,
     "Replicas of Kafka's topic for transactions."},
    {"transaction.state.log.segment.bytes", int32, "104857600", at_least(1), listed, read_only,
     "Segment size of Kafka's topic for transactions."},
    {"transaction.two.phase.commit.enable", boolean, "false", any, listed, read_only,
     "Whether producers may take part in two-phase commits."},
    {"transactional.id.expiration.ms", int32, "604800000", at_least(1), listed, read_only,
     "How long an idle transactional id is remembered."},
};

}  // namespace

std::span<const SettingDefinition> transactions() { return all; }

}  // namespace chronik::broker::rows
