#include "rpc/lean/h2_connection.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <utility>

namespace rls {
namespace {

SteadyTime After(SteadyTime from, absl::Duration duration) {
  return from + absl::ToChronoNanoseconds(duration);
}

// Changes the duration randomly by up to 10%. The generator is thread-local,
// because to seed one for each connection would be expensive.
absl::Duration Jittered(absl::Duration duration) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return duration * std::uniform_real_distribution(0.9, 1.1)(random);
}

}  // namespace

H2Connection::H2Connection(const H2ConnectionDependencies& dependencies,
                           FileDescriptor socket,
                           std::unique_ptr<TlsSession> tls)
    : dependencies_(dependencies),
      socket_(std::move(socket), std::move(tls)),
      session_(dependencies.session, [this] { dependencies_.pending(*this); }),
      watch_(dependencies.loop.NewWatch(
          socket_.fd(), [this](EventLoop::Ready ready) { OnReady(ready); })),
      timer_(dependencies.loop.NewTimer([this] {
        wake_at_ = SteadyTime::max();
        OnTimer();
      })),
      handshake_(dependencies.handshakes, [this] { Handshake(); }),
      read_at_(dependencies.loop.Now()) {
  watch_->Want({.readable = true});
  const absl::Duration age = dependencies_.options.max_connection_age;
  if (age > absl::ZeroDuration()) age_at_ = After(read_at_, Jittered(age));
  sweep_at_ = After(read_at_, kPatience);
  Rearm();
}

void H2Connection::OnReady(EventLoop::Ready ready) {
  if (ready.readable && !socket_.established()) {
    watch_->Want({});
    handshake_.Join();
    return;
  }
  if (ready.readable && socket_.unsent() < kMaxUnsentBytes) Read();
  Flush();
}

void H2Connection::Handshake() {
  Read();
  Flush();
}

void H2Connection::Read() {
  const std::optional<absl::string_view> bytes =
      socket_.Read(dependencies_.read_buffer);
  if (!bytes.has_value()) broken_ = true;
  if (broken_ || bytes->empty() || lingering_) return;
  read_at_ = dependencies_.loop.Now();
  pinged_ = false;
  if (!session_.Receive(*bytes)) broken_ = true;
  if (session_.calmed()) {
    close_at_ = std::min(close_at_, After(read_at_, kGoAwayTime));
    WakeAt(close_at_);
  }
}

void H2Connection::Calm(Bound bound) {
  session_.Calm(bound);
  broken_ = true;
  Flush();
}

void H2Connection::Flush() {
  if (!Write() || broken_) {
    dependencies_.closed(*this);
    return;
  }
  const bool all_sent = socket_.unsent() == 0;
  if (all_sent && session_.over()) Linger();
  watch_->Want(
      {.readable = socket_.unsent() < kMaxUnsentBytes, .writable = !all_sent});
  if (session_.waiting_calls() > 0 && sweep_at_ == SteadyTime::max()) {
    sweep_at_ = After(dependencies_.loop.Now(), kPatience);
    WakeAt(sweep_at_);
  }
  if (all_sent) {
    stalled_at_ = SteadyTime::max();
  } else if (stalled_at_ == SteadyTime::max()) {
    stalled_at_ = After(dependencies_.loop.Now(), kPatience);
    WakeAt(stalled_at_);
  }
}

// The session has ended and all output is sent. Does not close the socket yet:
// if unread bytes of the client had arrived, close() would reset the
// connection, and the client could lose the end of the output.
void H2Connection::Linger() {
  if (std::exchange(lingering_, true)) return;
  socket_.CloseWriting();
  close_at_ = std::min(close_at_, After(dependencies_.loop.Now(), kGoAwayTime));
  WakeAt(close_at_);
}

bool H2Connection::Write() {
  const uint64_t sent_at_first = socket_.sent_bytes();
  std::string& out = dependencies_.write_buffer;
  uint64_t sent_before = 0;
  do {
    out.clear();
    while (socket_.established() &&
           socket_.unsent() + out.size() < kMaxUnsentBytes) {
      const absl::string_view bytes = session_.Pull();
      if (bytes.empty()) break;
      out.append(bytes.data(), bytes.size());
    }
    sent_before = socket_.sent_bytes();
    if (!socket_.Write(out)) return false;
    // Repeats also if only kept output was sent: the session may have more.
  } while (socket_.unsent() == 0 && socket_.sent_bytes() != sent_before);
  if (socket_.sent_bytes() != sent_at_first) stalled_at_ = SteadyTime::max();
  return true;
}

void H2Connection::GoAway(absl::Duration grace) {
  const SteadyTime now = dependencies_.loop.Now();
  age_at_ = SteadyTime::max();
  close_at_ = std::min(close_at_, After(now, grace));
  if (!std::exchange(going_away_, true)) {
    session_.AnnounceGoAway();
    goaway_at_ = After(now, std::min(grace, kGoAwayTime));
  }
  OnTimer();
}

void H2Connection::OnTimer() {
  const SteadyTime now = dependencies_.loop.Now();
  if (now >= age_at_) {
    const absl::Duration grace = dependencies_.options.max_connection_age_grace;
    GoAway(grace > absl::ZeroDuration() ? grace : absl::Hours(24 * 365));
    return;
  }
  if (now >= goaway_at_) {
    goaway_at_ = SteadyTime::max();
    session_.GoAway();
    // During the TLS handshake GOAWAY cannot be sent, and there are no
    // requests to finish.
    if (!socket_.established()) broken_ = true;
  }
  if (now >= sweep_at_) {
    sweep_at_ = SteadyTime::max();
    if (!session_.DropOverdue(kPatience)) broken_ = true;
  }
  if (now >= close_at_ || now >= stalled_at_ || IsSilent(now)) broken_ = true;
  Rearm();
  Flush();
}

SteadyTime H2Connection::SilentAt() const {
  const absl::Duration time = dependencies_.options.keepalive_time;
  const absl::Duration timeout = dependencies_.options.keepalive_timeout;
  if (time == absl::ZeroDuration()) return SteadyTime::max();
  if (!pinged_) return After(read_at_, time);
  return timeout == absl::ZeroDuration() ? SteadyTime::max()
                                         : After(read_at_, time + timeout);
}

// If nothing was read for the keepalive time, sends a ping. True: the timeout
// after the ping has passed too.
bool H2Connection::IsSilent(SteadyTime now) {
  if (now < SilentAt()) return false;
  if (pinged_) return true;
  session_.Ping();
  pinged_ = true;
  return false;
}

void H2Connection::Rearm() {
  WakeAt(std::min(
      {age_at_, goaway_at_, close_at_, sweep_at_, stalled_at_, SilentAt()}));
}

void H2Connection::WakeAt(SteadyTime time) {
  if (time >= wake_at_) return;
  wake_at_ = time;
  timer_->Set(time);
}

}  // namespace rls
