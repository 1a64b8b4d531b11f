#ifndef RLS_TESTS_UNIT_LIMIT_TABLE_H_
#define RLS_TESTS_UNIT_LIMIT_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"

// Histories of one counter as tables: time, cost and expected outcome.

namespace rls {
inline constexpr absl::Duration kNever = absl::InfiniteDuration();

// A whole hour, so a window of a minute begins here.
inline const absl::Time kStart = absl::FromUnixSeconds(1'700'002'800);

struct Row {
  ChargeKind kind = ChargeKind::kEnforce;
  absl::Duration at;  // since kStart
  int64_t cost = 0;
  bool allowed = true;
  int64_t remaining = 0;
  absl::Duration reset;
  absl::Duration retry;
};

inline Row Ok(absl::Duration at, int64_t cost, int64_t remaining,
              absl::Duration reset) {
  return {ChargeKind::kEnforce, at, cost, true, remaining, reset, {}};
}

inline Row Report(absl::Duration at, int64_t cost, int64_t remaining,
                  absl::Duration reset) {
  return {ChargeKind::kReport, at, cost, true, remaining, reset, {}};
}

inline Row Peek(absl::Duration at, int64_t remaining, absl::Duration reset) {
  return {ChargeKind::kPeek, at, 1, true, remaining, reset, {}};
}

struct Waits {
  absl::Duration reset;
  absl::Duration retry;
};

inline Row Over(absl::Duration at, int64_t cost, int64_t remaining,
                Waits waits) {
  return {ChargeKind::kEnforce, at,         cost, false, remaining,
          waits.reset,          waits.retry};
}

// One counter. A test changes `policy` between tables to simulate a reload.
class LimitTableTest : public testing::Test {
 protected:
  void Play(const std::vector<Row>& rows) {
    for (size_t i = 0; i < rows.size(); ++i) {
      const Row& row = rows[i];
      SCOPED_TRACE("row " + std::to_string(i) + " at " +
                   absl::FormatDuration(row.at));
      const Transition transition =
          Judge(policy_, state_, row.kind, row.cost, kStart + row.at);
      EXPECT_EQ(transition.outcome.allowed, row.allowed);
      EXPECT_EQ(transition.outcome.remaining, row.remaining);
      EXPECT_EQ(transition.outcome.reset_after, row.reset);
      EXPECT_EQ(transition.outcome.retry_after, row.retry);
      state_ = transition.after;
    }
  }

  Policy policy_;
  CounterState state_;
};

}  // namespace rls

#endif  // RLS_TESTS_UNIT_LIMIT_TABLE_H_
