#ifndef RLS_RULES_RULE_BOOK_H_
#define RLS_RULES_RULE_BOOK_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
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
// Threads: Get() and Set() may be called by many threads at once.
class RuleBookHolder {
 public:
  RuleBookHolder() : book_(std::make_shared<const RuleBook>()) {}
  RuleBookHolder(const RuleBookHolder&) = delete;
  RuleBookHolder& operator=(const RuleBookHolder&) = delete;

  std::shared_ptr<const RuleBook> Get() const {
    ReaderMutexLock lock(&mutex_);
    return book_;
  }

  void Set(std::shared_ptr<const RuleBook> book) {
    {
      MutexLock lock(&mutex_);
      book_.swap(book);  // the old one is released after the lock
    }
    if (changed_) changed_();
  }

  // Runs `changed` after each later Set(), on its thread. To be called once,
  // before another thread may call Set().
  void OnChange(std::function<void()> changed) {
    changed_ = std::move(changed);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const RuleBook> book_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> changed_;
};

}  // namespace rls

#endif  // RLS_RULES_RULE_BOOK_H_
