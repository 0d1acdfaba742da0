// ProducerIds: hands out producer ids, each once in the life of the cluster. Takes them from the
// metadata log in blocks, so that most cost no write; what a restart finds of a block is not used
// again.
//
// Lives on the metadata shard.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "broker/runtime/future.h"
#include "metadata/metadata_store.h"

namespace chronik::broker {

class ProducerIds {
 public:
  static constexpr std::int64_t block_size = 1000;

  ProducerIds(metadata::MetadataStore& store, BrokerId node) : store_(store), node_(node) {}

  /// The next id. Errors: those of MetadataStore::propose.
  Future<Result<ProducerId>> next();

 private:
  void take_block();
  void on_block(const Result<metadata::ApplyResults>& taken);

  metadata::MetadataStore& store_;
  const BrokerId node_;
  ProducerId next_ = 0;
  ProducerId end_ = 0;
  std::vector<Promise<Result<ProducerId>>> waiting_;
};

}  // namespace chronik::broker
