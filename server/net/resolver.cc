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

// Blocks, unless `flags` say that the host is a literal address.
Addresses LookUp(const Endpoint& endpoint, int flags) {
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

// What waits for one endpoint.
struct Question {
  Endpoint endpoint;
  std::vector<Waiting> waiting;
};

// What the resolver shares with its thread and with the tasks on their way to
// a loop, both of which may outlive it.
struct Shared {
  const std::unique_ptr<EventLoop> thread_loop = NewEventLoop();

  Mutex mutex;
  bool closed ABSL_GUARDED_BY(mutex) = false;
  // Whether the first question is with the system just now.
  bool asking ABSL_GUARDED_BY(mutex) = false;
  std::deque<Question> questions ABSL_GUARDED_BY(mutex);
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

// On the resolver's thread, once for each question.
void AskSystem(const std::shared_ptr<Shared>& shared) {
  Endpoint endpoint;
  {
    MutexLock lock(&shared->mutex);
    if (shared->closed) return;
    endpoint = shared->questions.front().endpoint;
    shared->asking = true;
  }
  const Addresses found = LookUp(endpoint, 0);
  MutexLock lock(&shared->mutex);
  // With the lock held to the end: no loop is touched after the resolver's end.
  if (shared->closed) return;
  shared->asking = false;
  for (Waiting& waiting : shared->questions.front().waiting) {
    Deliver(shared, waiting, found);
  }
  shared->questions.pop_front();
}

class SystemResolver final : public Resolver {
 public:
  SystemResolver()
      : thread_([shared = shared_] { shared->thread_loop->Run(); }) {}

  ~SystemResolver() override {
    std::deque<Question> dropped;
    bool asking = false;
    {
      MutexLock lock(&shared_->mutex);
      shared_->closed = true;
      asking = shared_->asking;
      dropped.swap(shared_->questions);
    }
    shared_->thread_loop->Stop();
    // The system may take half a minute to find that no name server answers.
    if (asking) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

  void Resolve(const Endpoint& endpoint, EventLoop& loop, Done done) override {
    Waiting waiting{&loop, std::move(done)};
    Addresses found = endpoint.unix_path.empty()
                          ? LookUp(endpoint, AI_NUMERICHOST)
                          : UnixAddress(endpoint);
    if (found.ok() || !endpoint.unix_path.empty()) {
      Deliver(shared_, waiting, std::move(found));
      return;
    }
    MutexLock lock(&shared_->mutex);
    // A question that waits is joined, so that attempts that give up and come
    // again while the name server is slow do not pile up.
    for (size_t i = shared_->asking ? 1 : 0; i < shared_->questions.size();
         ++i) {
      if (shared_->questions[i].endpoint == endpoint) {
        shared_->questions[i].waiting.push_back(std::move(waiting));
        return;
      }
    }
    Question& question = shared_->questions.emplace_back();
    question.endpoint = endpoint;
    question.waiting.push_back(std::move(waiting));
    // Not the shared pointer: a task that never runs would keep its own loop.
    shared_->thread_loop->Post([shared = std::weak_ptr<Shared>(shared_)] {
      AskSystem(shared.lock());
    });
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
