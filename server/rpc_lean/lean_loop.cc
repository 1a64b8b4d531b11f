#include "rpc_lean/lean_loop.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace rls {

LeanLoop::LeanLoop(const Parts& parts)
    : parts_(parts),
      service_({.loop = parts.loop,
                .post = [this](auto task) { Do(std::move(task)); },
                .handler = parts.handler,
                .clock = parts.clock,
                .metrics = parts.metrics,
                .max_request_bytes =
                    static_cast<size_t>(parts.options.max_request_bytes)}),
      on_pending_([this](H2Connection& connection) {
        if (std::find(pending_.begin(), pending_.end(), &connection) ==
            pending_.end()) {
          pending_.push_back(&connection);
        }
        if (!std::exchange(will_flush_, true)) Do([] {});
      }),
      on_closed_([this](H2Connection& connection) { Remove(connection); }) {}

void LeanLoop::Do(absl::AnyInvocable<void()> task) {
  parts_.loop.Post([this, task = std::move(task)]() mutable {
    will_flush_ = true;
    task();
    FlushPending();
    will_flush_ = false;
    LookWhetherQuiet();
  });
}

void LeanLoop::AwaitQuiet() {
  quiet_.wait();
  std::latch passed(1);
  parts_.loop.Post([&passed] { passed.count_down(); });
  passed.wait();
}

void LeanLoop::Adopt(FileDescriptor connection) {
  count_.fetch_add(1, std::memory_order_relaxed);
  Do([this, connection = std::move(connection)]() mutable {
    Add(std::move(connection));
  });
}

void LeanLoop::Add(FileDescriptor socket) {
  std::unique_ptr<TlsSession> tls;
  if (parts_.tls != nullptr) {
    auto session = NewServerTlsSession(*parts_.tls);
    if (!session.ok()) {
      LogWarning(session.status().message());
      count_.fetch_sub(1, std::memory_order_relaxed);
      return;
    }
    tls = *std::move(session);
  }
  auto connection = std::make_unique<H2Connection>(
      H2ConnectionParts{.loop = parts_.loop,
                        .options = parts_.options,
                        .session = {.clock = parts_.clock,
                                    .calls = calls_,
                                    .memory = memory_,
                                    .handler = service_,
                                    .max_request_bytes = static_cast<size_t>(
                                        parts_.options.max_request_bytes)},
                        .pending = on_pending_,
                        .closed = on_closed_,
                        .read_buffer = read_buffer_,
                        .write_buffer = write_buffer_},
      std::move(socket), std::move(tls));
  H2Connection& added = *connection;
  connections_.emplace(&added, std::move(connection));
  if (stopping_) {
    added.GoAway(grace_);
  } else {
    added.Flush();
  }
}

void LeanLoop::Remove(H2Connection& connection) {
  const auto found = connections_.find(&connection);
  std::unique_ptr<H2Connection> removed = std::move(found->second);
  connections_.erase(found);
  removed.reset();  // Its calls end, and may find themselves pending.
  std::replace(pending_.begin(), pending_.end(), &connection,
               static_cast<H2Connection*>(nullptr));
  count_.fetch_sub(1, std::memory_order_relaxed);
  LookWhetherQuiet();
}

void LeanLoop::FlushPending() {
  // Flushing one closes it at worst, and makes no other pending.
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (pending_[i] != nullptr) pending_[i]->Flush();
  }
  pending_.clear();
}

void LeanLoop::SetServing(bool serving, absl::AnyInvocable<void()> done) {
  Do([this, serving, done = std::move(done)]() mutable {
    service_.SetServing(serving);
    done();
  });
}

void LeanLoop::Shutdown(absl::Duration grace) {
  Do([this, grace] {
    stopping_ = true;
    grace_ = grace;
    service_.Stop();
    std::vector<H2Connection*> all;
    all.reserve(connections_.size());
    for (const auto& [connection, unused] : connections_) {
      all.push_back(connection);
    }
    for (H2Connection* const connection : all) connection->GoAway(grace);
  });
}

void LeanLoop::LookWhetherQuiet() {
  if (!stopping_ || told_quiet_ || !connections_.empty() ||
      service_.held() > 0) {
    return;
  }
  told_quiet_ = true;
  quiet_.count_down();
}

}  // namespace rls
