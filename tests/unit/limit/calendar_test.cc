#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "limit/judge.h"

namespace rls {
namespace {

absl::TimeZone Zone(const std::string& name) {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone(name, &zone)) << name;
  return zone;
}

absl::Time At(const std::string& rfc3339) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, rfc3339, &time, &error))
      << rfc3339 << ": " << error;
  return time;
}

Policy CalendarPolicy(Calendar calendar, const std::string& zone) {
  return {.calendar = calendar, .limit = 5, .zone = Zone(zone)};
}

// The end of the window of a first charge at `now`.
absl::Time WindowEnd(const Policy& policy, absl::Time now) {
  return now +
         Judge(policy, {}, ChargeKind::kEnforce, 1, now).outcome.reset_after;
}

struct CalendarCase {
  std::string name;
  std::string zone;
  Calendar calendar;
  std::string now;
  std::string end;
};

class CalendarWindowTable : public testing::TestWithParam<CalendarCase> {};

TEST_P(CalendarWindowTable, EndsWhereTheCalendarSays) {
  const CalendarCase& row = GetParam();
  const Policy policy = CalendarPolicy(row.calendar, row.zone);
  EXPECT_EQ(WindowEnd(policy, At(row.now)), At(row.end));
}

TEST_P(CalendarWindowTable, HoldsItsLimitToTheLastNanosecond) {
  const CalendarCase& row = GetParam();
  const Policy policy = CalendarPolicy(row.calendar, row.zone);
  const absl::Time now = At(row.now);
  const absl::Time end = At(row.end);
  const CounterState full =
      Judge(policy, {}, ChargeKind::kEnforce, 5, now).after;
  const Outcome last =
      Judge(policy, full, ChargeKind::kEnforce, 1, end - absl::Nanoseconds(1))
          .outcome;
  EXPECT_FALSE(last.allowed);
  EXPECT_EQ(last.retry_after, absl::Nanoseconds(1));
  EXPECT_TRUE(
      Judge(policy, full, ChargeKind::kEnforce, 5, end).outcome.allowed);
}

