#include "protocol/wire_check/report.h"

namespace chronik::protocol::wire_check {

void Report::mismatch(std::string_view where, std::string_view what) {
  if (last_mismatch_ != where) {
    ++mismatches_;
    last_mismatch_ = where;
    if (mismatches_ == printed_max_ + 1) out_ << "(further differences are only counted)\n";
  }
  if (mismatches_ <= printed_max_) out_ << where << ": " << what << '\n';
}

void Report::deliberate(std::string_view where, std::string_view reason) {
  ++deliberate_[std::string(reason)][std::string(where)];
}

std::int64_t Report::left_out_total() const {
  std::int64_t total = 0;
  for (const auto& [message, count] : left_out_) total += count;
  return total;
}

void Report::summary() const {
  for (const auto& [reason, places] : deliberate_) {
    out_ << "different on purpose, " << places.size() << ": " << reason << '\n';
    for (const auto& [place, count] : places) out_ << "  " << place << '\n';
  }
  out_ << left_out_total() << " vectors left out\n";
  for (const auto& [message, count] : left_out_) out_ << "  " << message << ": " << count << '\n';
  out_ << vectors_ << " vectors, " << mismatches_ << " mismatches\n";
}

}  // namespace chronik::protocol::wire_check
