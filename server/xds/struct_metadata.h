#ifndef RLS_XDS_STRUCT_METADATA_H_
#define RLS_XDS_STRUCT_METADATA_H_

#include "absl/status/statusor.h"
#include "rules/metadata.h"

namespace google::protobuf {
class Struct;
}

namespace rls {

// The metadata of a descriptor over xDS.
// Failure: INVALID_ARGUMENT, if it is nested deeper than kMaxMetadataDepth.
absl::StatusOr<Metadata> MetadataOf(const google::protobuf::Struct& from);

}  // namespace rls

#endif  // RLS_XDS_STRUCT_METADATA_H_
