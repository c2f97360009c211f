#include "score/device_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace air {
namespace {

using testing::ElementsAre;

TEST(DeviceListTest, ANumberFollowsTheGpuBeforeIt) {
  EXPECT_THAT(device_list("cuda:0,1,12"), ElementsAre("cuda:0", "cuda:1", "cuda:12"));
  EXPECT_THAT(device_list("cuda:3,cuda:1,0"), ElementsAre("cuda:3", "cuda:1", "cuda:0"));
  EXPECT_THAT(device_list("cpu,cpu"), ElementsAre("cpu", "cpu"));
}

TEST(DeviceListTest, OneWordIsOneDeviceWhateverItIs) {
  for (const char* word : {"auto", "cpu", "cuda", "cuda:1", "tpu", "0", ""})
    EXPECT_THAT(device_list(word), ElementsAre(word));
}

TEST(DeviceListTest, WhatMakesNoSenseIsRefused) {
  for (const char* list : {"0,1", "cpu,0", "cuda:0,cpu", "cpu,cuda:0", "cuda:0,0", "cuda:0,",
                           ",cpu", "auto,cpu", "cuda,cuda", "cuda:x,1", "all,cpu"})
    EXPECT_THROW(device_list(list), Error) << list;
}

}  // namespace
}  // namespace air
