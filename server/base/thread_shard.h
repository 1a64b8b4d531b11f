#ifndef RLS_BASE_THREAD_SHARD_H_
#define RLS_BASE_THREAD_SHARD_H_

#include <cstddef>

namespace rls {

// Thread shards: a structure that many threads write has one shard per thread,
// so that cores do not take a cache line from each other with every request.
// There is one shard per core for the threads that call ClaimShard(), plus one
// shard that all other threads share.
//
// Threads: all functions may be called by many threads at once.

// The alignment of a shard.
inline constexpr size_t kCacheLine = 64;

size_t ShardCount();

// The index of this thread's shard, less than ShardCount().
size_t ShardOfThisThread();

// Gives this thread the shard of a core. A thread that serves requests calls it
// before anything else.
void ClaimShard();

}  // namespace rls

#endif  // RLS_BASE_THREAD_SHARD_H_
