#ifndef RLS_RULES_RULE_BOOK_H_
#define RLS_RULES_RULE_BOOK_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/thread_shard.h"
#include "rules/domain.h"

namespace rls {

// Where the rules of a rule book come from. For people: it decides nothing.
struct RuleOrigin {
  // A file or a resource that has rules of one domain.
  struct Part {
    std::string place;  // the path or the name
    std::string hash;   // of the content in force
    // "good", or the reason why the part has its last good rules: "bad" or
    // "gone".
    std::string state;
  };

  std::string source;               // "files", "xds"
  std::vector<std::string> places;  // the paths, or the configuration server
  std::string version;              // of the last response of xDS
  std::string hash;                 // of everything, as in the metrics
  absl::Time loaded;                // when the book came into force
  std::map<std::string, std::vector<Part>> domains;  // by domain
};

// All domains of one load of the configuration. Immutable after publication.
struct RuleBook {
  absl::flat_hash_map<std::string, std::shared_ptr<const Domain>> domains;
  // False until a configuration is loaded. Until then every request fails with
  // FAILED_PRECONDITION, instead of passing as a request of an unknown domain.
  bool loaded = false;
  RuleOrigin origin;

  const Domain* Find(absl::string_view name) const {
    const auto it = domains.find(name);
    return it == domains.end() ? nullptr : it->second.get();
  }
};

// The current rule book. A request keeps its snapshot until it ends, so a
// reload never blocks a request. A replaced book is destroyed when its last
// request ends.
//
// Each thread shard (base/thread_shard.h) has its own lock and reference count.
// So a request does not write to a cache line that other cores write to.
//
// Threads: Get() and Set() may be called by many threads at once.
class RuleBookHolder {
 public:
  using Watch = std::function<void()>;

  RuleBookHolder() : shards_(ShardCount()) {
    Replace(std::make_shared<const RuleBook>());
  }
  RuleBookHolder(const RuleBookHolder&) = delete;
  RuleBookHolder& operator=(const RuleBookHolder&) = delete;

  std::shared_ptr<const RuleBook> Get() const {
    const Shard& shard = shards_[ShardOfThisThread()];
    MutexLock lock(&shard.mutex);
    return shard.book;
  }

  // A Get() that starts after Set() has returned gets `book` or a later book.
  void Set(std::shared_ptr<const RuleBook> book) {
    Replace(std::move(book));
    std::vector<std::weak_ptr<const Watch>> watches;
    {
      MutexLock lock(&replacing_);
      watches = watches_;
    }
    for (const auto& watch : watches) {
      if (const auto run = watch.lock()) (*run)();
    }
  }

  // Runs `changed` after each later Set(), on the thread of that Set(), as long
  // as the result lives. It may still run while the result is destroyed on
  // another thread. The functions of several calls run in their order.
  [[nodiscard]] std::shared_ptr<const Watch> OnChange(Watch changed) {
    auto watch = std::make_shared<const Watch>(std::move(changed));
    MutexLock lock(&replacing_);
    std::erase_if(watches_, [](const auto& other) { return other.expired(); });
    watches_.emplace_back(watch);
    return watch;
  }

 private:
  struct alignas(kCacheLine) Shard {
    mutable Mutex mutex;
    std::shared_ptr<const RuleBook> book ABSL_GUARDED_BY(mutex);
  };
  // Gives each shard its own reference count, alone on its cache line.
  struct alignas(kCacheLine) Shared {
    std::shared_ptr<const RuleBook> book;
  };

  void Replace(std::shared_ptr<const RuleBook> book) {
    const Shared next{std::move(book)};
    MutexLock replacing(&replacing_);
    for (Shard& shard : shards_) {
      const auto shared = std::make_shared<const Shared>(next);
      std::shared_ptr<const RuleBook> with_own_count(shared, next.book.get());
      MutexLock lock(&shard.mutex);
      shard.book.swap(with_own_count);  // destroys the old book after unlocking
    }
  }

  Mutex replacing_;  // makes all shards end with the same book
  std::vector<Shard> shards_;
  std::vector<std::weak_ptr<const Watch>> watches_ ABSL_GUARDED_BY(replacing_);
};

}  // namespace rls

#endif  // RLS_RULES_RULE_BOOK_H_
