// Connection: reads frames, starts their handlers, sends the responses in order. Lives on one
// shard, owned by its ConnectionSet.
//
// Order: requests start in the order of arrival and responses leave in it. One request runs at a
// time, except that pipelined ones (produce behind produce) run together. What cannot start yet is
// not read: one frame is held, the rest stays in the socket, so a peer is slowed down by TCP.
//
// It stops reading while: a request that must run alone waits for its turn or runs ahead of what
// was received; in_flight_requests_max run, or fewer large ones; output_bytes_max wait to be read
// by the peer; no bytes in flight are left on the shard.
//
// Bad input ends the connection, after the responses to the requests before it have left.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/api/api_table.h"
#include "broker/api/context.h"
#include "broker/net/admission.h"
#include "broker/net/frame_reader.h"
#include "broker/net/output_queue.h"
#include "broker/net/socket.h"
#include "broker/runtime/budget.h"
#include "broker/runtime/timer.h"

namespace chronik::broker {

class ConnectionSet;

class Connection final : private Budget::Waiter {
 public:
  Connection(ConnectionSet& set, ConnectionInfo info, Admission::Ticket ticket);
  ~Connection() override;

  const ConnectionInfo& info() const { return info_; }

  /// Owns `fd` from here on and begins to read. Call once, within a turn.
  void start(int fd);
  /// Reads no more requests; closes when the responses to those begun have left. Handlers that
  /// wait long are cancelled.
  void drain(CloseReason reason);
  /// Closes when the next response has left and no request is there: a client that waits for each
  /// of its requests finds nothing that failed.
  void end_behind_response() { ends_behind_response_ = true; }
  /// Closes at once; what was not sent is lost. Idempotent. The object goes at the end of a turn.
  void close(CloseReason reason, std::string_view detail = {});

  /// For ConnectionSet: what there is to do at the end of a turn.
  void settle();
  /// No I/O and no handler refers to it any more.
  bool finished() const { return closed_ && first_ == nullptr && !reading_ && !writing_; }
  bool busy() const { return first_ != nullptr || !output_.empty(); }
  bool sending() const { return !output_.empty(); }
  /// Closes when its frame takes longer than it may while others wait for memory.
  void check_pressure();

 private:
  friend class ConnectionSet;
  struct Request;

  // Input.
  void on_readable(bool ready);
  void receive();
  void on_end_of_stream();
  void process_input();
  bool take_announced_frame();
  void on_frame(const SharedBytes& frame);
  bool check_request(const ApiEntry* entry, protocol::HeaderStatus status,
                     const protocol::RequestHeader& header, std::size_t size);
  void watch_frame();
  void on_frame_timer();
  void on_granted(Budget::Units units) override;
  std::string describe_bad_length(std::int32_t length) const;

  // Requests.
  bool may_begin() const;
  bool may_start(const Request& request) const;
  void start_request(std::unique_ptr<Request> request);
  static detail::Detached serve(Connection* self, Request* request);
  void on_reply(Request& request, Reply reply);
  void order_replies();
  void send_reply(Request& request);
  void end_after_replies(CloseReason reason, std::string detail);

  // Output.
  bool output_is_full() const;
  void flush();
  void on_writable(bool ready);
  void wait_readable();
  void wait_writable();
  void finish_if_ended();

  ConnectionSet& set_;
  ConnectionInfo info_;
  Admission::Ticket ticket_;
  Socket socket_;
  FrameReader reader_;
  OutputQueue output_;
  Budget::Units units_;            // of the frame that arrives
  std::unique_ptr<Request> held_;  // arrived, waits for its turn
  Request* first_ = nullptr;       // begun, in order; owned
  Request* last_ = nullptr;
  std::uint32_t running_ = 0;        // of those, not finished
  std::uint32_t running_alone_ = 0;  // of those, not pipelined
  std::size_t running_bytes_ = 0;    // bodies of all that run

  bool reading_ = false;  // a wait is under way
  bool writing_ = false;
  bool blocked_ = false;      // input waits for something of ours, not for bytes
  bool input_ended_ = false;  // the peer sends no more
  bool ending_ = false;       // no further request begins; close when the replies have left
  bool ends_behind_response_ = false;
  bool responded_ = false;  // since then
  bool dropping_ = false;   // replies of requests still running are not sent
  bool closed_ = false;
  bool settling_ = false;  // is in the set's list for the end of the turn
  CloseReason end_reason_ = CloseReason::peer_closed;
  std::string end_detail_;

  Timer frame_timer_;
  SteadyTime frame_began_{};
  std::uint64_t frames_ = 0;
  std::uint64_t frame_watched_ = ~std::uint64_t{0};  // frames_ when its clock began to run

  // Of ConnectionSet: the order of last activity.
  SteadyTime active_at_{};
  Connection* less_recent_ = nullptr;
  Connection* more_recent_ = nullptr;
};

}  // namespace chronik::broker