std::string CaseName(const testing::TestParamInfo<CalendarCase>& param) {
  return param.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Utc, CalendarWindowTable,
    testing::Values(
        CalendarCase{"Hour", "UTC", Calendar::kHour, "2024-02-29T10:15:00Z",
                     "2024-02-29T11:00:00Z"},
        CalendarCase{"HourAtItsStart", "UTC", Calendar::kHour,
                     "2024-02-29T10:00:00Z", "2024-02-29T11:00:00Z"},
        CalendarCase{"LeapDayFollows", "UTC", Calendar::kDay,
                     "2024-02-28T12:00:00Z", "2024-02-29T00:00:00Z"},
        CalendarCase{"LeapDay", "UTC", Calendar::kDay, "2024-02-29T12:00:00Z",
                     "2024-03-01T00:00:00Z"},
        CalendarCase{"NoLeapDay", "UTC", Calendar::kDay, "2023-02-28T12:00:00Z",
                     "2023-03-01T00:00:00Z"},
        CalendarCase{"NoLeapDayIn2100", "UTC", Calendar::kDay,
                     "2100-02-28T12:00:00Z", "2100-03-01T00:00:00Z"},
        CalendarCase{"LeapDayIn2000", "UTC", Calendar::kDay,
                     "2000-02-28T12:00:00Z", "2000-02-29T00:00:00Z"},
        CalendarCase{"WeekOfTheEpoch", "UTC", Calendar::kWeek,
                     "1970-01-01T00:00:00Z", "1970-01-05T00:00:00Z"},
        CalendarCase{"WeekFromThursday", "UTC", Calendar::kWeek,
                     "2024-02-29T10:00:00Z", "2024-03-04T00:00:00Z"},
        CalendarCase{"WeekFromMonday", "UTC", Calendar::kWeek,
                     "2024-03-04T00:00:00Z", "2024-03-11T00:00:00Z"},
        CalendarCase{"WeekTillSunday", "UTC", Calendar::kWeek,
                     "2024-03-03T23:59:59.999999999Z", "2024-03-04T00:00:00Z"},
        CalendarCase{"WeekOverNewYear", "UTC", Calendar::kWeek,
                     "2024-12-31T00:00:00Z", "2025-01-06T00:00:00Z"},
        CalendarCase{"MonthWithALeapDay", "UTC", Calendar::kMonth,
                     "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
        CalendarCase{"MonthWithoutALeapDay", "UTC", Calendar::kMonth,
                     "2023-02-10T00:00:00Z", "2023-03-01T00:00:00Z"},
        CalendarCase{"MonthOverNewYear", "UTC", Calendar::kMonth,
                     "2024-12-31T23:59:59Z", "2025-01-01T00:00:00Z"},
        CalendarCase{"LeapYear", "UTC", Calendar::kYear, "2024-01-01T00:00:00Z",
                     "2025-01-01T00:00:00Z"},
        CalendarCase{"YearBeforeTheEpoch", "UTC", Calendar::kYear,
                     "1969-06-01T00:00:00Z", "1970-01-01T00:00:00Z"}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Berlin, CalendarWindowTable,
    testing::Values(
        CalendarCase{"WinterDay", "Europe/Berlin", Calendar::kDay,
                     "2024-01-15T12:00:00Z", "2024-01-15T23:00:00Z"},
        CalendarCase{"DayOfTwentyThreeHours", "Europe/Berlin", Calendar::kDay,
                     "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"},
        CalendarCase{"DayOfTwentyFiveHours", "Europe/Berlin", Calendar::kDay,
                     "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"},
        CalendarCase{"HourBeforeTheOneLeftOut", "Europe/Berlin",
                     Calendar::kHour, "2024-03-31T00:30:00Z",
                     "2024-03-31T01:00:00Z"},
        CalendarCase{"HourAfterTheOneLeftOut", "Europe/Berlin", Calendar::kHour,
                     "2024-03-31T01:00:00Z", "2024-03-31T02:00:00Z"},
        CalendarCase{"RepeatedHourIsOneWindowOfTwo", "Europe/Berlin",
                     Calendar::kHour, "2024-10-27T00:00:00Z",
                     "2024-10-27T02:00:00Z"},
        CalendarCase{"RepeatedHourTheSecondTime", "Europe/Berlin",
                     Calendar::kHour, "2024-10-27T01:30:00Z",
                     "2024-10-27T02:00:00Z"},
        CalendarCase{"WeekThatLosesAnHour", "Europe/Berlin", Calendar::kWeek,
                     "2024-03-24T23:00:00Z", "2024-03-31T22:00:00Z"},
        CalendarCase{"WeekThatGainsAnHour", "Europe/Berlin", Calendar::kWeek,
                     "2024-10-20T22:00:00Z", "2024-10-27T23:00:00Z"},
        CalendarCase{"MonthThatLosesAnHour", "Europe/Berlin", Calendar::kMonth,
                     "2024-02-29T23:00:00Z", "2024-03-31T22:00:00Z"},
        CalendarCase{"MonthThatGainsAnHour", "Europe/Berlin", Calendar::kMonth,
                     "2024-09-30T22:00:00Z", "2024-10-31T23:00:00Z"},
        CalendarCase{"Year", "Europe/Berlin", Calendar::kYear,
                     "2023-12-31T23:00:00Z", "2024-12-31T23:00:00Z"}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    StJohns, CalendarWindowTable,
    testing::Values(
        CalendarCase{"HourAtHalfPast", "America/St_Johns", Calendar::kHour,
                     "2024-01-15T12:00:00Z", "2024-01-15T12:30:00Z"},
        CalendarCase{"WinterDay", "America/St_Johns", Calendar::kDay,
                     "2024-01-15T12:00:00Z", "2024-01-16T03:30:00Z"},
        CalendarCase{"SummerDay", "America/St_Johns", Calendar::kDay,
                     "2024-07-01T12:00:00Z", "2024-07-02T02:30:00Z"},
        CalendarCase{"DayOfTwentyThreeHours", "America/St_Johns",
                     Calendar::kDay, "2024-03-10T03:30:00Z",
                     "2024-03-11T02:30:00Z"},
        CalendarCase{"DayOfTwentyFiveHours", "America/St_Johns", Calendar::kDay,
                     "2024-11-03T02:30:00Z", "2024-11-04T03:30:00Z"},
        CalendarCase{"RepeatedHourIsOneWindowOfTwo", "America/St_Johns",
                     Calendar::kHour, "2024-11-03T03:30:00Z",
                     "2024-11-03T05:30:00Z"}),
    CaseName);

struct Days {
  std::string zone;
  std::string from;  // the sweep lasts four days
};

// Odd clock changes: a minute past midnight, at midnight in both directions, by
// half an hour, and a whole day left out.
const Days kOddDays[] = {
    {"Europe/Berlin", "2024-03-29T00:00:00Z"},
    {"Europe/Berlin", "2024-10-25T00:00:00Z"},
    {"America/St_Johns", "2010-03-12T00:00:00Z"},
    {"America/St_Johns", "2010-11-05T00:00:00Z"},
    {"America/Sao_Paulo", "2018-02-16T00:00:00Z"},
    {"America/Sao_Paulo", "2018-11-02T00:00:00Z"},
    {"America/Havana", "2024-03-08T00:00:00Z"},
    {"America/Havana", "2024-11-01T00:00:00Z"},
    {"Australia/Lord_Howe", "2024-04-05T00:00:00Z"},
    {"Australia/Lord_Howe", "2024-10-04T00:00:00Z"},
    {"Pacific/Apia", "2011-12-28T00:00:00Z"},
    {"Asia/Kathmandu", "1985-12-30T00:00:00Z"},
    {"Africa/Monrovia", "1972-01-05T00:00:00Z"},
};

// Windows never overlap and leave no gap: each window begins where the previous
// one ended.
TEST(CalendarWindowSweep, WindowsFollowEachOtherWithoutGapOrOverlap) {
  for (const Days& days : kOddDays) {
    for (const Calendar calendar :
         {Calendar::kHour, Calendar::kDay, Calendar::kWeek, Calendar::kMonth,
          Calendar::kYear}) {
      const Policy policy = CalendarPolicy(calendar, days.zone);
      absl::Time now = At(days.from);
      absl::Time end = WindowEnd(policy, now);
      for (int step = 0; step < 4 * 24 * 60; ++step) {
        now += absl::Minutes(1);
        const absl::Time next = WindowEnd(policy, now);
        ASSERT_GT(next, now) << days.zone << " " << now;
        if (now < end) {
          ASSERT_EQ(next, end) << days.zone << " " << now;
        }
        end = next;
      }
    }
  }
}

TEST(CalendarWindowSweep, ALimitHoldsFromOneMidnightToTheNext) {
  for (const Days& days : kOddDays) {
    const Policy policy = CalendarPolicy(Calendar::kDay, days.zone);
    const absl::Time from = At(days.from);
    CounterState state;
    int64_t admitted = 0;
    for (int minute = 0; minute < 4 * 24 * 60; ++minute) {
      const Transition transition = Judge(policy, state, ChargeKind::kEnforce,
                                          1, from + absl::Minutes(minute));
      state = transition.after;
      admitted += transition.outcome.allowed ? 1 : 0;
    }
    // A sweep of four days touches at most five calendar days.
    EXPECT_LE(admitted, 5 * 5) << days.zone;
    EXPECT_GE(admitted, 4 * 5) << days.zone;
  }
}

TEST(CalendarWindow, UnusedUnitsOfAMonthOfAnyLengthAreBanked) {
  Policy policy = CalendarPolicy(Calendar::kMonth, "Europe/Berlin");
  policy.burst = 2;
  const CounterState january =
      Judge(policy, {}, ChargeKind::kEnforce, 1, At("2024-01-31T12:00:00Z"))
          .after;
  const auto remaining = [&](const std::string& at) {
    return Judge(policy, january, ChargeKind::kPeek, 0, At(at))
        .outcome.remaining;
  };
  EXPECT_EQ(remaining("2024-01-31T22:59:59Z"), 4);
  EXPECT_EQ(remaining("2024-01-31T23:00:00Z"), 7);
  // By November nine months were idle, by December ten.
  EXPECT_EQ(remaining("2024-11-30T22:59:59Z"), 7);
  EXPECT_EQ(remaining("2024-11-30T23:00:00Z"), 5);
}

TEST(CalendarWindow, TheWindowLengthIsNotRead) {
  Policy policy = CalendarPolicy(Calendar::kDay, "UTC");
  policy.window = absl::Seconds(1);
  EXPECT_EQ(WindowEnd(policy, At("2024-05-05T01:00:00Z")),
            At("2024-05-06T00:00:00Z"));
}

}  // namespace
}  // namespace rls
