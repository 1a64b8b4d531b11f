#ifndef RLS_ADMIN_HTTP_TRACE_H_
#define RLS_ADMIN_HTTP_TRACE_H_

#include <memory>

#include "absl/strings/string_view.h"
#include "http/http_request.h"
#include "trace/tracer.h"

namespace rls {

// Begins the trace of a request with its trace headers. `name`, of static
// lifetime, is that of the span. Null: the request is not traced, for example
// because `tracer` is null.
inline std::unique_ptr<RequestTrace> StartTrace(Tracer* tracer,
                                                absl::string_view name,
                                                const HttpRequest& request) {
  if (tracer == nullptr) return nullptr;
  TraceHeaders headers;
  for (const HttpField& field : request.fields) {
    headers.Add(field.name, field.value);
  }
  return tracer->Start(name, &headers);
}

}  // namespace rls

#endif  // RLS_ADMIN_HTTP_TRACE_H_
