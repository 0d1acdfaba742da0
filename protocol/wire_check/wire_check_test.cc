// Golden vectors made by Apache Kafka 4.4: the selection in testdata/wire always, the whole folder
// where it lies beside the repository. And that the checker itself sees what differs.
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string_view>

#include "base/memory_disk.h"
#include "base/posix_disk.h"
#include "base/testing/source_tree.h"
#include "protocol/wire_check/checks.h"

namespace chronik::protocol::wire_check {
namespace {

TEST(WireCheck, SelectedVectorsAreKafkasBytesAndValues) {
  std::ostringstream out;
  Report report(out);
  PosixDisk disk;
  check_folder(disk, in_source_tree("protocol/testdata/wire"), report);
  report.summary();
  EXPECT_GT(report.vectors(), 3000);
  EXPECT_EQ(report.mismatches(), 0) << out.str();
  EXPECT_EQ(report.left_out_total(), 0) << out.str();
}

TEST(WireCheck, WholeFolderIsKafkasBytesAndValues) {
  PosixDisk disk;
  const std::string folder = in_source_tree("../shared/wire");
  if (!disk.list(folder)) {
    constexpr const char* why = "no folder ../shared/wire with the whole set of vectors";
    const char* ci = std::getenv("CI");
    if (ci != nullptr && std::string_view(ci) == "true") FAIL() << why;
    GTEST_SKIP() << "skipped: " << why;
  }
  std::ostringstream out;
  Report report(out);
  check_folder(disk, folder, report);
  report.summary();
  EXPECT_GE(report.vectors(), 8000);
  EXPECT_EQ(report.mismatches(), 0) << out.str();
}

// What wire_check says of a folder with this one file.
std::string check(const std::string& file, const std::string& lines) {
  MemoryDisk disk;
  disk.make_directories("/wire" + file.substr(0, file.rfind('/'))).value();
  disk.open("/wire" + file, OpenMode::create).value()->write_at(0, as_bytes(lines)).value();
  std::ostringstream out;
  Report report(out);
  check_folder(disk, "/wire", report);
  report.summary();
  return out.str();
}

TEST(WireCheck, AValueThatDiffersIsShownWithItsPath) {
  const std::string out =
      check("/messages/12_Heartbeat.request.jsonl",
            R"({"v":0,"flexible":false,"kind":"random","hex":"00016700000007000161","json":)"
            R"({"groupId":"g","generationId":8,"memberId":"a"}})"
            "\n");
  EXPECT_NE(out.find("12_Heartbeat.request.jsonl:1: /generationId: 8 expected, got 7"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find("1 vectors, 1 mismatches\n"), std::string::npos) << out;
}

TEST(WireCheck, BytesThatDifferAreShownWithTheirPlace) {
  // A bool of 2 is read as true and written as 1.
  const std::string out = check("/messages_other/clients.AbortedTxn.jsonl",
                                R"({"v":9,"flexible":false,"kind":"random","hex":"","json":{}})"
                                "\n");
  EXPECT_NE(out.find("AbortedTxn has no version 9"), std::string::npos) << out;
  EXPECT_NE(check("/messages/37_CreatePartitions.request.jsonl",
                  R"({"v":0,"flexible":false,"kind":"random","hex":"000000000000000002","json":)"
                  R"({"topics":[],"timeoutMs":0,"validateOnly":true}})"
                  "\n")
                .find("bytes differ at 8"),
            std::string::npos);
}

TEST(WireCheck, AMessageWeDoNotHaveIsLeftOutByName) {
  const std::string out =
      check("/messages_other/clients.Unheard.jsonl", "{\"v\":0,\"hex\":\"\",\"json\":{}}\n");
  EXPECT_NE(out.find("1 vectors left out\n  Unheard: 1\n0 vectors, 0 mismatches\n"),
            std::string::npos)
      << out;
}

}  // namespace
}  // namespace chronik::protocol::wire_check
