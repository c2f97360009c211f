// Every way in which a safetensors file can lie (the attacks of the format's own list) is refused
// by name.
#include "model/safetensors.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace air {
namespace {

using test::TemporaryFolder;

std::string file_of(const std::string& header, size_t data_size) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header +
         std::string(data_size, '\0');
}

std::string refusal(const std::string& bytes) {
  const TemporaryFolder folder;
  const auto path = folder.write("model.safetensors", bytes);
  try {
    SafetensorsFile file(path);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kModel);
    EXPECT_EQ(e.where(), path.string());
    return e.what();
  }
  return "accepted";
}

TEST(SafetensorsFileTest, ReadsWhatItWasGiven) {
  const TemporaryFolder folder;
  const at::Tensor a = at::arange(6, at::TensorOptions().dtype(at::kFloat)).view({2, 3});
  const auto path = folder.write("x.safetensors",
                                 test::safetensors_bytes({{"a", a}, {"empty", a.narrow(0, 0, 0)}}));
  const SafetensorsFile file(path);
  EXPECT_TRUE(file.tensor("a").equal(a));
  EXPECT_EQ(file.tensor("empty").sizes(), at::IntArrayRef({0, 3}));
}

TEST(SafetensorsFileTest, CopiesDataThatLieAtAnOddByte) {
  const std::string header =
      R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  const TemporaryFolder folder;
  const SafetensorsFile file(folder.write("x.safetensors", file_of(header, 5)));
  EXPECT_EQ(file.tensor("a").item<float>(), 0.0F);
}

TEST(SafetensorsFileTest, RefusesFilesThatAreNone) {
  EXPECT_NE(refusal("").find("too short"), std::string::npos);
  EXPECT_NE(refusal("<html>not found</html>").find("not a safetensors file"), std::string::npos);
  EXPECT_NE(refusal(file_of("[]", 0)).find("does not begin with {"), std::string::npos);
  EXPECT_NE(refusal(file_of("{\"a\":", 0)).find("not valid JSON"), std::string::npos);
  EXPECT_NE(refusal(file_of(R"({"a":"\xff"})", 0)).find("not valid JSON"), std::string::npos);
}

TEST(SafetensorsFileTest, RefusesAHeaderLongerThanTheFile) {
  std::string bytes = file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  EXPECT_NE(refusal(bytes.substr(0, 30)).find("longer than the file"), std::string::npos);
}

TEST(SafetensorsFileTest, RefusesATruncatedFile) {
  std::string bytes = file_of(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 16);
  EXPECT_EQ(refusal(bytes), "accepted");
  EXPECT_NE(refusal(bytes.substr(0, bytes.size() - 1)).find("truncated"), std::string::npos);
}

TEST(SafetensorsFileTest, RefusesBytesBehindTheLastTensor) {
  EXPECT_NE(refusal(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5))
                .find("after the last"),
            std::string::npos);
}

TEST(SafetensorsFileTest, RefusesOverlapsAndHoles) {
  const auto two = [](const char* b) {
    return file_of(
        std::string(
            R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":)") +
            b + "}}",
        20);
  };
  EXPECT_NE(refusal(two("[4,12]")).find("overlap"), std::string::npos);
  EXPECT_NE(refusal(two("[12,20]")).find("hole"), std::string::npos);
}

TEST(SafetensorsFileTest, RefusesShapesThatDoNotFitTheirBytes) {
  const auto one = [](const char* rest) {
    return file_of(std::string(R"({"a":{)") + rest + "}}", 4);
  };
  EXPECT_NE(refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])")).find("needs 8 bytes"),
            std::string::npos);
  EXPECT_NE(refusal(one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])"))
                .find("overflows"),
            std::string::npos);
  EXPECT_NE(refusal(one(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])")).find("not a length"),
            std::string::npos);
  EXPECT_NE(
      refusal(one(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])")).find("not a length"),
      std::string::npos);
  EXPECT_NE(refusal(one(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])")).find("not a range"),
            std::string::npos);
  EXPECT_NE(refusal(one(R"("dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615])"))
                .find("outside"),
            std::string::npos);
  EXPECT_NE(refusal(one(R"("dtype":"F33","shape":[1],"data_offsets":[0,4])"))
                .find("unknown dtype \"F33\""),
            std::string::npos);
  EXPECT_NE(refusal(one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1)"))
                .find("unknown key \"x\""),
            std::string::npos);
  EXPECT_NE(refusal(one(R"("dtype":"F32","shape":[1])")).find("data_offsets"), std::string::npos);
}

TEST(SafetensorsFileTest, RefusesANameThatAppearsTwice) {
  const std::string entry = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_NE(refusal(file_of("{" + entry + "," + entry + "}", 4)).find("\"a\" twice"),
            std::string::npos);
}

TEST(SafetensorsFileTest, RefusesMetadataThatAreNotStrings) {
  EXPECT_NE(refusal(file_of(R"({"__metadata__":{"format":1}})", 0)).find("__metadata__"),
            std::string::npos);
  EXPECT_EQ(refusal(file_of(R"({"__metadata__":{"format":"pt"}})", 0)), "accepted");
}

}  // namespace
}  // namespace air
