// What the generated code says of one field of a message, and the visitor by which the codec, the
// printer and the checks walk a message. Written by protocol/generator from schema/*.msg; nobody
// else specialises Fields.
#pragma once

#include <cstdint>
#include <limits>

namespace chronik::protocol {

/// `first_flexible` of a message that has no flexible version.
inline constexpr std::int16_t never_flexible = std::numeric_limits<std::int16_t>::max();

struct Field {
  const char* name;        // Kafka's, in camelCase, as its JSON has it
  std::int16_t first = 0;  // versions that have the field
  std::int16_t last = 0;
  std::int16_t null_first = 1;  // versions in which null may be written; none when first > last
  std::int16_t null_last = 0;
  std::int32_t tag = -1;  // tagged fields stand at the end of their struct, by tag
  bool lossy = false;     // may be dropped for a version that lacks it (Kafka: ignorable)
  bool default_null = false;
  std::int64_t default_number = 0;  // of integers and bool

  constexpr bool in(std::int16_t version) const { return first <= version && version <= last; }
  constexpr bool nullable_in(std::int16_t version) const {
    return null_first <= version && version <= null_last;
  }
};

/// Specialised for each struct of each message:
///   static constexpr std::array<Field, N> table;      the fields in schema order
///   static constexpr bool has_tags;
///   static constexpr std::uint32_t min_size;          least encoded size over all versions, >= 1
///   template <class V, class M> static void visit(V& v, M& m);   v(m.field, table[i]) for each
template <class Struct>
struct Fields;

}  // namespace chronik::protocol
