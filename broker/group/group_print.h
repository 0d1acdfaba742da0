// Effects and descriptions of a group as one-line texts, for transcripts and debug logs.
#pragma once

#include <string>

#include "broker/group/group_types.h"

namespace chronik::broker {

std::string to_string(const GroupEffect& effect);
/// One line for the group and one for each member.
std::string to_string(const GroupDescription& description);

}  // namespace chronik::broker
