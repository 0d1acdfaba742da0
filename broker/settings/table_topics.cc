// The settings of: one topic.
#include "broker/settings/table_rows.h"

namespace chronik::broker::rows {

namespace {

constexpr SettingDefinition all[] = {
    {"cleanup.policy", list, "delete", each_one_of("compact, delete"), applies, cluster_wide,
     "What happens to old records: delete drops old segments, compact keeps the last record of "
     "each key, empty keeps all."},
    {"compression.gzip.level", int32, "-1", between_or_minus_one(1, 9), applies, cluster_wide,
     "Level for gzip when the broker compresses: 1 (fast) to 9 (small), -1 for zlib's own choice."},
    {"compression.lz4.level", int32, "9", between(1, 17), applies, cluster_wide,
     "Level for lz4 when the broker compresses: 1 (fast) to 17 (small)."},
    {"compression.type", text, "producer",
     one_of("uncompressed, zstd, lz4, snappy, gzip, producer"), applies, cluster_wide,
     "Codec in which records are stored; producer keeps what the producer chose, anything else "
     "recompresses."},
    {"compression.zstd.level", int32, "3", between(-131072, 22), applies, cluster_wide,
     "Level for zstd when the broker compresses: below 0 faster, up to 22 smaller."},
    {"delete.retention.ms", int64, "86400000", at_least(0), applies, cluster_wide,
     "How long a compacted topic keeps the marks of deleted keys."},
    {"errors.deadletterqueue.group.enable", boolean, "false", any, listed, cluster_wide,
     "Whether share groups may send records they give up to this topic."},
    {"file.delete.delay.ms", int64, "60000", at_least(0), listed, cluster_wide,
     "How long the files of a dropped segment stay on disk."},
    {"flush.messages", int64, "1", at_least(1), applies, cluster_wide,
     "1 (or any number below the greatest) writes to disk before the acknowledgement; "
     "9223372036854775807 acknowledges from the page cache."},
    {"flush.ms", int64, int64_max, at_least(0), applies, cluster_wide,
     "Longest time until acknowledged records of a page-cache topic are on disk."},
    {"follower.replication.throttled.replicas", list, "", replicas, applies, cluster_wide,
     "Replicas that are copied to, while they are behind, at the follower's throttled rate: "
     "partition:broker, or * for all."},
    {"index.interval.bytes", int32, "4096", at_least(0), applies, cluster_wide,
     "Bytes of log between two entries of its offset index."},
    {"leader.replication.throttled.replicas", list, "", replicas, applies, cluster_wide,
     "Replicas that copy to followers which are behind at the leader's throttled rate: "
     "partition:broker, or * for all."},
    {"local.retention.bytes", int64, "-2", at_least(-2), listed, cluster_wide,
     "Bytes of a tiered partition that stay on local disks; -2 means retention.bytes."},
    {"local.retention.ms", int64, "-2", at_least(-2), listed, cluster_wide,
     "Age to which a tiered partition stays on local disks; -2 means retention.ms."},
    {"max.compaction.lag.ms", int64, int64_max, at_least(1), applies, cluster_wide,
     "Longest time a record of a compacted topic may stay uncompacted."},
    {"max.decompressed.message.bytes", int32, "2147483639", between(1, 2147483639), applies,
     cluster_wide, "Largest record after decompression."},
    {"max.message.bytes", int32, "1048588", at_least(0), applies, cluster_wide,
     "Largest record batch, as it is sent."},
    {"message.timestamp.after.max.ms", int64, "3600000", at_least(0), applies, cluster_wide,
     "How far the timestamp of a record may lie in the future."},
    {"message.timestamp.before.max.ms", int64, int64_max, at_least(0), applies, cluster_wide,
     "How far the timestamp of a record may lie in the past."},
    {"message.timestamp.type", text, "CreateTime", one_of("CreateTime, LogAppendTime"), applies,
     cluster_wide,
     "Whether records carry the producer's time (CreateTime) or the broker's (LogAppendTime)."},
    {"min.cleanable.dirty.ratio", float64, "0.5", between(0, 1), applies, cluster_wide,
     "Share of not yet compacted bytes from which a log is worth compacting."},
    {"min.compaction.lag.ms", int64, "0", at_least(0), applies, cluster_wide,
     "Shortest time a record of a compacted topic stays uncompacted."},
    {"min.insync.replicas", int32, "1", at_least(1), applies, cluster_wide,
     "How many replicas in sync must have a record on disk before acks=all is answered; a majority "
     "has it in any case."},
    {"preallocate", boolean, "false", any, listed, cluster_wide,
     "Whether a new segment file gets its full size at once."},
    {"remote.copy.lag.bytes", int64, "-1", at_least(-1), listed, cluster_wide,
     "Bytes of closed segments that may wait for their copy to remote storage; -1 sets no bound."},
    {"remote.copy.lag.ms", int64, "0", at_least(-1), listed, cluster_wide,
     "Time that a closed segment may wait for its copy to remote storage; -1 sets no bound."},
    {"remote.log.copy.disable", boolean, "false", any, listed, cluster_wide,
     "Whether a tiered topic stops copying to remote storage."},
    {"remote.log.delete.on.disable", boolean, "false", any, listed, cluster_wide,
     "Whether turning tiering off removes what lies in remote storage."},
    {"remote.storage.enable", boolean, "false", any, listed, cluster_wide,
     "Whether this topic is tiered."},
    {"retention.bytes", int64, "-1", any, applies, cluster_wide,
     "Largest size of a partition before its oldest segments are dropped; -1 sets no limit."},
    {"retention.ms", int64, "604800000", at_least(-1), applies, cluster_wide,
     "Age at which records expire; -1 keeps them for ever."},
    {"segment.bytes", int32, "1073741824", at_least(1048576), applies, cluster_wide,
     "Size at which a segment file is closed and the next begun."},
    {"segment.index.bytes", int32, "10485760", at_least(4), applies, cluster_wide,
     "Largest index file; when it is full, the segment is closed."},
    {"segment.jitter.ms", int64, "0", at_least(0), applies, cluster_wide,
     "Random part of the age at which a segment is closed."},
    {"segment.ms", int64, "604800000", at_least(1), applies, cluster_wide,
     "Age at which a segment is closed even when it is not full."},
    {"unclean.leader.election.enable", boolean, "false", any, listed, cluster_wide,
     "Whether a replica that lacks acknowledged records may lead by itself; here only on request "
     "(chronik cluster recover)."},
};

}  // namespace

std::span<const SettingDefinition> topics() { return all; }

}  // namespace chronik::broker::rows
