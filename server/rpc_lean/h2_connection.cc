#include "rpc_lean/h2_connection.h"

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

// By a tenth either way. One for each thread, so that no connection pays for
// its seed.
absl::Duration Jittered(absl::Duration duration) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return duration * std::uniform_real_distribution(0.9, 1.1)(random);
}

}  // namespace

H2Connection::H2Connection(const H2ConnectionParts& parts,
                           FileDescriptor socket,
                           std::unique_ptr<TlsSession> tls)
    : parts_(parts),
      socket_(std::move(socket), std::move(tls)),
      session_(parts.session, [this] { parts_.pending(*this); }),
      watch_(parts.loop.NewWatch(
          socket_.fd(), [this](EventLoop::Ready ready) { OnReady(ready); })),
      timer_(parts.loop.NewTimer([this] {
        wake_at_ = SteadyTime::max();
        OnTimer();
      })),
      read_at_(parts.loop.Now()) {
  watch_->Want({.readable = true});
  const absl::Duration age = parts_.options.max_connection_age;
  if (age > absl::ZeroDuration()) age_at_ = After(read_at_, Jittered(age));
  sweep_at_ = After(read_at_, kPatience);
  Rearm();
}

void H2Connection::OnReady(EventLoop::Ready ready) {
  if (ready.readable && socket_.unsent() < kMaxUnsentBytes) Read();
  Flush();
}

void H2Connection::Read() {
  const std::optional<absl::string_view> bytes =
      socket_.Read(parts_.read_buffer);
  if (!bytes.has_value()) broken_ = true;
  if (broken_ || bytes->empty() || lingering_) return;
  read_at_ = parts_.loop.Now();
  pinged_ = false;
  if (!session_.Receive(*bytes)) broken_ = true;
}

void H2Connection::Flush() {
  if (!Write() || broken_) {
    parts_.closed(*this);
    return;
  }
  const bool all_sent = socket_.unsent() == 0;
  if (all_sent && session_.over()) Linger();
  watch_->Want(
      {.readable = socket_.unsent() < kMaxUnsentBytes, .writable = !all_sent});
  if (session_.waiting_calls() > 0 && sweep_at_ == SteadyTime::max()) {
    sweep_at_ = After(parts_.loop.Now(), kPatience);
    WakeAt(sweep_at_);
  }
  if (all_sent) {
    stalled_at_ = SteadyTime::max();
  } else if (stalled_at_ == SteadyTime::max()) {
    stalled_at_ = After(parts_.loop.Now(), kPatience);
    WakeAt(stalled_at_);
  }
}

// All is said. To close now would be to reset the connection if the client has
// sent anything more, and that could cost it what it has not read yet.
void H2Connection::Linger() {
  if (std::exchange(lingering_, true)) return;
  socket_.CloseWriting();
  close_at_ = std::min(close_at_, After(parts_.loop.Now(), kGoAwayTime));
  WakeAt(close_at_);
}

bool H2Connection::Write() {
  const uint64_t sent_at_first = socket_.sent_bytes();
  std::string& out = parts_.write_buffer;
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
    // Also when it was only what had been kept: there may be more.
  } while (socket_.unsent() == 0 && socket_.sent_bytes() != sent_before);
  if (socket_.sent_bytes() != sent_at_first) stalled_at_ = SteadyTime::max();
  return true;
}

void H2Connection::GoAway(absl::Duration grace) {
  const SteadyTime now = parts_.loop.Now();
  age_at_ = SteadyTime::max();
  close_at_ = std::min(close_at_, After(now, grace));
  if (!std::exchange(going_away_, true)) {
    session_.AnnounceGoAway();
    goaway_at_ = After(now, std::min(grace, kGoAwayTime));
  }
  OnTimer();
}

void H2Connection::OnTimer() {
  const SteadyTime now = parts_.loop.Now();
  if (now >= age_at_) {
    const absl::Duration grace = parts_.options.max_connection_age_grace;
    GoAway(grace > absl::ZeroDuration() ? grace : absl::Hours(24 * 365));
    return;
  }
  if (now >= goaway_at_) {
    goaway_at_ = SteadyTime::max();
    session_.GoAway();
    // It cannot be told, nor has it asked for anything.
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
  const absl::Duration time = parts_.options.keepalive_time;
  const absl::Duration timeout = parts_.options.keepalive_timeout;
  if (time == absl::ZeroDuration()) return SteadyTime::max();
  if (!pinged_) return After(read_at_, time);
  return timeout == absl::ZeroDuration() ? SteadyTime::max()
                                         : After(read_at_, time + timeout);
}

// Nothing was read for so long; first it is asked for a sign of life.
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
