#ifndef RLS_BASE_THREAD_PART_H_
#define RLS_BASE_THREAD_PART_H_

#include <cstddef>

namespace rls {

// Where many threads write at once, each writes to a part of its own, so that
// cores do not take a cache line from each other with every request. As many
// threads as there are cores have a part to themselves, if they have claimed
// one; all that have not share another.
//
// Threads: all of it may be called by many threads at once.

// What a part is aligned to.
inline constexpr size_t kCacheLine = 64;

size_t PartCount();

// Less than PartCount(), and the same as long as the thread lives.
size_t PartOfThisThread();

// For a thread that serves requests, before it does anything else.
void ClaimPart();

}  // namespace rls

#endif  // RLS_BASE_THREAD_PART_H_
