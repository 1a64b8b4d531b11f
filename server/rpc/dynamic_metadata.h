#ifndef RLS_RPC_DYNAMIC_METADATA_H_
#define RLS_RPC_DYNAMIC_METADATA_H_

#include "limiter/verdict.h"

namespace google::protobuf {
class Struct;
}

namespace rls {

// Fills the dynamic metadata of an answer with the fields of
// envoyproxy/ratelimit: `domain`, `descriptors`, `hitsAddend`, and `metadata`
// of the rules that did not refuse. Values that may be secrets are replaced by
// the beginning of their hash. Nothing if the verdict has no query.
void AddRequestMetadata(const Verdict& verdict, google::protobuf::Struct& out);

}  // namespace rls

#endif  // RLS_RPC_DYNAMIC_METADATA_H_
