// The event loop of a shard, as Asio has it. Included by broker/runtime and broker/net only.
//
// Executors are concrete (io_context::executor_type, no any_io_executor). The io_context runs
// without per-socket locks: its I/O objects may be used by its own thread only; other threads may
// post.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>

namespace chronik::broker {

using IoExecutor = boost::asio::io_context::executor_type;

class ShardIo {
 public:
  ShardIo() : context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO), work(context.get_executor()) {}

  using SteadyTimer = boost::asio::basic_waitable_timer<
      std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, IoExecutor>;

  boost::asio::io_context context;
  boost::asio::executor_work_guard<IoExecutor> work;
  SteadyTimer timer{context.get_executor()};
  // What the timer sleeps until; max while it does not.
  std::chrono::steady_clock::time_point sleeping_until =
      std::chrono::steady_clock::time_point::max();
};

}  // namespace chronik::broker
