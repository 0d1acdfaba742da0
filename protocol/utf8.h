// UTF-8 as Java decodes it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace chronik::protocol {

/// True if Java would decode `text` without a replacement: no overlong forms, no surrogates,
/// nothing above U+10FFFF, nothing cut short.
bool is_utf8(std::string_view text);

/// Each malformed piece becomes U+FFFD, cut into pieces as java.lang.String does.
std::string replace_invalid_utf8(std::string_view text);

/// `text` or its longest prefix of at most `bytes_max` bytes that does not end within a character.
std::string_view cut_utf8(std::string_view text, std::size_t bytes_max);

}  // namespace chronik::protocol
