// Frames of many streams of one HTTP/2 connection, mostly valid, in any order.

#include <string>
#include <vector>

#include "fuzz/fuzz_input.h"
#include "fuzz/h2_session_target.h"
#include "fuzz/targets.h"
#include "unit/rpc/lean/h2_frames.h"

namespace rls {
namespace {

class Frames {
 public:
  std::string Next(FuzzInput& input) {
    switch (input.Below(16)) {
      case 0:
      case 1:
        return RateLimitCall(NewStream());
      case 2:
      case 3:
        return Head(input);
      case 4:
      case 5:
        return Data(AnyStream(input), Prefixed(input.Text()), Flags(input));
      case 6:
        return Data(AnyStream(input), input.Text(), Flags(input));
      case 7:
        return Reset(AnyStream(input), input.Byte());
      case 8:
        return WindowUpdate(AnyStream(input), Size(input));
      case 9:
        return WindowUpdate(0, Size(input));
      case 10:
        return AnySettings(input);
      case 11:
        return Ping(std::string(8, 'p'), input.Byte() & NGHTTP2_FLAG_ACK);
      case 12:
        return MakeFrame(NGHTTP2_PRIORITY, 0, AnyStream(input),
                         BigEndian(input.Byte()) + "w");
      case 13:
        return MakeFrame(NGHTTP2_CONTINUATION, Flags(input), AnyStream(input),
                         input.Text());
      case 14:
        return Settings({});
      default:
        return MakeFrame(input.Byte(), input.Byte(), AnyStream(input),
                         input.Text());
    }
  }

 private:
  int32_t NewStream() { return last_ += 2; }

  // Mostly an old stream, and sometimes one that is not open.
  int32_t AnyStream(FuzzInput& input) {
    const auto back = static_cast<int32_t>(2 * input.Below(32));
    return back <= last_ ? last_ - back : back;
  }

  static uint32_t Size(FuzzInput& input) {
    return static_cast<uint32_t>(input.Number(input.Bit() ? 4 : 1));
  }

  static uint8_t Flags(FuzzInput& input) {
    return input.Byte() & (NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_END_HEADERS);
  }

  std::string Head(FuzzInput& input) {
    const char* const paths[] = {kDecide, kReflect, "/x",
                                 "/grpc.health.v1.Health/Watch"};
    const std::string path = input.OneOf(paths);
    Fields more;
    if (input.Bit()) more.emplace_back("grpc-timeout", input.Text());
    if (input.Bit()) more.emplace_back("x", std::string(input.Byte(), 'x'));
    std::string head = MakeFrame(NGHTTP2_HEADERS, Flags(input), NewStream(),
                                 HeaderBlock(RequestFields(path, more)));
    return head;
  }

  static std::string AnySettings(FuzzInput& input) {
    std::vector<std::pair<uint16_t, uint32_t>> settings;
    for (size_t count = input.Below(4); count > 0; --count) {
      const auto id = static_cast<uint16_t>(input.Below(10));
      settings.emplace_back(id, Size(input));
    }
    return Settings(settings);
  }

  int32_t last_ = -1;
};

}  // namespace

void FuzzH2Streams(const uint8_t* bytes, size_t size) {
  FuzzInput input(bytes, size);
  std::string connection(1, static_cast<char>(input.Byte()));
  connection += Preface();
  Frames frames;
  while (!input.empty()) connection += frames.Next(input);
  FeedH2Session(connection);
}

}  // namespace rls
