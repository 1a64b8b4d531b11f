#ifndef RLS_BENCH_COMPARE_EMPTY_ARGUMENTS_H_
#define RLS_BENCH_COMPARE_EMPTY_ARGUMENTS_H_

#include <optional>

namespace rls {

// Of a service that counts nothing: PROGRAM PORT [THREADS].
struct EmptyArguments {
  int port = 0;
  int threads = 1;
};

// None, and the usage is printed, when they are anything else.
std::optional<EmptyArguments> ReadEmptyArguments(int argc, char** argv);

}  // namespace rls

#endif  // RLS_BENCH_COMPARE_EMPTY_ARGUMENTS_H_
