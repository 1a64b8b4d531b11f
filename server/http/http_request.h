#ifndef RLS_HTTP_HTTP_REQUEST_H_
#define RLS_HTTP_HTTP_REQUEST_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace rls {

// A header of a request. The name has the letter case of the client.
struct HttpField {
  absl::string_view name;
  absl::string_view value;  // without white space around it
};

// A request of HTTP/1.x. No byte of the head is a control character, except for
// tabs inside of values.
// Lifetime: views bytes of the connection.
struct HttpRequest {
  absl::string_view method;  // in the letter case of the client
  absl::string_view path;    // not decoded; without the query
  absl::string_view query;   // after the first "?"; "" without a query
  absl::Span<const HttpField> fields;
  absl::string_view body;
};

// `text` with %NN replaced by the byte that it stands for. Leaves a % without
// two digits.
std::string DecodePercent(absl::string_view text);

// The decoded value of the first `name=value` in a query; "" without it.
std::string QueryValue(absl::string_view query, absl::string_view name);

// Appends "name: value" as a line of an answer. Appends nothing if a byte of
// either could end the header early.
void AppendHttpHeader(absl::string_view name, absl::string_view value,
                      std::string& lines);

}  // namespace rls

#endif  // RLS_HTTP_HTTP_REQUEST_H_
