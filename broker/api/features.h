// The features that this broker tells of (KIP-584): one, whose level says which Kafka it speaks
// like.
#pragma once

#include <cstdint>
#include <string_view>

namespace chronik::broker {

/// The level that Kafka 4.4 finalizes (4.4-IV2). Our own formats are versioned by their schemas and
/// have nothing to negotiate, so it is the only one, and always in force.
inline constexpr std::string_view metadata_version_feature = "metadata.version";
inline constexpr std::int16_t metadata_version_level = 33;

}  // namespace chronik::broker
