#include "compare/empty_arguments.h"

#include <cstdio>

#include "absl/strings/numbers.h"

namespace rls {

std::optional<EmptyArguments> ReadEmptyArguments(int argc, char** argv) {
  EmptyArguments arguments;
  if (argc < 2 || argc > 3 || !absl::SimpleAtoi(argv[1], &arguments.port) ||
      (argc == 3 && !absl::SimpleAtoi(argv[2], &arguments.threads)) ||
      arguments.threads < 1) {
    std::fprintf(stderr, "usage: %s PORT [THREADS]\n", argv[0]);
    return std::nullopt;
  }
  return arguments;
}

}  // namespace rls
