#ifndef RLS_RULES_RULE_BOOK_H_
#define RLS_RULES_RULE_BOOK_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/thread_part.h"
#include "rules/domain.h"

namespace rls {

// All domains of one load of the configuration. Immutable once published.
struct RuleBook {
  absl::flat_hash_map<std::string, std::shared_ptr<const Domain>> domains;
  // False until a configuration has been loaded: then every request fails with
  // FAILED_PRECONDITION rather than passing as an unknown domain.
  bool loaded = false;

  const Domain* Find(absl::string_view name) const {
    const auto it = domains.find(name);
    return it == domains.end() ? nullptr : it->second.get();
  }
};

// The current rule book. A reader keeps the snapshot it got for as long as its
// request lasts; a reload never stops a request.
//
// Each thread part (base/thread_part.h) has a lock and a reference count of its
// own, so that a request writes to no cache line that other cores write to. A
// book that was replaced is gone when the last request that got it has ended.
//
// Threads: Get() and Set() may be called by many threads at once.
class RuleBookHolder {
 public:
  RuleBookHolder() : parts_(PartCount()) {
    Replace(std::make_shared<const RuleBook>());
  }
  RuleBookHolder(const RuleBookHolder&) = delete;
  RuleBookHolder& operator=(const RuleBookHolder&) = delete;

  std::shared_ptr<const RuleBook> Get() const {
    const Part& part = parts_[PartOfThisThread()];
    MutexLock lock(&part.mutex);
    return part.book;
  }

  // Every Get() that begins after it has returned gets `book` or a later one.
  void Set(std::shared_ptr<const RuleBook> book) {
    Replace(std::move(book));
    if (changed_) changed_();
  }

  // Runs `changed` after each later Set(), on its thread. To be called once,
  // before another thread may call Set().
  void OnChange(std::function<void()> changed) {
    changed_ = std::move(changed);
  }

 private:
  struct alignas(kCacheLine) Part {
    mutable Mutex mutex;
    std::shared_ptr<const RuleBook> book ABSL_GUARDED_BY(mutex);
  };
  // What a count of references is for; aligned, so that it has a line alone.
  struct alignas(kCacheLine) Shared {
    std::shared_ptr<const RuleBook> book;
  };

  void Replace(std::shared_ptr<const RuleBook> book) {
    const Shared next{std::move(book)};
    MutexLock replacing(&replacing_);
    for (Part& part : parts_) {
      const auto shared = std::make_shared<const Shared>(next);
      std::shared_ptr<const RuleBook> with_own_count(shared, next.book.get());
      MutexLock lock(&part.mutex);
      part.book.swap(with_own_count);  // the old one goes after the lock
    }
  }

  Mutex replacing_;  // so that all parts end with the same book
  std::vector<Part> parts_;
  std::function<void()> changed_;
};

}  // namespace rls

#endif  // RLS_RULES_RULE_BOOK_H_
