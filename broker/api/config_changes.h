// ConfigChanges: makes the changes that AlterConfigs and IncrementalAlterConfigs ask for, one
// request after the other, so that each is judged by what the one before it left (two APPENDs to
// one list both count). Made and destroyed on the first shard by Server; alter() from any shard.
#pragma once

#include <deque>
#include <vector>

#include "broker/api/config_judgement.h"
#include "broker/runtime/metadata_view.h"
#include "broker/runtime/shard.h"
#include "broker/settings/live_settings.h"

namespace chronik::broker {

class ConfigChanges {
 public:
  /// All must outlive it. `settings` observes the same store as `metadata`.
  ConfigChanges(Shard& first, MetadataView& metadata, const LiveSettings& settings,
                BrokerId this_broker);
  ConfigChanges(const ConfigChanges&) = delete;
  ConfigChanges& operator=(const ConfigChanges&) = delete;
  ~ConfigChanges();

  /// One verdict for each resource, in their order; what was changed is durable and in force on
  /// return. With `validate_only` nothing is changed.
  Task<std::vector<AlterationVerdict>> alter(std::vector<ResourceAlteration> resources,
                                             AlterMode mode, bool validate_only);

 private:
  Task<std::vector<AlterationVerdict>> alter_here(std::vector<ResourceAlteration> resources,
                                                  AlterMode mode, bool validate_only);
  Task<void> make(std::vector<AlterationVerdict>& verdicts);
  Task<void> my_turn();
  void next_turn();

  Shard& first_;
  MetadataView& metadata_;
  const LiveSettings& settings_;
  const BrokerId this_broker_;
  bool busy_ = false;
  std::deque<Promise<void>> waiting_;
};

}  // namespace chronik::broker
