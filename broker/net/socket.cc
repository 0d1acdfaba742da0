#include "broker/net/socket.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/file.h"

namespace chronik::broker {

namespace {

// Linux takes at most this many parts in one call (IOV_MAX).
constexpr std::size_t parts_max = 1024;
// One sendfile of a cold range blocks the shard while the disk reads; this bounds each.
constexpr std::size_t file_bytes_max = 1u << 20;
constexpr std::size_t copied_chunk_bytes = 64u << 10;

Transfer from_errno(int error) {
  Transfer result;
  if (error == EAGAIN || error == EWOULDBLOCK) {
    result.status = Transfer::Status::would_block;
  } else {
    result.status = Transfer::Status::failed;
    result.system_error = error;
  }
  return result;
}

Transfer moved(ssize_t size) {
  Transfer result;
  result.size = static_cast<std::size_t>(size);
  return result;
}

Transfer file_too_short() {
  Transfer result;
  result.status = Transfer::Status::failed;
  result.truncated = true;
  return result;
}

}  // namespace

std::string system_error_text(int error) { return std::generic_category().message(error); }

bool Socket::open(int fd) {
  boost::system::error_code error;
  descriptor_.assign(fd, error);
  if (error) ::close(fd);
  return !error;
}

void Socket::close() {
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

Transfer Socket::receive(std::span<const MutableByteView> parts) {
  iovec vectors[2];
  for (std::size_t i = 0; i < parts.size(); ++i) vectors[i] = {parts[i].data(), parts[i].size()};
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = parts.size();
  for (;;) {
    const ssize_t size = ::recvmsg(fd(), &message, 0);
    if (size > 0) return moved(size);
    if (size == 0) {
      Transfer end;
      end.status = Transfer::Status::end_of_stream;
      return end;
    }
    if (errno != EINTR) return from_errno(errno);
  }
}

Transfer Socket::send(OutputQueue& queue, std::size_t bytes_max) {
  Transfer total;
  while (!queue.empty() && total.size < bytes_max) {
    const FileRange* range = queue.file_at_front();
    Transfer part = range != nullptr ? send_file(queue, *range) : send_memory(queue);
    total.size += part.size;
    if (part.status != Transfer::Status::done) {
      part.size = total.size;
      return part;
    }
  }
  return total;
}

Transfer Socket::send_memory(OutputQueue& queue) {
  iovec vectors[parts_max];
  const std::size_t count = queue.gather(vectors);
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = count;
  // The head of a response and the records behind it shall share a segment.
  const int more = count < parts_max && queue.file_follows(count) ? MSG_MORE : 0;
  for (;;) {
    const ssize_t size = ::sendmsg(fd(), &message, MSG_NOSIGNAL | more);
    if (size >= 0) {
      queue.consume(static_cast<std::uint64_t>(size));
      return moved(size);
    }
    if (errno != EINTR) return from_errno(errno);
  }
}

Transfer Socket::send_file(OutputQueue& queue, const FileRange& range) {
  const int file = range.file->descriptor();
  if (file < 0) return send_copied(queue, range);
  auto position = static_cast<off_t>(range.position);
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(range.size, file_bytes_max));
  for (;;) {
    const ssize_t size = ::sendfile(fd(), file, &position, wanted);
    if (size > 0) {
      queue.consume(static_cast<std::uint64_t>(size));
      return moved(size);
    }
    if (size == 0) return file_too_short();
    if (errno != EINTR) return from_errno(errno);
  }
}

Transfer Socket::send_copied(OutputQueue& queue, const FileRange& range) {
  std::array<std::uint8_t, copied_chunk_bytes> chunk;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(range.size, chunk.size()));
  Result<std::size_t> read =
      range.file->read_at(range.position, MutableByteView(chunk.data(), wanted));
  if (!read || *read == 0) return file_too_short();
  for (;;) {
    const ssize_t size = ::send(fd(), chunk.data(), *read, MSG_NOSIGNAL);
    if (size >= 0) {
      queue.consume(static_cast<std::uint64_t>(size));
      return moved(size);
    }
    if (errno != EINTR) return from_errno(errno);
  }
}

}  // namespace chronik::broker
