#ifndef RLS_APP_TRACE_SETTINGS_H_
#define RLS_APP_TRACE_SETTINGS_H_

#include <optional>

#include "trace/tracer.h"

namespace rls {

class EnvironmentReader;

// Reads TRACING_..., as envoyproxy/ratelimit names them, and with
// TRACING_ENABLED also the variables of OpenTelemetry (docs/TRACING.md).
// Nullopt: nothing is traced. The reader keeps the first error.
std::optional<TracerOptions> ReadTraceSettings(EnvironmentReader& reader);

}  // namespace rls

#endif  // RLS_APP_TRACE_SETTINGS_H_
