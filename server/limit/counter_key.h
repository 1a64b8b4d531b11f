#ifndef RLS_LIMIT_COUNTER_KEY_H_
#define RLS_LIMIT_COUNTER_KEY_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace rls {

// The name of a counter: a scope (the domain and the shape of the window, so
// that states of different shapes never meet) and the parts that tell one
// counter of that scope from another: keys and values, alternating.
//
// Two keys are equal when scope, number of parts and every part are equal, byte
// for byte. Parts may hold any bytes; a store must escape or length-prefix
// them, so that two different keys never collide.
//
// Lifetime: views only. Who asks a store keeps the text alive until `done`.
struct CounterKey {
  absl::string_view scope;
  absl::Span<const absl::string_view> parts;
};

}  // namespace rls

#endif  // RLS_LIMIT_COUNTER_KEY_H_
