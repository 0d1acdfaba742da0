// Messages, Readys and states as text, for transcripts, log lines and failures. A place in a log is
// written index@term.
#pragma once

#include <string>

#include "raft/core/raft.h"

namespace chronik::raft {

const char* to_string(Role role);
std::string to_string(Position position);
std::string to_string(const Entry& entry);
/// "1>2 t3 append after 4@2: 5@3 "x", commit 4"
std::string to_string(const Message& message);
/// One line an action, in the order of ready.h; each ends in a line feed.
std::string to_string(const Ready& ready);
/// One line for the node, one for each member it leads.
std::string describe(const Raft& raft);

}  // namespace chronik::raft
