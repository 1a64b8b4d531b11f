#ifndef RLS_TESTS_UNIT_ALLOCATIONS_H_
#define RLS_TESTS_UNIT_ALLOCATIONS_H_

#include <cstddef>
#include <string>

namespace rls {

// Counts what the calling thread allocates while it lives: all that comes from
// malloc, so operator new and what C libraries ask for as well. A program that
// is linked with this has malloc and its kin replaced by ones that count.
//
// Threads: one at a time on each thread; destroyed on the thread that made it.
class Allocations {
 public:
  Allocations();
  ~Allocations();
  Allocations(const Allocations&) = delete;
  Allocations& operator=(const Allocations&) = delete;

  size_t count() const;

  // The calls that led to the first few, for whoever wants none.
  std::string Places() const;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_ALLOCATIONS_H_
