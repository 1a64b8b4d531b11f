#ifndef RLS_TESTS_FUZZ_TARGETS_H_
#define RLS_TESTS_FUZZ_TARGETS_H_

#include <cstddef>
#include <cstdint>

namespace rls {

// Each target feeds one input to a part of the server, and ends the process if
// an expectation does not hold. FuzzX() is in x_target.cc; its corpus is the
// folder corpus/x. README.md lists the expectations.
//
// Threads: one thread only.

void FuzzConfig(const uint8_t* bytes, size_t size);
void FuzzCounterStore(const uint8_t* bytes, size_t size);
void FuzzForwardAuth(const uint8_t* bytes, size_t size);
void FuzzGrpcWords(const uint8_t* bytes, size_t size);
void FuzzH2Session(const uint8_t* bytes, size_t size);
void FuzzH2Streams(const uint8_t* bytes, size_t size);
void FuzzHttpRequest(const uint8_t* bytes, size_t size);
void FuzzInflate(const uint8_t* bytes, size_t size);
void FuzzJson(const uint8_t* bytes, size_t size);
void FuzzRedisReply(const uint8_t* bytes, size_t size);
void FuzzRequest(const uint8_t* bytes, size_t size);
void FuzzRules(const uint8_t* bytes, size_t size);
void FuzzScriptReply(const uint8_t* bytes, size_t size);
void FuzzTierReply(const uint8_t* bytes, size_t size);
void FuzzTraceHeaders(const uint8_t* bytes, size_t size);

}  // namespace rls

#endif  // RLS_TESTS_FUZZ_TARGETS_H_
