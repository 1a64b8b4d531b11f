#ifndef RLS_METRICS_PROCESS_METRICS_H_
#define RLS_METRICS_PROCESS_METRICS_H_

#include <string>

namespace rls {

// The memory, processor time, open files and start time of this process, in
// Prometheus's text format, with the names that its client libraries use:
// process_resident_memory_bytes and so on. A number that the system does not
// tell is left out.
//
// Threads: may be called by many threads at once.
// Source: Linux, proc(5).
std::string ProcessMetricsText();

}  // namespace rls

#endif  // RLS_METRICS_PROCESS_METRICS_H_
