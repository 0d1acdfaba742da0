#include "protocol/records_field.h"

namespace chronik::protocol {

namespace {

// Memory parts joined to one run, so that the same bytes cut differently are equal.
std::vector<std::variant<Bytes, FileRange>> joined(const ByteChain& chain) {
  std::vector<std::variant<Bytes, FileRange>> runs;
  for (const ByteChain::Part& part : chain.parts()) {
    if (const auto* range = std::get_if<FileRange>(&part)) {
      runs.emplace_back(*range);
      continue;
    }
    if (runs.empty() || !std::holds_alternative<Bytes>(runs.back())) runs.emplace_back(Bytes());
    const ByteView view = std::get<SharedBytes>(part).view();
    auto& bytes = std::get<Bytes>(runs.back());
    bytes.insert(bytes.end(), view.begin(), view.end());
  }
  return runs;
}

bool same(const std::variant<Bytes, FileRange>& a, const std::variant<Bytes, FileRange>& b) {
  if (a.index() != b.index()) return false;
  if (const auto* bytes = std::get_if<Bytes>(&a)) return *bytes == std::get<Bytes>(b);
  const auto& left = std::get<FileRange>(a);
  const auto& right = std::get<FileRange>(b);
  return left.file == right.file && left.position == right.position && left.size == right.size;
}

}  // namespace

SharedBytes RecordsField::slice() const {
  if (chain.empty()) return {};
  CHECK(chain.parts().size() == 1);
  return std::get<SharedBytes>(chain.parts().front());
}

bool RecordsField::operator==(const RecordsField& other) const {
  if (null != other.null || chain.size() != other.chain.size()) return false;
  const auto left = joined(chain);
  const auto right = joined(other.chain);
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!same(left[i], right[i])) return false;
  }
  return true;
}

}  // namespace chronik::protocol
