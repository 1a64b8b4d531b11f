#include "unit/rpc/lean/h2_frames.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace rls {
namespace {

constexpr size_t kHeadBytes = 9;

std::string HpackString(absl::string_view text) {
  std::string out;
  size_t size = text.size();
  if (size < 127) {
    out += static_cast<char>(size);
  } else {
    out += '\x7f';
    for (size -= 127; size >= 128; size >>= 7) {
      out += static_cast<char>(size % 128 + 128);
    }
    out += static_cast<char>(size);
  }
  return out.append(text.data(), text.size());
}

uint32_t ReadNumber(absl::string_view bytes) {
  uint32_t number = 0;
  for (const char byte : bytes) {
    number = number << 8 | static_cast<unsigned char>(byte);
  }
  return number;
}

std::string ValueOf(const Fields& fields, absl::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "-";
}

}  // namespace

std::string BigEndian(uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16),
          static_cast<char>(number >> 8), static_cast<char>(number)};
}

std::string MakeFrame(uint8_t type, uint8_t flags, int32_t stream,
                      absl::string_view payload) {
  std::string frame =
      BigEndian(static_cast<uint32_t>(payload.size())).substr(1);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  frame += BigEndian(static_cast<uint32_t>(stream));
  return frame.append(payload.data(), payload.size());
}

std::string Settings(
    const std::vector<std::pair<uint16_t, uint32_t>>& settings) {
  std::string payload;
  for (const auto& [id, value] : settings) {
    payload += BigEndian(id).substr(2) + BigEndian(value);
  }
  return MakeFrame(NGHTTP2_SETTINGS, 0, 0, payload);
}

std::string Preface(
    const std::vector<std::pair<uint16_t, uint32_t>>& settings) {
  return NGHTTP2_CLIENT_MAGIC + Settings(settings);
}

std::string Ping(absl::string_view eight_bytes, uint8_t flags) {
  return MakeFrame(NGHTTP2_PING, flags, 0, eight_bytes);
}

std::string Reset(int32_t stream, uint32_t code) {
  return MakeFrame(NGHTTP2_RST_STREAM, 0, stream, BigEndian(code));
}

std::string WindowUpdate(int32_t stream, uint32_t bytes) {
  return MakeFrame(NGHTTP2_WINDOW_UPDATE, 0, stream, BigEndian(bytes));
}

std::string HeaderBlock(const Fields& fields) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block += '\0' + HpackString(name) + HpackString(value);
  }
  return block;
}

std::string RepeatedField(const std::string& name, const std::string& value,
                          size_t times) {
  return '\x40' + HpackString(name) + HpackString(value) +
         std::string(times - 1, '\xbe');
}

Fields RequestFields(const std::string& path, const Fields& more) {
  Fields fields = {{":method", "POST"}, {":scheme", "http"},
                   {":path", path},     {":authority", "test"},
                   {"te", "trailers"},  {"content-type", "application/grpc"}};
  for (const auto& field : more) {
    const auto same =
        std::find_if(fields.begin(), fields.end(),
                     [&](const auto& had) { return had.first == field.first; });
    if (same == fields.end()) {
      fields.push_back(field);
    } else {
      same->second = field.second;
    }
  }
  return fields;
}

std::string RequestHead(int32_t stream, const std::string& path,
                        const Fields& more, uint8_t flags) {
  return MakeFrame(NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream,
                   HeaderBlock(RequestFields(path, more)));
}

std::string Data(int32_t stream, absl::string_view bytes, uint8_t flags) {
  return MakeFrame(NGHTTP2_DATA, flags, stream, bytes);
}

std::string Prefixed(absl::string_view message, char flag) {
  std::string bytes(1, flag);
  bytes += BigEndian(static_cast<uint32_t>(message.size()));
  return bytes.append(message.data(), message.size());
}

std::string RateLimitMessage() {
  return {
      "\x0a\x01"
      "d\x12\x08\x0a\x06\x0a\x01"
      "k\x12\x01v",
      13};
}

