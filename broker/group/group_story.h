// Story: one Group driven by text commands, for the transcript tests (group_transcript_test.cc). It
// plays coordinator, store, clock and clients; testdata/README.txt lists the commands.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "base/coding.h"
#include "broker/group/group.h"
#include "broker/group/group_print.h"

namespace chronik::broker {

inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// "consumer subscription of topics a and b", as KIP-4 has it: version 0, topics, no user data.
inline Bytes subscription(const std::string& topics) {
  Writer writer;
  writer.i16(0);
  const std::vector<std::string> names = split(topics, '+');
  writer.i32(static_cast<std::int32_t>(names.size()));
  for (const std::string& name : names) {
    writer.i16(static_cast<std::int16_t>(name.size()));
    writer.text(name);
  }
  writer.i32(-1);
  return writer.take_bytes();
}

class Story {
 public:
  std::string run(const std::string& line);

 private:
  using Arguments = std::map<std::string, std::string>;
  std::optional<std::string> find(const std::string& key) const {
    auto found = arguments_.find(key);
    return found == arguments_.end() ? std::nullopt : std::optional(found->second);
  }
  std::string text(const std::string& key, const std::string& otherwise = "") const {
    return find(key).value_or(otherwise);
  }
  std::int32_t number(const std::string& key, std::int32_t otherwise) const {
    auto value = find(key);
    return value ? std::stoi(*value) : otherwise;
  }
  /// "10s", "500ms", "20m", "7d"
  static std::int32_t duration(const std::string& value) {
    const int count = std::stoi(value);
    if (value.ends_with("ms")) return count;
    if (value.ends_with("m")) return count * 60'000;
    return value.ends_with("d") ? count * 86'400'000 : count * 1'000;
  }
  std::int32_t duration(const std::string& key, const std::string& otherwise) const {
    return duration(text(key, otherwise));
  }
  GroupTime now() const { return {clock_.steady_now(), clock_.now_ms()}; }

  void start();
  void make_stable(const std::vector<std::string>& members);
  void join();
  void sync();
  void leave(const std::vector<std::string>& members);
  void advance(milliseconds step);
  void persisted(ErrorCode error);
  void take_effects();
  template <class... T>
  void say(fmt::format_string<T...> format, T&&... values) {
    out_ += fmt::format(format, std::forward<T>(values)...) + "\n";
  }

  ManualClock clock_{0};
  GroupSettings settings_;
  std::unique_ptr<Group> group_;
  bool hold_ = false;  // records wait for the command `persisted`
  std::deque<std::uint64_t> demands_;
  std::optional<GroupRecord> stored_;
  GroupToken next_token_ = 1;
  int next_suffix_ = 0;
  GroupEffects effects_;
  Arguments arguments_;
  std::string out_;
};

inline std::string Story::run(const std::string& line) {
  out_.clear();
  arguments_.clear();
  std::vector<std::string> words = split(line, ' ');
  const std::string command = words.front();
  words.erase(words.begin());
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals != std::string::npos) arguments_[word.substr(0, equals)] = word.substr(equals + 1);
  }
  const GroupState before = group_ ? group_->state() : GroupState::empty;
  const CommitIdentity who{text("member"), find("instance"), number("gen", -1),
                           text("txn") == "yes"};
  if (command == "group") {
    start();
  } else if (command == "stable") {
    make_stable(words);
  } else if (command == "restart") {
    settings_.members_max = number("max", settings_.members_max);
    group_ =
        std::make_unique<Group>(Group::restore("g", settings_, stored_.value(), now(), effects_));
    demands_.clear();
  } else if (command == "join") {
    join();
  } else if (command == "sync") {
    sync();
  } else if (command == "heartbeat") {
    say("{}", protocol::error_name(
                  group_->heartbeat(who.member_id, find("instance"), who.generation, now())));
  } else if (command == "leave") {
    leave(words);
  } else if (command == "commit") {
    say("{}", protocol::error_name(group_->check_commit(who, now())));
  } else if (command == "expired") {
    // The offset was committed at the beginning of the story.
    say("{}", group_->offset_expired(text("topic"), 0, number("expires", -1), clock_.now_ms(),
                                     milliseconds{duration("retention", "7d")}));
  } else if (command == "offset-delete") {
    const ErrorCode error = group_->check_offset_delete();
    const bool subscribed = group_->subscribes_to(text("topic"));
    say("{}{}", protocol::error_name(error), subscribed ? ", the group subscribes to it" : "");
  } else if (command == "delete") {
    const ErrorCode error = group_->check_delete();
    say("{}", protocol::error_name(error));
    if (error == ErrorCode::none) group_->begin_delete();
  } else if (command == "delete-failed") {
    group_->end_delete(false);
  } else if (command == "gone") {
    group_->abandon(static_cast<GroupToken>(number("#", 0)), now(), effects_);
  } else if (command == "unload") {
    group_->unload(ErrorCode::not_coordinator, effects_);
    demands_.clear();
  } else if (command == "advance") {
    advance(milliseconds{duration(words.at(0))});
  } else if (command == "persisted") {
    persisted(find("error") ? ErrorCode::coordinator_not_available : ErrorCode::none);
  } else if (command == "describe") {
    say("{}", to_string(group_->describe()));
    say("generation {}, leader {}, {} announced", group_->generation(),
        group_->leader().value_or("none"), group_->pending_member_count());
  } else {
    say("what is {}?", command);
  }
  take_effects();
  if (group_ && group_->state() != before) say("[{}]", to_string(group_->state()));
  return out_;
}

