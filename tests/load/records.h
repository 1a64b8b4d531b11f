#ifndef RLS_TESTS_LOAD_RECORDS_H_
#define RLS_TESTS_LOAD_RECORDS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace rls {

// One call and its answer, in the format of the records file: little-endian, 24
// bytes. tests/integration/load.py reads the file.
struct Record {
  int64_t start_ns = 0;     // CLOCK_MONOTONIC, as Python's time.monotonic_ns()
  uint32_t latency_us = 0;  // until this program received the answer
  uint32_t line = 0;        // of the plan, from 0
  uint32_t refused = 0;     // bit i: descriptor i is OVER_LIMIT
  uint8_t code = 0;         // the gRPC status
  uint8_t overall = 0;      // RateLimitResponse.Code; 0 unless `code` is OK
  uint8_t server = 0;       // index on the command line, from 0
  uint8_t unused = 0;
};
static_assert(sizeof(Record) == 24);

// False if the file cannot be written.
bool WriteRecords(const std::string& path, const std::vector<Record>& records);

// One line of JSON: calls, seconds, calls by gRPC code and by the overall code
// of the answers, and the latencies' p50, p99, p99.9 and maximum.
std::string Summary(const std::vector<Record>& records);

}  // namespace rls

#endif  // RLS_TESTS_LOAD_RECORDS_H_
