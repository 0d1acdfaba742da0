// Rest: a group in which everybody has everything stops: no ticks, no heartbeats, until somebody
// has something to do. So that ten thousand idle partitions cost what one does.
//
// A leader for whom nothing has happened in rest_after_ticks asks with its heartbeats (`rest`). A
// follower that has its whole log, knows all of it to be committed and has nothing under way rests
// from then on, and says so. When all of them have answered such a heartbeat that they rest, the
// leader rests, too. Who is away (Options::is_away) is not waited for, as long as a quorum is
// there.
//
// A replica that rests wakes with whatever happens to it: a message that is no heartbeat of a rest,
// a proposal, a read, a change, a hand-over; a follower when the node of its leader is lost or
// begins anew, a leader when that of any member is. A follower that something else than its leader
// has woken tells that one, which then sends heartbeats again.
//
// What the driver owes (raft/multi): it watches the other nodes for all groups at once, and tells
// each on_node_down() when it has not heard a node for about an election timeout, and on_node_up().
// Frames that were sent before a node was lost do not come after on_node_down(), or is_away() says
// so. And it calls patrol() on leaders that rest, now and then, and wakes followers that have heard
// nothing of one for some times as long: so that nothing sleeps for ever by an error that nobody
// has thought of, or on a node whose connections live while the group does not.
//
// Safety: a rest changes neither log, term, vote nor commit; it only leaves ticks out. Without
// ticks a follower denies its vote to others than its leader for longer than an election timeout,
// which elects nobody; and a leader does not notice that it has lost its quorum, which lets nobody
// read anything stale: a read asks for a round of heartbeats (and wakes the group), and a lease
// ends with the rest (round_ticks_ is cleared), as nobody counts the time meanwhile.
//
// Liveness: the last one awake in a group is either its leader, which sends heartbeats, or has no
// leader or an election timer that runs. All rest only if the leader has said so, and it answers
// for them: it is the leader of its term as long as nobody of a later one has spoken to it, which
// would have woken it. If its node is lost, all followers wake by themselves.
#pragma once

#include "raft/core/types.h"

namespace chronik::raft {

struct Rest {
  bool now = false;
  // Of a leader that is awake.
  int idle_ticks = 0;    // so long nothing happened
  Round asked_from = 0;  // the first round that asks for rest; 0: none does
};

}  // namespace chronik::raft
