#include "admin/slow_page.h"

#include <gtest/gtest.h>

#include "unit/http/test_exchange.h"

namespace rls {
namespace {

TEST(SlowPageTest, OneTextAnswersAllRequestsThatWait) {
  const std::unique_ptr<EventLoop> worker = NewEventLoop();
  int made = 0;
  SlowPage page(*worker, "text/plain",
                [&made] { return absl::StrCat("text ", ++made); });
  TestExchange exchanges[4];
  for (int i = 0; i < 3; ++i) page.Answer(HttpReply(exchanges[i]));
  EXPECT_EQ(made, 0);
  worker->Stop();
  worker->Run();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(exchanges[i].body, "text 1");
  page.Answer(HttpReply(exchanges[3]));
  worker->Stop();
  worker->Run();
  EXPECT_EQ(exchanges[3].body, "text 2");
}

}  // namespace
}  // namespace rls
