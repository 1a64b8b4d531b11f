#ifndef RLS_TESTS_UNIT_APP_ALLOCATIONS_H_
#define RLS_TESTS_UNIT_APP_ALLOCATIONS_H_

#include <cstddef>
#include <string>

namespace rls {

// Counts the allocations of the calling thread during the object's lifetime:
// all memory from malloc, so also from operator new and in C libraries. It
// replaces malloc and the related functions in each program that links it.
//
// Threads: at most one object at a time on each thread. Destroy an object on
// the thread that created it.
class Allocations {
 public:
  Allocations();
  ~Allocations();
  Allocations(const Allocations&) = delete;
  Allocations& operator=(const Allocations&) = delete;

  size_t count() const;

  // The call stacks of the first allocations.
  std::string Places() const;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_APP_ALLOCATIONS_H_
