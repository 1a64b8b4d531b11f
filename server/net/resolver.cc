#include "net/resolver.h"

#include <netdb.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"

namespace rls {
namespace {

using Addresses = Resolver::Addresses;
using Done = absl::AnyInvocable<void(Addresses)>;

absl::Status Unavailable(const Endpoint& endpoint, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat(endpoint.ToString(), ": ", why));
}

Addresses UnixAddress(const Endpoint& endpoint) {
  sockaddr_un address = {};
  if (endpoint.unix_path.size() >= sizeof(address.sun_path)) {
    return Unavailable(endpoint, "too long for a Unix socket's path");
  }
  address.sun_family = AF_UNIX;
  endpoint.unix_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  SocketAddress found;
  found.length = sizeof(address);
  std::memcpy(&found.storage, &address, sizeof(address));
  return std::vector<SocketAddress>{found};
}

// Blocks, unless `flags` has AI_NUMERICHOST: the host is a literal address.
Addresses FindAddresses(const Endpoint& endpoint, int flags) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error =
      getaddrinfo(endpoint.host.c_str(), absl::StrCat(endpoint.port).c_str(),
                  &hints, &list);
  if (error == EAI_SYSTEM) {
    return Unavailable(endpoint, std::generic_category().message(errno));
  }
  if (error != 0) return Unavailable(endpoint, gai_strerror(error));
  std::vector<SocketAddress> found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress& address = found.emplace_back();
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
  }
  freeaddrinfo(list);
  return found;
}

struct Waiting {
  EventLoop* loop = nullptr;
  Done done;
};

// One lookup of an endpoint, with the callbacks that wait for it.
struct Lookup {
  Endpoint endpoint;
  std::vector<Waiting> waiting;
};

// The state that the resolver shares with its thread and with the tasks posted
// to loops. Both may outlive the resolver.
struct Shared {
  const std::unique_ptr<EventLoop> thread_loop = NewEventLoop();

  Mutex mutex;
  bool closed ABSL_GUARDED_BY(mutex) = false;
  // Whether getaddrinfo() runs for the first lookup.
  bool is_looking_up ABSL_GUARDED_BY(mutex) = false;
  std::deque<Lookup> lookups ABSL_GUARDED_BY(mutex);
};

void Deliver(const std::shared_ptr<Shared>& shared, Waiting& waiting,
             Addresses found) {
  waiting.loop->Post([shared, done = std::move(waiting.done),
                      found = std::move(found)]() mutable {
    {
      MutexLock lock(&shared->mutex);
      if (shared->closed) return;
    }
    done(std::move(found));
  });
}

// Runs on the resolver's thread, once for each lookup.
void RunFirst(const std::shared_ptr<Shared>& shared) {
  Endpoint endpoint;
  {
    MutexLock lock(&shared->mutex);
    if (shared->closed) return;
    endpoint = shared->lookups.front().endpoint;
    shared->is_looking_up = true;
  }
  const Addresses found = FindAddresses(endpoint, 0);
  MutexLock lock(&shared->mutex);
  // Holds the lock to the end: after the resolver's end no loop is used.
  if (shared->closed) return;
  shared->is_looking_up = false;
  for (Waiting& waiting : shared->lookups.front().waiting) {
    Deliver(shared, waiting, found);
  }
  shared->lookups.pop_front();
}

class SystemResolver final : public Resolver {
 public:
  SystemResolver()
      : thread_([shared = shared_] { shared->thread_loop->Run(); }) {}

  ~SystemResolver() override {
    std::deque<Lookup> dropped;
    bool is_looking_up = false;
    {
      MutexLock lock(&shared_->mutex);
      shared_->closed = true;
      is_looking_up = shared_->is_looking_up;
      dropped.swap(shared_->lookups);
    }
    shared_->thread_loop->Stop();
    // getaddrinfo() may take half a minute if no name server responds.
    if (is_looking_up) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

  void Resolve(const Endpoint& endpoint, EventLoop& loop, Done done) override {
    Waiting waiting{&loop, std::move(done)};
    Addresses found = endpoint.unix_path.empty()
                          ? FindAddresses(endpoint, AI_NUMERICHOST)
                          : UnixAddress(endpoint);
    if (found.ok() || !endpoint.unix_path.empty()) {
      Deliver(shared_, waiting, std::move(found));
      return;
    }
    MutexLock lock(&shared_->mutex);
    // Joins a lookup of the same endpoint that has not started yet, so that
    // repeated attempts do not pile up while the name server is slow.
    for (size_t i = shared_->is_looking_up ? 1 : 0; i < shared_->lookups.size();
         ++i) {
      if (shared_->lookups[i].endpoint == endpoint) {
        shared_->lookups[i].waiting.push_back(std::move(waiting));
        return;
      }
    }
    Lookup& lookup = shared_->lookups.emplace_back();
    lookup.endpoint = endpoint;
    lookup.waiting.push_back(std::move(waiting));
    // A weak pointer: a task that never runs would otherwise keep alive the
    // loop that owns it.
    shared_->thread_loop->Post(
        [shared = std::weak_ptr<Shared>(shared_)] { RunFirst(shared.lock()); });
  }

 private:
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Resolver> NewResolver() {
  return std::make_unique<SystemResolver>();
}

}  // namespace rls
