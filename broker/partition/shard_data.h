// ShardData: what one shard serves requests from: the metadata image it has been given, its
// partitions, and the fetch sessions of its connections. Used on its shard only.
#pragma once

#include <memory>

#include "broker/partition/fetch_session.h"
#include "broker/partition/partitions.h"
#include "broker/runtime/metadata_view.h"
#include "metadata/image.h"

namespace chronik::broker {

struct ShardData {
  Shard& shard;
  const MetadataView& metadata;
  Partitions& partitions;
  FetchSessions& fetch_sessions;

  const metadata::Image& image() const { return *metadata.image(); }
};

}  // namespace chronik::broker
