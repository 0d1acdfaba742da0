// The handshake of the cluster port: what two nodes tell each other before anything else, and what
// each makes of it. Pure.
//
// The node that dialed says hello; the other one answers hello, or a refusal with the reason; the
// first then says ping, or a refusal. Only then is the connection one between nodes. Later versions
// may put more behind a hello; what is there is left alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "raft/multi/transport.h"
#include "wal/log_directory.h"

namespace chronik::broker {

using raft::NodeId;

inline constexpr std::uint16_t peer_version_min = 1;
inline constexpr std::uint16_t peer_version_max = 1;

using wal::Founder;

struct PeerHello {
  std::uint16_t version_min = peer_version_min;
  std::uint16_t version_max = peer_version_max;
  Uuid cluster_id;    // zero: not known yet
  NodeId node = 0;    // who says it
  NodeId meant = -1;  // whom it is for
  Uuid directory;     // of the sender's data, made once with it
  Uuid incarnation;   // of the sender's process, made at each start
  bool observer = false;
  std::int32_t frame_bytes_max = 0;  // the longest message that the sender takes
  Uuid proposal;                     // the founders it would form a cluster with; zero: none yet
  std::vector<Founder> founders;     // of its cluster, sorted; empty: it belongs to none yet

  bool operator==(const PeerHello&) const = default;
};

/// As many nodes as a cluster has at most.
inline constexpr std::size_t founders_max = 32;

Bytes encode_hello(const PeerHello& hello);

enum class HelloStatus : std::uint8_t {
  ok,
  other_version,  // only version_min and version_max are known
  not_a_node,     // somebody else's bytes
};
HelloStatus decode_hello(ByteView payload, PeerHello& hello);

/// Why a node is no partner. The numbers are on the wire.
enum class PeerRefusal : std::uint16_t {
  not_a_node = 1,     // what came is no handshake
  too_slow = 2,       // or none in time
  version = 3,        // no version in common
  cluster = 4,        // of another cluster
  itself = 5,         // this node has dialed itself
  own_number = 6,     // another process has the number of this node
  unknown_node = 7,   // its number is not in the list
  wrong_address = 8,  // another node than the one that was dialed
  number_in_use = 9,  // another process has that node's number and is connected
  damaged = 10,       // a frame that does not match its checksum
  unexpected = 11,    // a frame that has no business there, or is too long
};

const char* to_string(PeerRefusal refusal);

struct PeerObjection {
  PeerRefusal refusal = PeerRefusal::not_a_node;
  std::string text;  // what is wrong and what to do, for the logs of both
};

Bytes encode_refusal(const PeerObjection& objection);
/// Nothing when it is none. The text is cut to a line's length.
std::optional<PeerObjection> decode_refusal(ByteView payload);

/// What `own` has against the sender of `theirs`; `dialed` is the node that was dialed, if it was
/// us who did. Whether the number is known or in use is for the caller to say.
std::optional<PeerObjection> object_to(const PeerHello& own, HelloStatus status,
                                       const PeerHello& theirs, std::optional<NodeId> dialed);

}  // namespace chronik::broker
