#ifndef RLS_RPC_QUEUE_EVENT_H_
#define RLS_RPC_QUEUE_EVENT_H_

namespace rls {

// Who waits for events of a completion queue. Events of one queue come one at a
// time, on the queue's thread.
class QueueClient {
 public:
  virtual ~QueueClient() = default;

  // `ok` is false when what was waited for will not happen. The client may
  // delete itself.
  virtual void OnEvent(int event, bool ok) = 0;
};

// What is given to gRPC as a tag: whose event it is, and which one. Must live
// until the event has come.
struct QueueTag {
  QueueClient* client;
  int event;
};

}  // namespace rls

#endif  // RLS_RPC_QUEUE_EVENT_H_
