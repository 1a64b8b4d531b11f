#ifndef RLS_LIMIT_COUNTER_KEY_H_
#define RLS_LIMIT_COUNTER_KEY_H_

#include <cstddef>

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
// `tag_part` and `secret` do not tell counters apart; they are for a store that
// shows keys to people or spreads them over servers.
//
// Lifetime: views only. Who asks a store keeps the text alive until `done`.
struct CounterKey {
  absl::string_view scope;
  absl::Span<const absl::string_view> parts;
  // The part that most counters of the scope differ by, such as the user: the
  // counters of one user should live together.
  size_t tag_part = 1;
  // The values (the parts with an odd index) may be secrets, such as API keys.
  bool secret = false;
};

}  // namespace rls

#endif  // RLS_LIMIT_COUNTER_KEY_H_
