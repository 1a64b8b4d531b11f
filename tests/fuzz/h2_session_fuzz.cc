// For libFuzzer; tests/fuzz/README.md says how to run it.

#include <cstddef>
#include <cstdint>

#include "fuzz/h2_session_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  rls::FeedH2Session({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