inline void Story::start() {
  clock_ = ManualClock(0);
  demands_.clear();
  stored_.reset();
  next_token_ = 1;
  next_suffix_ = 0;
  settings_.initial_rebalance_delay = milliseconds{duration("delay", "0ms")};
  settings_.members_max = number("max", settings_.members_max);
  hold_ = text("store") == "by-hand";
  group_ = std::make_unique<Group>("g", settings_, now());
}

/// Members as "name" or "name@instance". Leaves them stable in generation 1.
inline void Story::make_stable(const std::vector<std::string>& members) {
  arguments_["delay"] = "1s";
  start();
  const bool hold = std::exchange(hold_, false);
  std::string assignments;
  std::vector<std::string> ids;
  for (const std::string& member : members) {
    if (member.find('=') != std::string::npos) continue;
    const std::size_t at = member.find('@');
    arguments_["client"] = member.substr(0, at);
    arguments_.erase("instance");
    if (at != std::string::npos) arguments_["instance"] = member.substr(at + 1);
    arguments_["v"] = at == std::string::npos ? "3" : "9";
    ids.push_back(text("instance", text("client")) + "-" + static_cast<char>('A' + next_suffix_));
    assignments += (assignments.empty() ? "" : ",") + ids.back() + ":" + text("client");
    join();
  }
  advance(milliseconds{2'000});
  arguments_ = {{"gen", "1"}, {"assign", assignments}};
  for (const std::string& id : ids) {
    arguments_["member"] = id;
    sync();
    take_effects();
  }
  hold_ = hold;
  out_ = to_string(group_->describe()) + "\n";
}

inline void Story::join() {
  const std::int32_t version = number("v", 9);
  JoinRequest request;
  request.member_id = text("member");
  request.group_instance_id = find("instance");
  request.client_id = text("client", "c");
  request.client_host = "/127.0.0.1";
  request.protocol_type = text("type", "consumer");
  for (const std::string& protocol : split(text("protocols", "range:news"), ',')) {
    const std::size_t colon = std::min(protocol.find(':'), protocol.size());
    std::string topics = colon == protocol.size() ? "" : protocol.substr(colon + 1);
    Bytes metadata = request.protocol_type == "consumer" && topics != "garbage"
                         ? subscription(topics)
                         : to_bytes(as_bytes(topics));
    request.protocols.push_back({protocol.substr(0, colon), metadata});
  }
  request.session_timeout_ms = duration("session", "10s");
  request.rebalance_timeout_ms = duration("rebalance", "60s");
  request.reason = text("reason");
  request.two_step = version >= 4;
  request.can_skip_assignment = version >= 9;
  request.unique_suffix = std::string(1, static_cast<char>('A' + next_suffix_));
  if (request.member_id.empty()) ++next_suffix_;
  say("as #{}", next_token_);
  group_->join(std::move(request), next_token_++, now(), effects_);
}

inline void Story::sync() {
  SyncRequest request{text("member"), find("instance"), number("gen", -1),
                      find("type"),   find("protocol"), {}};
  for (const std::string& assigned : split(text("assign"), ',')) {
    const std::size_t colon = assigned.find(':');
    request.assignments.push_back(
        {assigned.substr(0, colon),
         to_bytes(as_bytes(std::string_view(assigned).substr(colon + 1)))});
  }
  say("as #{}", next_token_);
  group_->sync(std::move(request), next_token_++, now(), effects_);
}

/// Members as "id", "id@instance" or "@instance".
inline void Story::leave(const std::vector<std::string>& members) {
  std::vector<LeavingMember> leaving;
  for (const std::string& member : members) {
    const std::size_t at = member.find('@');
    LeavingMember& one = leaving.emplace_back();
    one.member_id = member.substr(0, at);
    if (at != std::string::npos) one.group_instance_id = member.substr(at + 1);
  }
  say("as #{}", next_token_);
  group_->leave(leaving, next_token_++, now(), effects_);
}

/// Stops wherever something happens, and says when.
inline void Story::advance(milliseconds step) {
  const SteadyTime end = clock_.steady_now() + step;
  for (;;) {
    auto next = group_->next_deadline();
    const SteadyTime stop = next && *next < end ? std::max(*next, clock_.steady_now()) : end;
    clock_.advance(std::chrono::duration_cast<milliseconds>(stop - clock_.steady_now()));
    group_->on_time(now(), effects_);
    if (!effects_.empty()) say("at {:.1f}s:", static_cast<double>(clock_.now_ms()) / 1000);
    take_effects();
    if (stop == end) return;
  }
}

inline void Story::persisted(ErrorCode error) {
  if (demands_.empty()) return say("nothing is being stored");
  const std::uint64_t sequence = demands_.front();
  demands_.pop_front();
  group_->on_persisted(sequence, error, now(), effects_);
}

/// Prints the effects; unless by-hand, what is to be stored is stored at once. A deadline that is
/// due is met at once, as the coordinator does.
inline void Story::take_effects() {
  for (;;) {
    if (group_) group_->on_time(now(), effects_);
    for (const GroupEffect& effect : std::exchange(effects_, {})) {
      say("{}", to_string(effect));
      if (auto* demand = std::get_if<PersistDemand>(&effect)) {
        demands_.push_back(demand->sequence);
        stored_ = demand->record;
      }
    }
    if (hold_ || demands_.empty()) return;
    persisted(ErrorCode::none);
  }
}

}  // namespace chronik::broker
