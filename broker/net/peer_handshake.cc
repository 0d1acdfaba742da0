#include "broker/net/peer_handshake.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/coding.h"

namespace chronik::broker {

namespace {

constexpr std::uint64_t hello_magic = 0x6368726f6e696b01;  // "chronik", and a byte that is no text
constexpr std::size_t refusal_text_max = 400;
constexpr std::uint8_t observer_flag = 1;

void put(Writer& writer, const Uuid& id) { writer.bytes(id.bytes); }

Uuid take_uuid(Reader& reader) {
  Uuid id;
  const ByteView bytes = reader.bytes(id.bytes.size());
  if (reader.ok()) std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

std::string id_text(const Uuid& id) { return id.is_zero() ? "none" : id.to_string(); }

}  // namespace

Bytes encode_hello(const PeerHello& hello) {
  Writer writer;
  writer.u64(hello_magic);
  writer.u16(hello.version_min);
  writer.u16(hello.version_max);
  put(writer, hello.cluster_id);
  writer.i32(hello.node);
  writer.i32(hello.meant);
  put(writer, hello.directory);
  put(writer, hello.incarnation);
  writer.u8(hello.observer ? observer_flag : 0);
  writer.i32(hello.frame_bytes_max);
  put(writer, hello.proposal);
  writer.u8(static_cast<std::uint8_t>(hello.founders.size()));
  for (const Founder& founder : hello.founders) {
    writer.i32(founder.node);
    put(writer, founder.directory);
  }
  return writer.take_bytes();
}

HelloStatus decode_hello(ByteView payload, PeerHello& hello) {
  hello = {};
  Reader reader(payload);
  if (reader.u64() != hello_magic) return HelloStatus::not_a_node;
  hello.version_min = reader.u16();
  hello.version_max = reader.u16();
  if (!reader.ok() || hello.version_min > hello.version_max) return HelloStatus::not_a_node;
  if (hello.version_min > peer_version_max || hello.version_max < peer_version_min) {
    return HelloStatus::other_version;
  }
  hello.cluster_id = take_uuid(reader);
  hello.node = reader.i32();
  hello.meant = reader.i32();
  hello.directory = take_uuid(reader);
  hello.incarnation = take_uuid(reader);
  hello.observer = (reader.u8() & observer_flag) != 0;
  hello.frame_bytes_max = reader.i32();
  hello.proposal = take_uuid(reader);
  const std::size_t founders = reader.u8();
  if (founders > founders_max) return HelloStatus::not_a_node;
  for (std::size_t i = 0; i < founders && reader.ok(); ++i) {
    Founder founder;
    founder.node = reader.i32();
    founder.directory = take_uuid(reader);
    hello.founders.push_back(founder);
  }
  const bool sound = reader.ok() && hello.node >= 0 && hello.frame_bytes_max > 0 &&
                     !hello.directory.is_zero() && !hello.incarnation.is_zero() &&
                     std::is_sorted(hello.founders.begin(), hello.founders.end());
  return sound ? HelloStatus::ok : HelloStatus::not_a_node;
}

const char* to_string(PeerRefusal refusal) {
  switch (refusal) {
    case PeerRefusal::not_a_node:
      return "not_a_node";
    case PeerRefusal::too_slow:
      return "too_slow";
    case PeerRefusal::version:
      return "version";
    case PeerRefusal::cluster:
      return "cluster";
    case PeerRefusal::itself:
      return "itself";
    case PeerRefusal::own_number:
      return "own_number";
    case PeerRefusal::unknown_node:
      return "unknown_node";
    case PeerRefusal::wrong_address:
      return "wrong_address";
    case PeerRefusal::number_in_use:
      return "number_in_use";
    case PeerRefusal::damaged:
      return "damaged";
    case PeerRefusal::unexpected:
      return "unexpected";
  }
  return "unknown";
}

Bytes encode_refusal(const PeerObjection& objection) {
  const std::string_view text = std::string_view(objection.text).substr(0, refusal_text_max);
  Writer writer;
  writer.u16(static_cast<std::uint16_t>(objection.refusal));
  writer.u16(static_cast<std::uint16_t>(text.size()));
  writer.text(text);
  return writer.take_bytes();
}

std::optional<PeerObjection> decode_refusal(ByteView payload) {
  Reader reader(payload);
  PeerObjection objection;
  objection.refusal = static_cast<PeerRefusal>(reader.u16());
  const std::size_t size = reader.u16();
  objection.text = reader.text(size);
  if (!reader.ok()) return std::nullopt;
  objection.text.resize(std::min(objection.text.size(), refusal_text_max));
  return objection;
}

std::optional<PeerObjection> object_to(const PeerHello& own, HelloStatus status,
                                       const PeerHello& theirs, std::optional<NodeId> dialed) {
  const auto no = [](PeerRefusal refusal, std::string text) {
    return PeerObjection{refusal, std::move(text)};
  };
  if (status == HelloStatus::not_a_node) {
    return no(PeerRefusal::not_a_node, "what it sent is no handshake of a chronik node");
  }
  if (status == HelloStatus::other_version) {
    return no(
        PeerRefusal::version,
        fmt::format("one node speaks versions {} to {} of the cluster port and the other {} "
                    "to {}: upgrade the older one",
                    own.version_min, own.version_max, theirs.version_min, theirs.version_max));
  }
  if (theirs.incarnation == own.incarnation) {
    return no(PeerRefusal::itself,
              fmt::format("an address in cluster.nodes leads node {} back to itself: each node has "
                          "an address of its own there",
                          own.node));
  }
  if (!theirs.cluster_id.is_zero() && !own.cluster_id.is_zero() &&
      theirs.cluster_id != own.cluster_id) {
    return no(
        PeerRefusal::cluster,
        fmt::format("node {} belongs to cluster {} and node {} to cluster {}: correct "
                    "cluster.nodes, or give the one that is wrong another data directory",
                    own.node, id_text(own.cluster_id), theirs.node, id_text(theirs.cluster_id)));
  }
  if (!theirs.founders.empty() && !own.founders.empty() && theirs.founders != own.founders) {
    return no(
        PeerRefusal::cluster,
        fmt::format("nodes {} and {} have the cluster id {}, but their clusters were formed "
                    "apart from each other: give the one that is wrong another data directory",
                    own.node, theirs.node, id_text(own.cluster_id)));
  }
  if (dialed && theirs.node != *dialed) {
    return no(PeerRefusal::wrong_address,
              fmt::format("at the address of node {} answers node {}: correct cluster.nodes or "
                          "node.id",
                          *dialed, theirs.node));
  }
  if (theirs.node == own.node) {
    return no(PeerRefusal::own_number,
              fmt::format("two processes have node.id={}: each node needs its own", own.node));
  }
  if (theirs.meant != own.node) {
    return no(PeerRefusal::wrong_address,
              fmt::format("at the address of node {} answers node {}: correct cluster.nodes or "
                          "node.id",
                          theirs.meant, own.node));
  }
  return std::nullopt;
}

}  // namespace chronik::broker
