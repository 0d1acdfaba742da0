// Stands in for libFuzzer where there is none: runs a fuzz target once on every file of the given
// folders, so that what the fuzzer kept is tried by every build. Linked with one foo_fuzz.cc.
#include <cstdint>
#include <cstdio>
#include <memory>

#include "base/check.h"
#include "base/posix_disk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace chronik {
namespace {

Result<std::size_t> replay(Disk& disk, const std::string& folder) {
  TRY_ASSIGN(const auto entries, disk.list(folder));
  for (const DirectoryEntry& entry : entries) {
    const std::string path = folder + "/" + entry.name;
    TRY_ASSIGN(const auto file, disk.open(path, OpenMode::read));
    TRY_ASSIGN(const std::uint64_t size, file->size());
    // As large as the input, so that the address sanitizer sees a read behind its end.
    const auto input = std::make_unique<std::uint8_t[]>(size);
    TRY_ASSIGN(const std::size_t read, file->read_at(0, {input.get(), size}));
    CHECK(read == size);
    // What ends the process says nothing of its input.
    std::fprintf(stderr, "%s\n", path.c_str());
    LLVMFuzzerTestOneInput(input.get(), size);
  }
  return entries.size();
}

}  // namespace
}  // namespace chronik

int main(int argc, char** argv) {
  chronik::PosixDisk disk;
  LLVMFuzzerTestOneInput(nullptr, 0);
  for (int i = 1; i < argc; ++i) {
    const chronik::Result<std::size_t> files = chronik::replay(disk, argv[i]);
    if (!files || *files == 0) {
      std::fprintf(stderr, "%s: %s\n", argv[i], files ? "no files" : files.error().message.c_str());
      return 1;
    }
    std::printf("%s: %zu inputs\n", argv[i], *files);
  }
  return argc > 1 ? 0 : 2;
}
