#include "broker/settings/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace chronik::broker {
namespace {

std::string read(std::string_view text) {
  const auto properties = parse_properties(text, "f");
  if (!properties) return properties.error().message;
  std::string out;
  for (const Property& property : *properties) {
    out += "[" + std::to_string(property.line) + " " + property.key + "|" + property.value + "]";
  }
  return out;
}

TEST(Properties, AreReadAsJavaReadsThem) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("a=b"), "[1 a|b]");
  EXPECT_EQ(read("a:b\nc d\r\n e \t=  f \rg"), "[1 a|b][2 c|d][3 e|f ][4 g|]");
  EXPECT_EQ(read("a==b\nb = = c"), "[1 a|=b][2 b|= c]");
  EXPECT_EQ(read("# x=1\n  ! y=2\n\n  \na=1 # not a comment"), "[5 a|1 # not a comment]");
  EXPECT_EQ(read("\xef\xbb\xbf"
                 "a=1"),
            "[1 a|1]");
}

TEST(Properties, EscapesAreUndone) {
  EXPECT_EQ(read("a\\=b\\:c\\ d=e"), "[1 a=b:c d|e]");
  EXPECT_EQ(read("a=x\\ty\\nz\\\\ \\q"), "[1 a|x\ty\nz\\ q]");
  EXPECT_EQ(read("a=\\u0041\\u00e9\\u20ac\\ud83d\\ude00"),
            "[1 a|A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80]");
}

TEST(Properties, ABackslashAtTheEndContinuesTheLine) {
  EXPECT_EQ(read("a=b,\\\n   c,\\\r\n\td\ne=f"), "[1 a|b,c,d][4 e|f]");
  EXPECT_EQ(read("a=b\\\\\nc=d"), "[1 a|b\\][2 c|d]");
  EXPECT_EQ(read("a=b\\\n# c\nd=e"), "[1 a|b# c][3 d|e]");
  EXPECT_EQ(read("a=b\\"), "[1 a|b]");
}

TEST(Properties, MistakesNameFileAndLine) {
  EXPECT_EQ(read("a=1\nb=2\na=3"), "f:3: a is set a second time; the first is in line 1");
  EXPECT_EQ(read("\n=x"), "f:2: there is no key before the value");
  EXPECT_EQ(read("a=\\u12g4"),
            "f:1: a \\u must be followed by four hex digits that make a character");
  EXPECT_EQ(read("a=\\ud83d"),
            "f:1: a \\u must be followed by four hex digits that make a character");
  EXPECT_EQ(read("a=\\ude00"),
            "f:1: a \\u must be followed by four hex digits that make a character");
}

}  // namespace
}  // namespace chronik::broker
