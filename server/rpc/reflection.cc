#include "rpc/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <set>
#include <vector>

#include "absl/status/status.h"
#include "rpc/wire.h"

namespace rls {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

constexpr const char* kServices[] = {
    "envoy.service.ratelimit.v3.RateLimitService", "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection"};

// The field numbers of the messages. There are no generated classes to use:
// gRPC does not install the headers of its own, and protobuf refuses a second
// copy of the same messages in one process.
enum RequestField { kHost = 1, kFileByName = 3, kFileBySymbol = 4 };
enum { kFileByExtension = 5, kAllExtensions = 6, kListServices = 7 };
enum ResponseField {
  kValidHost = 1,
  kOriginalRequest = 2,
  kFileDescriptors = 4,
  kExtensionNumbers = 5,
  kServiceList = 6,
  kError = 7
};

class MessageWriter : public WireWriter {
 public:
  MessageWriter() : WireWriter(text_) {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string NotFound() {
  MessageWriter error;
  error.Number(1, static_cast<uint64_t>(absl::StatusCode::kNotFound));
  error.Bytes(2, "not found");
  return error.text();
}

// Writes a file and all its imports, each file once.
void AddFiles(const FileDescriptor& file, std::set<std::string>& seen,
              MessageWriter& writer) {
  if (!seen.insert(file.name()).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  // CopyTo() leaves them out. Clients print the name of the proto file then.
  file.CopyJsonNameTo(&proto);
  writer.Bytes(1, proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFiles(*file.dependency(i), seen, writer);
  }
}

void AnswerFile(const FileDescriptor* file,
                absl::flat_hash_map<std::string, std::string>& known,
                MessageWriter& response) {
  if (file == nullptr) {
    response.Bytes(kError, NotFound());
    return;
  }
  std::string& answer = known[file->name()];
  if (answer.empty()) {
    std::set<std::string> seen;
    MessageWriter files;
    AddFiles(*file, seen, files);
    answer = files.text();
  }
  response.Bytes(kFileDescriptors, answer);
}

// The file that defines the requested extension; null if it is unknown.
const FileDescriptor* FindExtension(absl::string_view request,
                                    const DescriptorPool& pool) {
  absl::string_view type;
  uint64_t number = 0;
  WireReader reader(request);
  while (reader.Next()) {
    switch (reader.field()) {
      case 1:
        reader.ReadBytes(type);
        break;
      case 2:
        reader.ReadVarint(number);
        break;
      default:
        reader.Skip();
    }
  }
  const auto* extended = pool.FindMessageTypeByName(std::string(type));
  const FieldDescriptor* extension =
      extended == nullptr
          ? nullptr
          : pool.FindExtensionByNumber(extended, static_cast<int>(number));
  return extension == nullptr ? nullptr : extension->file();
}

void AnswerAllExtensions(const std::string& type, const DescriptorPool& pool,
                         MessageWriter& response) {
  const auto* extended = pool.FindMessageTypeByName(type);
  if (extended == nullptr) {
    response.Bytes(kError, NotFound());
    return;
  }
  std::vector<const FieldDescriptor*> extensions;
  pool.FindAllExtensions(extended, &extensions);
  MessageWriter numbers;
  numbers.Bytes(1, type);
  for (const auto* extension : extensions) {
    numbers.Number(2, static_cast<uint64_t>(extension->number()));
  }
  response.Bytes(kExtensionNumbers, numbers.text());
}

void AnswerServices(const DescriptorPool& pool, MessageWriter& response) {
  MessageWriter list;
  for (const char* name : kServices) {
    // Clients request the descriptor of each service in the list, so the list
    // must contain only known services.
    if (pool.FindServiceByName(name) == nullptr) continue;
    MessageWriter service;
    service.Bytes(1, name);
    list.Bytes(1, service.text());
  }
  response.Bytes(kServiceList, list.text());
}

}  // namespace

absl::StatusOr<std::string> Reflection::Answer(absl::string_view request) {
  absl::string_view host;
  absl::string_view argument;
  int method = 0;
  WireReader reader(request);
  while (reader.Next()) {
    const int field = static_cast<int>(reader.field());
    if (field == kHost) {
      reader.ReadBytes(host);
    } else if (field >= kFileByName && field <= kListServices) {
      if (reader.ReadBytes(argument)) method = field;
    } else {
      reader.Skip();
    }
  }
  if (!reader.ok() || method == 0) {
    return absl::InvalidArgumentError("not a ServerReflectionRequest");
  }
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  MessageWriter response;
  response.Bytes(kValidHost, host);
  response.Bytes(kOriginalRequest, request);
  const std::string name(argument);
  switch (method) {
    case kFileByName:
      AnswerFile(pool.FindFileByName(name), files_, response);
      break;
    case kFileBySymbol:
      AnswerFile(pool.FindFileContainingSymbol(name), files_, response);
      break;
    case kFileByExtension:
      AnswerFile(FindExtension(argument, pool), files_, response);
      break;
    case kAllExtensions:
      AnswerAllExtensions(name, pool, response);
      break;
    default:
      AnswerServices(pool, response);
  }
  return response.text();
}

}  // namespace rls
