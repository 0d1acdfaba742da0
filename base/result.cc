#include "base/result.h"

namespace chronik {

const char* to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid argument";
    case Errc::out_of_range:
      return "out of range";
    case Errc::not_found:
      return "not found";
    case Errc::already_exists:
      return "already exists";
    case Errc::corrupt:
      return "corrupt";
    case Errc::io:
      return "I/O error";
    case Errc::no_space:
      return "no space";
    case Errc::unsupported:
      return "unsupported";
    case Errc::too_large:
      return "too large";
    case Errc::busy:
      return "busy";
    case Errc::not_leader:
      return "not the leader";
    case Errc::closed:
      return "closed";
    case Errc::timeout:
      return "timeout";
  }
  UNREACHABLE();
}

}  // namespace chronik
