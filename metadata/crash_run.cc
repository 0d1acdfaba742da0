#include "metadata/crash_run.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

#include "metadata/apply.h"
#include "metadata/image_events.h"

namespace chronik::metadata {

namespace {
constexpr const char* directory = "data/__meta-0";
}  // namespace

// What one process life has; gone with it.
struct CrashRun::Broker {
  explicit Broker(MemoryDisk& disk) : environment(disk), group(environment, executor) {
    environment.on_fatal = [this](const Error&) { fatal = true; };
  }
  ~Broker() { executor.abandon(); }

  bool fatal = false;
  wal::LogEnvironment environment;
  wal::ManualIoExecutor executor;
  wal::GroupCommit group;
  std::unique_ptr<MetaLogStore> store;
};

CrashRun::CrashRun(std::uint64_t seed, CrashCounts& counts)
    : random_(seed),
      source_([random = Random(seed ^ 0x5eed)]() mutable { return random.next(); }),
      counts_(counts),
      models_{std::make_shared<const Image>()} {
  CHECK(disk_.make_directories("data"));
}

CrashRun::~CrashRun() = default;

bool CrashRun::fail(std::string what) {
  problem_ = std::move(what);
  return false;
}

bool CrashRun::life() {
  plan_end();
  if (!open()) return problem_.empty();
  return check_recovered() && load();
}

void CrashRun::plan_end() {
  failed_operation_ = random_.one_in(10);
  const std::uint64_t operations = random_.one_in(4) ? random_.below(12) : random_.below(300);
  if (failed_operation_) {
    disk_.fail_operation(operations, random_.next());
  } else {
    disk_.power_off_after(operations);
  }
}

// False without a problem: the power went while the store was being opened.
bool CrashRun::open() {
  broker_ = std::make_unique<Broker>(disk_);
  MetaLogOptions options;
  options.directory = directory;
  options.now = [] { return Timestamp{1'700'000'000'000}; };
  options.snapshot_log_bytes_min = 500 + random_.below(3000);
  options.segment_bytes = 500 + random_.below(4000);
  auto opened = MetaLogStore::open(broker_->environment, broker_->group, broker_->executor,
                                   std::move(options));
  if (opened) {
    broker_->store = std::move(*opened);
    return true;
  }
  if (!disk_.struck()) {
    std::string files;
    for (const std::string& file : disk_.files(directory)) {
      files += fmt::format("\n  {} {} bytes", file, disk_.content(file).size());
    }
    return fail(
        fmt::format("the store does not open: {}; there are{}", opened.error().message, files));
  }
  ++counts_.in_recovery;
  end();
  return false;
}

bool CrashRun::end() {
  ++counts_.points;
  if (in_snapshot_) ++counts_.in_snapshot;
  in_snapshot_ = false;
  broker_->executor.abandon();
  broker_.reset();
  static constexpr CrashModel models[] = {CrashModel::kill, CrashModel::ordered,
                                          CrashModel::reordered};
  disk_.crash(random_, models[random_.below(3)]);
  return true;
}

bool CrashRun::check_recovered() {
  const MetaLogStore& store = *broker_->store;
  const std::shared_ptr<const Image> image = store.image();
  const auto entries = static_cast<std::size_t>(image->applied_index());
  if (!store.recovery().damaged_snapshot.empty()) {
    return fail("a snapshot was damaged: " + store.recovery().damaged_snapshot);
  }
  if (entries < acknowledged_) {
    return fail(fmt::format("{} entries came back of {} acknowledged", entries, acknowledged_));
  }
  if (entries >= first_model_ + models_.size()) {
    return fail(fmt::format("{} entries came back and only {} were proposed", entries,
                            first_model_ + models_.size() - 1));
  }
  const std::shared_ptr<const Image> model = models_[entries - first_model_];
  if (image_hash(image) != image_hash(model) ||
      image->applied_offset() != model->applied_offset()) {
    return fail(fmt::format("after {} entries the image is\n{}\nand should be\n{}", entries,
                            dump_image(image), dump_image(model)));
  }
  counts_.unacknowledged_kept += entries - acknowledged_;
  counts_.unacknowledged_lost += first_model_ + models_.size() - 1 - entries;
  counts_.snapshots_started_from += store.recovery().snapshot.empty() ? 0 : 1;
  counts_.trims += broker_->store->log().log_start_offset() > 0 ? 1 : 0;
  models_ = {model};
  first_model_ = entries;
  acknowledged_ = entries;
  return true;
}

bool CrashRun::load() {
  const std::uint64_t steps_max = 50 + random_.below(1500);
  SteadyTime now{};
  for (std::uint64_t step = 0; step < steps_max; ++step) {
    if (disk_.struck() || broker_->fatal) return end();
    const std::uint64_t kind = random_.below(10);
    if (kind < 3) {
      if (!propose()) return false;
    } else if (kind < 9) {
      in_snapshot_ = broker_->store->snapshot_in_flight();
      broker_->executor.step();
      if (disk_.struck()) continue;
      if (in_snapshot_ && !broker_->store->snapshot_in_flight()) ++counts_.snapshots;
      in_snapshot_ = broker_->store->snapshot_in_flight();
      if (!problem_.empty()) return false;
    } else {
      now += milliseconds(random_.below(20'000));
      broker_->group.tick(now);
    }
  }
  return random_.one_in(2) ? stop_cleanly() : end();
}

bool CrashRun::propose() {
  std::vector<MetadataEvent> events = source_.batch(random_.one_in(20) ? 60 : 4);
  ImageBuilder builder(models_.back());
  ApplyResults expected;
  for (const MetadataEvent& event : events) expected.push_back(builder.apply(event));
  const std::size_t entry = first_model_ + models_.size();
  builder.set_applied(static_cast<EntryIndex>(entry),
                      models_.back()->applied_offset() + static_cast<Offset>(events.size()));
  models_.push_back(builder.finish().image);
  ++counts_.proposals;
  broker_->store->propose(std::move(events), [this, entry, expected = std::move(expected)](
                                                 Result<ApplyResults> results) {
    if (!results) {
      if (results.error().code != Errc::closed) fail("refused: " + results.error().message);
      return;
    }
    // A failed operation must never be followed by an acknowledgement.
    if (failed_operation_ && broker_->fatal) fail("acknowledged after a failed operation");
    if (*results != expected) fail(fmt::format("entry {} had other results", entry));
    if (entry != acknowledged_ + 1) fail(fmt::format("entry {} out of order", entry));
    acknowledged_ = entry;
    ++counts_.acknowledged;
  });
  return problem_.empty();
}

bool CrashRun::stop_cleanly() {
  broker_->store->close();
  bool stopped = false;
  broker_->group.stop([&stopped] { stopped = true; });
  // As on_fatal() does in a broker: nothing runs any more.
  while (!broker_->fatal && broker_->executor.step()) {
  }
  if (disk_.struck() || broker_->fatal) return end();
  if (!stopped) return fail("the group does not stop");
  if (acknowledged_ != first_model_ + models_.size() - 1) {
    return fail("a clean stop left proposals unanswered");
  }
  broker_.reset();
  disk_.crash(random_, CrashModel::reordered);
  ++counts_.clean_stops;
  return problem_.empty();
}

}  // namespace chronik::metadata
