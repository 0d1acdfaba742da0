#include "broker/net/connection.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "broker/net/connection_set.h"

namespace chronik::broker {

namespace {

// One connection takes no more of a turn than this, in either direction.
constexpr std::size_t receive_bytes_per_turn = 2u << 20;
constexpr std::size_t send_bytes_per_turn = 4u << 20;
constexpr int settle_rounds_max = 4;
// What a request costs beside its frame: the context, coroutine frames, the response.
constexpr std::int64_t request_overhead_bytes = 1024;
constexpr std::uint64_t no_frame = ~std::uint64_t{0};
// What is no larger need not wait behind large frames that were promised and do not come.
constexpr std::int32_t small_frame_bytes_max = 64 << 10;

}  // namespace

struct Connection::Request {
  Request(Broker& broker, Shard& shard, ConnectionInfo& info) : context(broker, shard, info) {}

  RequestContext context;
  const ApiEntry* entry = nullptr;
  SharedBytes body;
  Budget::Units units;
  Reply reply;
  bool done = false;
  std::size_t bytes = 0;  // of the body, which is the handler's
  Request* next = nullptr;
};

Connection::Connection(ConnectionSet& set, ConnectionInfo info, Admission::Ticket ticket)
    : set_(set),
      info_(std::move(info)),
      ticket_(std::move(ticket)),
      socket_(*set.shard().io()),
      frame_timer_(set.shard().timers(), [this] { on_frame_timer(); }) {}

Connection::~Connection() { CHECK(finished()); }

void Connection::start(int fd) {
  set_.touch(*this);
  if (!socket_.open(fd)) {
    close(CloseReason::io_error, "the event loop did not take the socket");
    return;
  }
  wait_readable();
}

void Connection::drain(CloseReason reason) {
  if (ending_ || closed_) return;
  held_.reset();
  end_after_replies(reason, {});
  for (Request* request = first_; request != nullptr; request = request->next) {
    request->context.cancel();
  }
  set_.mark(*this);
}

void Connection::close(CloseReason reason, std::string_view detail) {
  if (closed_) return;
  closed_ = true;
  set_.on_closed(*this, reason, detail);
  set_.forget_activity(*this);
  frame_timer_.cancel();
  socket_.close();
  output_.clear();
  held_.reset();
  Waiter::leave();
  units_.release();
  for (Request* request = first_; request != nullptr; request = request->next) {
    request->context.cancel();
  }
  set_.mark(*this);
}

void Connection::settle() {
  if (closed_) return;
  for (int round = 1;; ++round) {
    if (blocked_) process_input();
    const bool was_full = output_is_full();
    flush();
    if (closed_ || !blocked_ || !was_full || output_is_full()) break;
    if (round == settle_rounds_max) {
      // More could start at once, but others want their turn.
      wait_writable();
      break;
    }
  }
  if (!closed_ && input_ended_ && !blocked_ && !ending_) {
    end_after_replies(CloseReason::peer_closed, {});
  }
  if (responded_ && first_ == nullptr && !held_ && !reader_.in_frame()) {
    end_after_replies(CloseReason::shutdown, {});
  }
  finish_if_ended();
  if (!closed_ && !blocked_ && !ending_ && !input_ended_) {
    watch_frame();
    wait_readable();
  }
}

// Input.

void Connection::wait_readable() {
  if (reading_) return;
  reading_ = true;
  socket_.wait_readable(
      [this](bool ready) { set_.shard().turn([this, ready] { on_readable(ready); }); });
}

void Connection::on_readable(bool ready) {
  reading_ = false;
  set_.mark(*this);
  if (!ready) close(CloseReason::io_error, "the event loop refused to wait");
  // While it is blocked or ending, what arrives stays in the socket.
  if (closed_ || blocked_ || ending_ || input_ended_) return;
  receive();
}

void Connection::receive() {
  set_.touch(*this);
  std::size_t received = 0;
  while (received < receive_bytes_per_turn) {
    const FrameReader::Space space = reader_.space(set_.slab());
    const Transfer got = socket_.receive({space.parts.data(), space.count});
    switch (got.status) {
      case Transfer::Status::would_block:
        return;
      case Transfer::Status::end_of_stream:
        on_end_of_stream();
        return;
      case Transfer::Status::failed:
        close(CloseReason::peer_closed, system_error_text(got.system_error));
        return;
      case Transfer::Status::done:
        break;
    }
    reader_.received(got.size, set_.slab());
    set_.metrics().bytes_received.add(got.size);
    process_input();
    if (closed_ || blocked_ || ending_) return;
    // A short read means that the socket is empty: no need to be told so by one more call.
    if (got.size < space.size()) return;
    received += got.size;
  }
}

void Connection::on_end_of_stream() {
  input_ended_ = true;
  // Whoever closed waits for nothing; a half-closed peer takes what is there by now.
  for (Request* request = first_; request != nullptr; request = request->next) {
    request->context.cancel();
  }
}

void Connection::process_input() {
  while (!closed_ && !ending_) {
    if (held_) {
      if (!may_start(*held_)) break;
      start_request(std::move(held_));
      continue;
    }
    const FrameReader::State state = reader_.peek();
    if (state == FrameReader::State::need_bytes) {
      blocked_ = false;
      return;
    }
    if (!may_begin()) break;
    if (state == FrameReader::State::complete) {
      on_frame(reader_.take());
    } else if (!take_announced_frame()) {
      break;
    }
  }
  if (closed_ || ending_) return;
  blocked_ = true;
  reader_.park();
  // The time of a frame counts while we wait for it, not while it waits for us.
  frame_watched_ = no_frame;
}

bool Connection::take_announced_frame() {
  const std::int32_t length = reader_.length();
  if (length < 0 || length > set_.options().request_bytes_max) {
    end_after_replies(CloseReason::bad_frame, describe_bad_length(length));
    return false;
  }
  if (!units_) {
    const std::int64_t cost = length + request_overhead_bytes;
    units_ = set_.budget().try_take(cost);
    if (!units_ && length <= small_frame_bytes_max) units_ = set_.small_frames().try_take(cost);
    if (!units_) {
      if (!waiting()) {
        set_.metrics().budget_waits.add();
        set_.budget().wait(cost, *this);
        set_.under_pressure();
      }
      return false;
    }
  }
  if (static_cast<std::size_t>(length) >= BufferPool::pooled_bytes_min) set_.memory_used();
  std::optional<SharedBytes> frame = reader_.accept(set_.pool());
  if (frame) on_frame(*frame);
  return true;
}

void Connection::on_granted(Budget::Units units) {
  units_ = std::move(units);
  set_.mark(*this);
}

void Connection::on_frame(const SharedBytes& frame) {
  ++frames_;
  auto request = std::make_unique<Request>(set_.broker(), set_.shard(), info_);
  request->units = std::move(units_);
  Reader reader(frame.view());
  protocol::RequestHeader header;
  const protocol::HeaderStatus status = protocol::decode_header(reader, header);
  const ApiEntry* entry = set_.apis().find(header.api_key);
  if (!check_request(entry, status, header, frame.size())) return;
  request->entry = entry;
  request->body = frame.slice(frame.size() - reader.remaining(), reader.remaining());
  request->context.start(std::move(header), set_.shard().now());
  if (may_start(*request)) {
    start_request(std::move(request));
  } else {
    held_ = std::move(request);
  }
}

bool Connection::check_request(const ApiEntry* entry, protocol::HeaderStatus status,
                               const protocol::RequestHeader& header, std::size_t size) {
  if (size < 4) {
    end_after_replies(CloseReason::bad_request,
                      fmt::format("a frame of {} bytes is too short for a header", size));
    return false;
  }
  if (entry == nullptr) {
    end_after_replies(CloseReason::unknown_api,
                      fmt::format("api key {} version {} is not served; ApiVersions lists what is",
                                  header.api_key, header.api_version));
    return false;
  }
  const auto key = static_cast<std::size_t>(header.api_key);
  set_.metrics().requests[key].add();
  if (!entry->serves(header.api_version) && !entry->any_version) {
    set_.metrics().request_errors[key].add();
    end_after_replies(CloseReason::bad_version,
                      fmt::format("{} version {} is not served, only {} to {}", entry->name,
                                  header.api_version, entry->min_version, entry->max_version));
    return false;
  }
  if (status != protocol::HeaderStatus::ok) {
    set_.metrics().request_errors[key].add();
    end_after_replies(CloseReason::bad_request,
                      fmt::format("the header of a {} request does not decode", entry->name));
    return false;
  }
  return true;
}

std::string Connection::describe_bad_length(std::int32_t length) const {
  if (length < 0) return fmt::format("a frame length of {}", length);
  std::string_view hint;
  const auto first = static_cast<std::uint32_t>(length) >> 16;
  if (first == 0x1603) {
    hint = "; this looks like TLS, and the listener takes plain text";
  } else if (first == 0x4745 || first == 0x504f || first == 0x4845) {  // "GE", "PO", "HE"
    hint = "; this looks like HTTP";
  }
  return fmt::format("a frame of {} bytes, more than socket.request.max.bytes={}{}", length,
                     set_.options().request_bytes_max, hint);
}

void Connection::watch_frame() {
  if (!reader_.in_frame()) return;
  if (frame_watched_ != frames_) {
    frame_watched_ = frames_;
    frame_began_ = set_.shard().now();
  }
  if (!frame_timer_.armed()) frame_timer_.arm_at(frame_began_ + set_.options().frame_time);
}

namespace {

milliseconds time_for(std::int32_t length, std::int64_t bytes_per_second) {
  return milliseconds(static_cast<std::int64_t>(length) * 1000 / bytes_per_second);
}

}  // namespace

void Connection::on_frame_timer() {
  // The timer may have been armed for an earlier frame.
  if (closed_ || ending_ || !reader_.in_frame() || frame_watched_ != frames_) return;
  const NetOptions& options = set_.options();
  const SteadyTime deadline = frame_began_ + options.frame_time +
                              time_for(reader_.expected(), options.frame_bytes_per_second_min);
  if (set_.shard().now() < deadline) {
    frame_timer_.arm_at(deadline);
    return;
  }
  close(CloseReason::slow_request,
        fmt::format("a frame of {} bytes did not arrive in time", reader_.expected()));
}

void Connection::check_pressure() {
  if (closed_ || ending_ || !units_ || frame_watched_ != frames_) return;
  const NetOptions& options = set_.options();
  const SteadyTime deadline =
      frame_began_ + options.frame_time_under_pressure +
      time_for(reader_.arrived(), options.frame_bytes_per_second_min_under_pressure);
  if (set_.shard().now() >= deadline) {
    close(CloseReason::slow_request,
          fmt::format("a frame of {} bytes takes too long while others wait for memory",
                      reader_.expected()));
  }
}

// Requests.

bool Connection::output_is_full() const {
  return output_.memory_size() >= set_.options().output_bytes_max;
}

bool Connection::may_begin() const {
  const NetOptions& options = set_.options();
  const bool has_enough = running_ >= options.in_flight_large_requests_max &&
                          running_bytes_ >= options.in_flight_large_bytes;
  return running_ < options.in_flight_requests_max && !has_enough && !output_is_full();
}

bool Connection::may_start(const Request& request) const {
  return running_ == 0 || (request.entry->pipelined && running_alone_ == 0);
}

void Connection::start_request(std::unique_ptr<Request> request) {
  Request* started = request.release();
  (last_ != nullptr ? last_->next : first_) = started;
  last_ = started;
  ++running_;
  started->bytes = started->body.size();
  running_bytes_ += started->bytes;
  if (!started->entry->pipelined) ++running_alone_;
  set_.metrics().in_flight.add();
  set_.shard().watchdog().note(started->entry->name);
  serve(this, started);
}

detail::Detached Connection::serve(Connection* self, Request* request) {
  Task<Reply> task = request->entry->dispatch(request->context, std::move(request->body));
  Reply reply = co_await std::move(task);
  self->on_reply(*request, std::move(reply));
}

void Connection::on_reply(Request& request, Reply reply) {
  request.reply = std::move(reply);
  request.done = true;
  --running_;
  running_bytes_ -= request.bytes;
  if (!request.entry->pipelined) --running_alone_;
  set_.metrics().in_flight.subtract();
  order_replies();
  set_.mark(*this);
}

void Connection::order_replies() {
  while (first_ != nullptr && first_->done) {
    std::unique_ptr<Request> request(first_);
    first_ = first_->next;
    if (first_ == nullptr) last_ = nullptr;
    if (closed_ || dropping_) continue;
    send_reply(*request);
  }
}

void Connection::send_reply(Request& request) {
  Reply& reply = request.reply;
  switch (reply.kind) {
    case Reply::Kind::response:
      output_.add_copy(ByteView(reply.header, reply.header_size));
      output_.add(std::move(reply.bytes));
      output_.add(reply.chain);
      responded_ = ends_behind_response_;
      return;
    case Reply::Kind::nothing:
      return;
    case Reply::Kind::close:
      end_after_replies(CloseReason::handler_closed, std::move(reply.reason));
      break;
    case Reply::Kind::malformed:
      set_.metrics().request_errors[static_cast<std::size_t>(request.entry->key)].add();
      end_after_replies(CloseReason::bad_request, std::move(reply.reason));
      break;
  }
  // Responses to later requests would come without the one before them.
  dropping_ = true;
}

void Connection::end_after_replies(CloseReason reason, std::string detail) {
  if (dropping_ || (ending_ && end_reason_ != CloseReason::peer_closed)) return;
  ending_ = true;
  end_reason_ = reason;
  end_detail_ = std::move(detail);
  held_.reset();
  reader_ = FrameReader();
  Waiter::leave();
  units_.release();
  set_.mark(*this);
}

// Output.

void Connection::flush() {
  if (closed_ || writing_ || output_.empty()) return;
  const Transfer sent = socket_.send(output_, send_bytes_per_turn);
  if (sent.size > 0) {
    set_.metrics().bytes_sent.add(sent.size);
    set_.touch(*this);
  }
  if (sent.status == Transfer::Status::failed) {
    if (sent.truncated) {
      close(CloseReason::io_error, "a log file is shorter than what was to be sent of it");
    } else {
      close(CloseReason::peer_closed, system_error_text(sent.system_error));
    }
    return;
  }
  if (!output_.empty()) wait_writable();
}

void Connection::wait_writable() {
  if (writing_) return;
  writing_ = true;
  socket_.wait_writable(
      [this](bool ready) { set_.shard().turn([this, ready] { on_writable(ready); }); });
}

void Connection::on_writable(bool ready) {
  writing_ = false;
  set_.mark(*this);
  if (!ready) close(CloseReason::io_error, "the event loop refused to wait");
}

void Connection::finish_if_ended() {
  if (closed_ || !ending_ || !output_.empty()) return;
  if (first_ != nullptr && !dropping_) return;
  close(end_reason_, end_detail_);
}

}  // namespace chronik::broker
