#include "rpc/lean/call.h"

#include <utility>

#include "rpc/lean/h2_session.h"

namespace rls {
namespace {

size_t LengthAt(const char* prefix) {
  size_t length = 0;
  for (int i = 0; i < 4; ++i) {
    length = length << 8 | static_cast<unsigned char>(prefix[i]);
  }
  return length;
}

// Frees the memory of a large message: most messages are small.
void ClearLarge(std::string& bytes) {
  constexpr size_t kKeptBytes = 4 << 10;
  bytes.clear();
  if (bytes.capacity() > kKeptBytes) bytes.shrink_to_fit();
}

// Appends `message` with its prefix, uncompressed.
void AppendMessage(absl::string_view message, Unsent& to) {
  const auto length = static_cast<uint32_t>(message.size());
  const char prefix[kMessagePrefixBytes] = {
      0, static_cast<char>(length >> 24), static_cast<char>(length >> 16),
      static_cast<char>(length >> 8), static_cast<char>(length)};
  to.Append({prefix, sizeof(prefix)});
  to.Append(message);
}

}  // namespace

Method MethodOf(absl::string_view path) {
  // The first comparison is for the method that gets nearly all calls.
  if (path == "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit") {
    return Method::kShouldRateLimit;
  }
  if (path == "/grpc.health.v1.Health/Check") return Method::kHealthCheck;
  if (path == "/grpc.health.v1.Health/List") return Method::kHealthList;
  if (path == "/grpc.health.v1.Health/Watch") return Method::kHealthWatch;
  if (path == "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" ||
      path ==
          "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") {
    return Method::kReflection;
  }
  return Method::kUnknown;
}

void MessageBuffer::Append(absl::string_view bytes) {
  if (empty()) {
    Clear();
  } else if (taken_ > bytes_.size() / 2) {
    // If messages never end at the end of a frame, the buffer is never empty
    // and would grow without this.
    bytes_.erase(0, taken_);
    taken_ = 0;
  }
  bytes_.append(bytes.data(), bytes.size());
}

MessageBuffer::Found MessageBuffer::Take(size_t max_bytes,
                                         absl::string_view& message) {
  const absl::string_view rest = absl::string_view(bytes_).substr(taken_);
  if (rest.size() < kMessagePrefixBytes) return Found::kNothing;
  const size_t length = LengthAt(rest.data() + 1);
  if (length > max_bytes) return Found::kTooLarge;
  if (rest.size() - kMessagePrefixBytes < length) return Found::kNothing;
  message = rest.substr(kMessagePrefixBytes, length);
  taken_ += kMessagePrefixBytes + length;
  return rest[0] == 0 ? Found::kMessage : Found::kCompressed;
}

void MessageBuffer::Clear() {
  ClearLarge(bytes_);
  taken_ = 0;
}

void Call::Begin(H2Session& session, int32_t stream_id, absl::Time now) {
  session_ = &session;
  before_ = after_ = nullptr;
  stream_id_ = stream_id;
  method_ = Method::kUnknown;
  arrived_ = now;
  deadline_ = absl::InfiniteFuture();
  is_post_ = is_head_ = is_grpc_ = false;
  bad_timeout_ = false;
  encoding_ = Encoding::kIdentity;
  request_ended_ = ready_ = responded_ = finished_ = false;
  http_only_ = stop_ = overdue_ = retained_ = false;
  received_.Clear();
  ClearLarge(inflated_);
  sending_.Clear();
  caller_.emplace();
  if (trace_headers_ != nullptr) trace_headers_->Clear();
}

void Call::AddTraceHeader(absl::string_view name, absl::string_view value) {
  if (trace_headers_ == nullptr) {
    trace_headers_ = std::make_unique<TraceHeaders>();
  }
  trace_headers_->Add(name, value);
}

void Call::Append(absl::string_view message) {
  CountUnsent(static_cast<ptrdiff_t>(kMessagePrefixBytes + message.size()));
  AppendMessage(message, sending_);
}

void Call::AddReceived(absl::string_view bytes) {
  const auto before = static_cast<ptrdiff_t>(received_.size());
  received_.Append(bytes);
  CountReceived(static_cast<ptrdiff_t>(received_.size()) - before);
}

void Call::DropReceived() {
  CountReceived(-static_cast<ptrdiff_t>(received_bytes()));
  received_.Clear();
  ClearLarge(inflated_);
}

absl::Status Call::Inflate(size_t max_bytes, absl::string_view& message) {
  const size_t compressed = message.size();
  const auto before = static_cast<ptrdiff_t>(inflated_.size());
  absl::Status status = rls::Inflate(encoding_, message, max_bytes, inflated_);
  message = inflated_;
  CountReceived(static_cast<ptrdiff_t>(inflated_.size()) - before);
  // A message that is too large or broken has cost time, too.
  const bool keeps = session_->KeepsInflated(compressed, inflated_.size());
  if (status.ok() && keeps) return status;
  CountReceived(-static_cast<ptrdiff_t>(inflated_.size()));
  ClearLarge(inflated_);
  return keeps
             ? status
             : absl::ResourceExhaustedError("too many requests are incomplete");
}

void Call::CountReceived(ptrdiff_t bytes) {
  pool_->buffered_bytes += static_cast<size_t>(bytes);
  session_->buffered_bytes_ += static_cast<size_t>(bytes);
}

void Call::CountUnsent(ptrdiff_t bytes) {
  pool_->unsent_bytes += static_cast<size_t>(bytes);
  session_->unsent_bytes_ += static_cast<size_t>(bytes);
}

void Call::Send(absl::string_view message) {
  if (finished()) return;
  if (!session_->MaySend(message.size())) {
    Finish(absl::ResourceExhaustedError("too many answers wait to be read"));
    return;
  }
  Append(message);
  session_->Proceed(*this);
}

void Call::Finish(const absl::Status& status) {
  if (finished()) return;
  status_ = status;
  finished_ = true;
  session_->Proceed(*this);
}

void Call::Answer(absl::string_view message) {
  if (finished()) return;
  Append(message);
  status_ = absl::OkStatus();
  finished_ = true;
  session_->Proceed(*this);
}

void Call::Release() {
  retained_ = false;
  if (session_ == nullptr) pool_->Put(*this);
}

CallPool::Shortage CallPool::ShortageAt(size_t eighths) const {
  const auto reached = [eighths](size_t used, size_t most) {
    return used > most / 8 * eighths;
  };
  if (reached(size_, kMaxCalls) ||
      reached(incomplete_calls, kMaxIncompleteCalls)) {
    return Shortage::kCalls;
  }
  return reached(buffered_bytes, kMaxBufferedBytes) ||
                 reached(unsent_bytes, kMaxUnsentBytes)
             ? Shortage::kBytes
             : Shortage::kNone;
}

Call* CallPool::Get() {
  if (size_ == kMaxCalls) return nullptr;
  ++size_;
  if (spare_.empty()) {
    auto call = std::make_unique<Call>();
    call->pool_ = this;
    return call.release();  // Put() takes ownership again.
  }
  Call* const call = spare_.back().release();
  spare_.pop_back();
  return call;
}

void CallPool::Put(Call& call) {
  --size_;
  std::unique_ptr<Call> owned(&call);
  if (spare_.size() < kSpareCalls) spare_.push_back(std::move(owned));
}

}  // namespace rls
