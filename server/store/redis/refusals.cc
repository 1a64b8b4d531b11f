#include "store/redis/refusals.h"

#include <utility>

namespace rls {

void Refusals::SetError(const Pipeline* from, std::string error) {
  const MutexLock lock(&mutex_);
  Refusal& refusal = refusals_[from];
  refusal.error = std::move(error);
  refusal.error_at = clock_.Elapsed();
}

void Refusals::ClearError(const Pipeline* from) {
  const MutexLock lock(&mutex_);
  const auto it = refusals_.find(from);
  if (it != refusals_.end()) it->second.error.clear();
}

void Refusals::SetMissingRights(const Pipeline* from, std::string error) {
  const MutexLock lock(&mutex_);
  refusals_[from].missing_rights = std::move(error);
}

void Refusals::SetBroken(const Pipeline* from, std::string error) {
  const MutexLock lock(&mutex_);
  refusals_[from].broken = std::move(error);
}

void Refusals::Forget(const Pipeline* from) {
  const MutexLock lock(&mutex_);
  refusals_.erase(from);
}

std::string Refusals::Current() const {
  const MutexLock lock(&mutex_);
  for (const auto& [from, refusal] : refusals_) {
    if (!refusal.missing_rights.empty()) return refusal.missing_rights;
    if (!refusal.error.empty() &&
        clock_.Elapsed() - refusal.error_at <= kErrorAge) {
      return refusal.error;
    }
  }
  return "";
}

std::string Refusals::Broken() const {
  const MutexLock lock(&mutex_);
  for (const auto& [from, refusal] : refusals_) {
    if (!refusal.broken.empty()) return refusal.broken;
  }
  return "";
}

}  // namespace rls