std::string RateLimitCall(int32_t stream) {
  return RequestHead(stream, kDecide) +
         Data(stream, Prefixed(RateLimitMessage()));
}

std::string Response::header(absl::string_view name) const {
  return ValueOf(headers, name);
}

std::string Response::trailer(absl::string_view name) const {
  return ValueOf(trailers, name);
}

H2Answers::H2Answers() { EXPECT_EQ(nghttp2_hd_inflate_new(&inflater_), 0); }

H2Answers::~H2Answers() { nghttp2_hd_inflate_del(inflater_); }

size_t H2Answers::ended() const {
  return static_cast<size_t>(
      std::count_if(responses_.begin(), responses_.end(),
                    [](const auto& one) { return one.second.ended; }));
}

void H2Answers::Feed(absl::string_view bytes) {
  bytes_.append(bytes.data(), bytes.size());
  absl::string_view rest = bytes_;
  while (rest.size() >= kHeadBytes) {
    const size_t size = ReadNumber(rest.substr(0, 3));
    if (rest.size() < kHeadBytes + size) break;
    TakeFrame(static_cast<uint8_t>(rest[3]), static_cast<uint8_t>(rest[4]),
              static_cast<int32_t>(ReadNumber(rest.substr(5, 4))),
              rest.substr(kHeadBytes, size));
    rest.remove_prefix(kHeadBytes + size);
  }
  bytes_ = std::string(rest);
}

void H2Answers::TakeFrame(uint8_t type, uint8_t flags, int32_t stream,
                          absl::string_view payload) {
  const bool ack = (flags & NGHTTP2_FLAG_ACK) != 0;  // or END_STREAM
  switch (type) {
    case NGHTTP2_DATA:
      ++data_frames;
      responses_[stream].data.append(payload.data(), payload.size());
      responses_[stream].ended |= ack;
      break;
    case NGHTTP2_HEADERS:
      EXPECT_NE(flags & NGHTTP2_FLAG_END_HEADERS, 0);
      TakeHeaders(ack, stream, payload);
      break;
    case NGHTTP2_RST_STREAM:
      responses_[stream].reset = ReadNumber(payload);
      break;
    case NGHTTP2_SETTINGS:
      settings_acks += ack ? 1 : 0;
      TakeSettings(payload);
      break;
    case NGHTTP2_PING:
      (ack ? ping_acks : pings).emplace_back(payload);
      break;
    case NGHTTP2_GOAWAY:
      goaways.push_back({static_cast<int32_t>(ReadNumber(payload.substr(0, 4))),
                         ReadNumber(payload.substr(4, 4))});
      break;
    case NGHTTP2_WINDOW_UPDATE:
      break;
    default:
      ADD_FAILURE() << "a frame of type " << int{type};
  }
}

void H2Answers::TakeHeaders(bool end_stream, int32_t stream,
                            absl::string_view block) {
  Fields fields;
  while (true) {
    nghttp2_nv field;
    int flags = 0;
    const ssize_t used = nghttp2_hd_inflate_hd2(
        inflater_, &field, &flags,
        reinterpret_cast<const uint8_t*>(block.data()), block.size(), 1);
    ASSERT_GE(used, 0);
    block.remove_prefix(static_cast<size_t>(used));
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0) continue;
    fields.emplace_back(
        std::string(reinterpret_cast<char*>(field.name), field.namelen),
        std::string(reinterpret_cast<char*>(field.value), field.valuelen));
  }
  nghttp2_hd_inflate_end_headers(inflater_);
  Response& response = responses_[stream];
  if (response.headers.empty()) response.headers = fields;
  if (end_stream) response.trailers = fields;
  response.ended |= end_stream;
}

void H2Answers::TakeSettings(absl::string_view payload) {
  for (; payload.size() >= 6; payload.remove_prefix(6)) {
    settings[static_cast<uint16_t>(ReadNumber(payload.substr(0, 2)))] =
        ReadNumber(payload.substr(2, 4));
  }
}

}  // namespace rls
