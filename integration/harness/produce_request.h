// A produce request for partition 0 of a topic, for tests that say themselves what is in the batch.
#pragma once

#include <string>
#include <utility>

#include "base/bytes.h"
#include "protocol/messages/produce.h"
#include "protocol/record_builder.h"

namespace chronik::integration {

inline protocol::ProduceRequest produce_request(const std::string& topic, SharedBytes batch,
                                                std::int16_t acks = -1) {
  protocol::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = 5000;
  protocol::ProduceRequest::PartitionProduceData data;
  data.records = protocol::RecordsField(std::move(batch));
  protocol::ProduceRequest::TopicProduceData entry;
  entry.name = topic;
  entry.partition_data.push_back(std::move(data));
  request.topic_data.push_back(std::move(entry));
  return request;
}

/// A batch with one record.
inline SharedBytes one_record(const std::string& value) {
  protocol::BatchBuilder builder({});
  builder.append(1'700'000'000'000, std::nullopt,
                 ByteView(reinterpret_cast<const std::uint8_t*>(value.data()), value.size()));
  return builder.build();
}

}  // namespace chronik::integration
