// The bit sets that say what a client may do (KIP-430), one bit for each of Kafka's ACL operations.
// Without an authorizer everybody may do everything that the resource knows.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>

namespace chronik::broker {

/// What stands in a response when the client did not ask.
inline constexpr std::int32_t operations_not_asked = std::numeric_limits<std::int32_t>::min();

namespace detail {
constexpr std::int32_t operation_bits(std::initializer_list<int> operations) {
  std::int32_t bits = 0;
  for (int operation : operations) bits |= 1 << operation;
  return bits;
}
}  // namespace detail

// Read 3, Write 4, Create 5, Delete 6, Alter 7, Describe 8, ClusterAction 9, DescribeConfigs 10,
// AlterConfigs 11, IdempotentWrite 12.
inline constexpr std::int32_t all_topic_operations =
    detail::operation_bits({3, 4, 5, 6, 7, 8, 10, 11});
inline constexpr std::int32_t all_group_operations = detail::operation_bits({3, 6, 8, 10, 11});
inline constexpr std::int32_t all_cluster_operations =
    detail::operation_bits({5, 7, 8, 9, 10, 11, 12});

}  // namespace chronik::broker
