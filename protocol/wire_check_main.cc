// wire_check DIR: decodes and encodes every golden vector in DIR (made by Apache Kafka's own code),
// compares bytes and values, prints what differs, what was left out, and last
// "N vectors, M mismatches". Exit code 0 only without mismatches and with some vectors.
#include <cstdio>
#include <iostream>

#include "base/posix_disk.h"
#include "protocol/wire_check/checks.h"

int main(int argc, char** argv) {
  chronik::PosixDisk disk;
  if (argc != 2 || !disk.list(argv[1])) {
    std::cerr << "usage: wire_check DIR   (a folder with messages/, headers.jsonl, ...)\n";
    return 2;
  }
  chronik::protocol::wire_check::Report report(std::cout);
  chronik::protocol::wire_check::check_folder(disk, argv[1], report);
  report.summary();
  return report.vectors() > 0 && report.mismatches() == 0 ? 0 : 1;
}
