#include "base/worker_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "base/interrupt.h"

namespace air {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> all_lines(WorkerProcess& worker) {
  std::vector<std::string> lines;
  while (worker.fd() >= 0)
    for (const std::string& line : worker.read_lines()) lines.push_back(line);
  return lines;
}

TEST(WorkerProcessTest, ItsLinesComeWholeAndInOrder) {
  const std::string known = "what this process knows";
  const std::string large(300'000, 'x');  // more than a pipe holds
  WorkerProcess worker("a", [&](const SendLine& send) {
    send(known);
    send("");
    send(large);
    return 0;
  });
  EXPECT_EQ(worker.name(), "a");
  EXPECT_THAT(all_lines(worker), ElementsAre(known, "", large));
  EXPECT_EQ(worker.wait(), "");
}

TEST(WorkerProcessTest, ASignalThatKillsItIsNamed) {
  WorkerProcess worker("a", [](const SendLine& send) {
    send("before");
    ::raise(SIGKILL);
    return 0;
  });
  EXPECT_THAT(all_lines(worker), ElementsAre("before"));
  EXPECT_THAT(worker.wait(), HasSubstr("killed by signal 9"));
}

TEST(WorkerProcessTest, StoppingReachesItOnceAndCtrlCNever) {
  WorkerProcess worker("a", [](const SendLine& send) {
    watch_interrupts(/*keyboard=*/false);
    ::raise(SIGINT);
    send(interrupt_requested() ? "interrupted" : "ready");
    while (!interrupt_requested()) ::usleep(1000);
    send("stopped");
    ::usleep(50'000);  // a second signal would kill it here
    send("done");
    return 0;
  });
  while (worker.fd() >= 0 && worker.read_lines() != std::vector<std::string>{"ready"}) {
  }
  worker.stop();
  worker.stop();
  EXPECT_THAT(all_lines(worker), ElementsAre("stopped", "done"));
}

TEST(WorkerProcessTest, OneThatWasAskedToEndIsNotAFailure) {
  WorkerProcess worker("a", [](const SendLine& send) {
    send("ready");
    ::pause();
    return 0;
  });
  while (worker.read_lines().empty()) {
  }
  worker.stop();
  EXPECT_EQ(worker.wait(), "");
}

}  // namespace
}  // namespace air
