// The entry point of libFuzzer. CMake defines RLS_FUZZ, a function of
// targets.h.

#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  rls::RLS_FUZZ(bytes, size);
  return 0;
}
