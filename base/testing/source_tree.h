/// Where the tests find what lies beside them: the tree they were built from and the folder of the
/// programs. For tests only. Both come in through one source file, so that two checkouts of this
/// tree can share every other object of a compiler cache.
#pragma once

#include <string>
#include <string_view>

namespace chronik {

/// `path` is relative to the root of the source tree: "protocol/testdata/errors.tsv".
std::string in_source_tree(std::string_view path);

/// `path` is relative to the folder where the build puts its programs: "chronik".
std::string in_build_tree(std::string_view path);

}  // namespace chronik
