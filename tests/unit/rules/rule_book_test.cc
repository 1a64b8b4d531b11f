#include "rules/rule_book.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/thread_shard.h"

namespace rls {
namespace {

// A book with one domain. The number is its name.
std::shared_ptr<const RuleBook> BookOf(int number) {
  auto book = std::make_shared<RuleBook>();
  book->loaded = true;
  book->domains[absl::StrCat(number)] = nullptr;
  return book;
}

int NumberOf(const RuleBook& book) {
  int number = 0;
  EXPECT_EQ(book.domains.size(), 1u);
  EXPECT_TRUE(absl::SimpleAtoi(book.domains.begin()->first, &number));
  return number;
}

// Runs `task` on a thread with its own shard, like the threads that serve
// requests.
template <typename Task>
std::thread Serving(Task task) {
  return std::thread([task = std::move(task)] {
    ClaimShard();
    task();
  });
}

TEST(RuleBookHolderTest, StartsWithABookThatIsNotLoaded) {
  const RuleBookHolder holder;
  EXPECT_FALSE(holder.Get()->loaded);
}

TEST(RuleBookHolderTest, EveryThreadGetsTheBookThatWasSet) {
  RuleBookHolder holder;
  const auto book = BookOf(1);
  holder.Set(book);
  EXPECT_EQ(holder.Get().get(), book.get());
  for (size_t i = 0; i < 2 * ShardCount(); ++i) {
    Serving([&] { EXPECT_EQ(holder.Get().get(), book.get()); }).join();
  }
}

TEST(RuleBookHolderTest, AReplacedBookIsDestroyedWithItsLastRequest) {
  RuleBookHolder holder;
  std::weak_ptr<const RuleBook> first;
  {
    const auto book = BookOf(1);
    first = book;
    holder.Set(book);
  }
  std::shared_ptr<const RuleBook> of_request;
  Serving([&] { of_request = holder.Get(); }).join();
  std::shared_ptr<const RuleBook> of_another = holder.Get();
  holder.Set(BookOf(2));
  EXPECT_EQ(NumberOf(*of_request), 1);
  of_request.reset();
  EXPECT_FALSE(first.expired());
  of_another.reset();
  EXPECT_TRUE(first.expired());
}

TEST(RuleBookHolderTest, AnUnusedReplacedBookIsDestroyedAtOnce) {
  RuleBookHolder holder;
  std::weak_ptr<const RuleBook> first;
  {
    const auto book = BookOf(1);
    first = book;
    holder.Set(book);
  }
  // Threads that got the book earlier and are idle now do not keep it.
  std::latch got(2);
  std::latch done(1);
  const auto idle = [&] {
    EXPECT_EQ(NumberOf(*holder.Get()), 1);
    got.count_down();
    done.wait();
  };
  std::thread one = Serving(idle);
  std::thread other = Serving(idle);
  got.wait();
  holder.Set(BookOf(2));
  EXPECT_TRUE(first.expired());
  done.count_down();
  one.join();
  other.join();
}

TEST(RuleBookHolderTest, AWatchIsCalledUntilItIsDestroyed) {
  RuleBookHolder holder;
  std::string calls;
  auto first = holder.OnChange([&] { calls += "a"; });
  const auto second = holder.OnChange([&] { calls += "b"; });
  holder.Set(BookOf(1));
  EXPECT_EQ(calls, "ab");
  first.reset();
  holder.Set(BookOf(2));
  EXPECT_EQ(calls, "abb");
}

// Several threads serve requests while books are replaced. Some requests end on
// another thread.
TEST(RuleBookHolderTest, RequestsGoOnWhileBooksAreReplaced) {
  constexpr int kBooks = 500;
  RuleBookHolder holder;
  holder.Set(BookOf(0));
  std::vector<std::weak_ptr<const RuleBook>> books;
  std::atomic<bool> stop = false;
  Mutex mutex;
  std::deque<std::shared_ptr<const RuleBook>> handed_over;
  const auto serve = [&] {
    int last = 0;
    for (int i = 0; !stop; ++i) {
      std::shared_ptr<const RuleBook> book = holder.Get();
      EXPECT_GE(NumberOf(*book), last);  // never an older book
      last = NumberOf(*book);
      if (i % 3 != 0) continue;
      const MutexLock lock(&mutex);
      handed_over.push_back(std::move(book));
      if (handed_over.size() > 10) handed_over.pop_front();
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 1 + ShardCount(); ++i) {
    threads.push_back(Serving(serve));
  }
  for (int number = 1; number <= kBooks; ++number) {
    const auto book = BookOf(number);
    books.push_back(book);
    holder.Set(book);
    EXPECT_EQ(NumberOf(*holder.Get()), number);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  handed_over.clear();
  for (int number = 1; number < kBooks; ++number) {
    EXPECT_TRUE(books[number - 1].expired()) << number;
  }
  EXPECT_FALSE(books.back().expired());
}

}  // namespace
}  // namespace rls
