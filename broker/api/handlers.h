// Handlers that table.cc lists, one per API, of the cluster, topics and records. Each is in the
// file named as its schema.
#pragma once

#include "broker/api/context.h"
#include "broker/runtime/task.h"

namespace chronik::protocol {

#define CHRONIK_DECLARE_MESSAGES(Name) \
  struct Name##Request;                \
  struct Name##Response

CHRONIK_DECLARE_MESSAGES(AddRaftVoter);
CHRONIK_DECLARE_MESSAGES(AlterPartitionReassignments);
CHRONIK_DECLARE_MESSAGES(CreatePartitions);
CHRONIK_DECLARE_MESSAGES(DeleteRecords);
CHRONIK_DECLARE_MESSAGES(DeleteTopics);
CHRONIK_DECLARE_MESSAGES(DescribeLogDirs);
CHRONIK_DECLARE_MESSAGES(DescribeProducers);
CHRONIK_DECLARE_MESSAGES(DescribeQuorum);
CHRONIK_DECLARE_MESSAGES(DescribeTopicPartitions);
CHRONIK_DECLARE_MESSAGES(ElectLeaders);
CHRONIK_DECLARE_MESSAGES(Fetch);
CHRONIK_DECLARE_MESSAGES(InitProducerId);
CHRONIK_DECLARE_MESSAGES(ListOffsets);
CHRONIK_DECLARE_MESSAGES(ListPartitionReassignments);
CHRONIK_DECLARE_MESSAGES(OffsetForLeaderEpoch);
CHRONIK_DECLARE_MESSAGES(Produce);
CHRONIK_DECLARE_MESSAGES(RemoveRaftVoter);
CHRONIK_DECLARE_MESSAGES(UnregisterBroker);
CHRONIK_DECLARE_MESSAGES(UpdateFeatures);

#undef CHRONIK_DECLARE_MESSAGES

}  // namespace chronik::protocol

namespace chronik::broker {

// Topics and the cluster.
Task<protocol::CreatePartitionsResponse> create_partitions(RequestContext&,
                                                           protocol::CreatePartitionsRequest);
Task<protocol::DeleteTopicsResponse> delete_topics(RequestContext&, protocol::DeleteTopicsRequest);
Task<protocol::DescribeLogDirsResponse> describe_log_dirs(RequestContext&,
                                                          protocol::DescribeLogDirsRequest);
Task<protocol::DescribeTopicPartitionsResponse> describe_topic_partitions(
    RequestContext&, protocol::DescribeTopicPartitionsRequest);

// Where the replicas of partitions are, and who of them leads.
Task<protocol::AlterPartitionReassignmentsResponse> alter_partition_reassignments(
    RequestContext&, protocol::AlterPartitionReassignmentsRequest);
Task<protocol::ElectLeadersResponse> elect_leaders(RequestContext&, protocol::ElectLeadersRequest);
Task<protocol::ListPartitionReassignmentsResponse> list_partition_reassignments(
    RequestContext&, protocol::ListPartitionReassignmentsRequest);

// The nodes of the cluster, and who of them decides.
Task<protocol::AddRaftVoterResponse> add_raft_voter(RequestContext&, protocol::AddRaftVoterRequest);
Task<protocol::DescribeQuorumResponse> describe_quorum(RequestContext&,
                                                       protocol::DescribeQuorumRequest);
Task<protocol::RemoveRaftVoterResponse> remove_raft_voter(RequestContext&,
                                                          protocol::RemoveRaftVoterRequest);
Task<protocol::UnregisterBrokerResponse> unregister_broker(RequestContext&,
                                                           protocol::UnregisterBrokerRequest);
Task<protocol::UpdateFeaturesResponse> update_features(RequestContext&,
                                                       protocol::UpdateFeaturesRequest);

// Records.
Task<protocol::DeleteRecordsResponse> delete_records(RequestContext&,
                                                     protocol::DeleteRecordsRequest);
Task<protocol::DescribeProducersResponse> describe_producers(RequestContext&,
                                                             protocol::DescribeProducersRequest);
Task<protocol::FetchResponse> fetch(RequestContext&, protocol::FetchRequest);
Task<protocol::InitProducerIdResponse> init_producer_id(RequestContext&,
                                                        protocol::InitProducerIdRequest);
Task<protocol::ListOffsetsResponse> list_offsets(RequestContext&, protocol::ListOffsetsRequest);
Task<protocol::OffsetForLeaderEpochResponse> offset_for_leader_epoch(
    RequestContext&, protocol::OffsetForLeaderEpochRequest);
Task<protocol::ProduceResponse> produce(RequestContext&, protocol::ProduceRequest);

}  // namespace chronik::broker
