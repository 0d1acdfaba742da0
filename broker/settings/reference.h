// The settings as text for people: `chronik config list`, and configs/broker.properties, which is
// written from the tables (a test sees to it). Pure.
#pragma once

#include <string>
#include <string_view>

namespace chronik::broker {

/// Every broker and topic setting whose name contains `part` (empty: all): type, default, rule,
/// where it can be changed, what it means. Empty when there is none.
std::string settings_reference(std::string_view part);

/// A .properties file with every broker setting at its default, commented out.
std::string example_properties();

}  // namespace chronik::broker
