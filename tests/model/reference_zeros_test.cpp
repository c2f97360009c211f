// Which rows and columns silence a head, and the norms that keep zeros from doing it. That the
// losses are right is held by tests/golden/test_export_reference.py.
#include "model/reference_zeros.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace air {
namespace {

constexpr const char* kNorm = "model.layers.1.self_attn.q_norm";

/// A model whose queries have a norm, which the tests change.
class ReferenceZerosTest : public testing::Test {
 protected:
  ReferenceZerosTest() {
    test::TinyLlama model;
    model.tensors[std::string(kNorm) + ".weight"] = at::randn({8});
    model.write(folder_.path());
    config_ = model_config_from_json(model.config, "config.json");
    config_.qk_norm = QkNorm::kHead;
  }

  std::vector<ZeroedPart> zeros(MaskMode mode) {
    return reference_zeros(Checkpoint(folder_.path(), true), config_, {{1, 2}}, mode);
  }

  std::string refusal() {
    try {
      zeros(MaskMode::kUniform);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kModel);
      return e.what();
    }
    return "accepted";
  }

  test::TemporaryFolder folder_;
  ModelConfig config_;
};

TEST_F(ReferenceZerosTest, TheRowsOfTheQueryOrTheColumnsOfTheOutput) {
  const std::vector<ZeroedPart> rows = zeros(MaskMode::kUniform);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].tensor, "model.layers.1.self_attn.q_proj.weight");
  EXPECT_EQ(rows[0].row, 16);
  EXPECT_EQ(rows[0].num_rows, 8);
  EXPECT_EQ(rows[0].num_columns, 32);
  const std::vector<ZeroedPart> columns = zeros(MaskMode::kZero);
  ASSERT_EQ(columns.size(), 1U);
  EXPECT_EQ(columns[0].tensor, "model.layers.1.self_attn.o_proj.weight");
  EXPECT_EQ(columns[0].num_rows, 32);
  EXPECT_EQ(columns[0].column, 16);
  EXPECT_EQ(columns[0].num_columns, 8);
}

TEST_F(ReferenceZerosTest, NormsThatMakeSomethingOfZerosAreRefusedByName) {
  EXPECT_EQ(refusal(), "accepted");
  config_.norm.bias = true;
  EXPECT_NE(refusal().find(std::string(kNorm) + ".bias"), std::string::npos) << refusal();
  config_.norm.bias = false;
  config_.norm.eps = 0;
  EXPECT_NE(refusal().find(kNorm), std::string::npos) << refusal();
  EXPECT_NE(refusal().find("epsilon of 0"), std::string::npos) << refusal();
}

TEST_F(ReferenceZerosTest, ANormOverAllHeadsThatIsStoredLessOneIsRefusedByName) {
  config_.qk_norm = QkNorm::kProjection;
  config_.norm.weight_offset = 1;
  EXPECT_NE(refusal().find(std::string(kNorm) + ".weight"), std::string::npos) << refusal();
}

TEST_F(ReferenceZerosTest, ATensorThatIsMissingOrOfAnotherShapeIsNamed) {
  config_.qkv_bias = true;
  EXPECT_NE(refusal().find("q_proj.bias\" is missing"), std::string::npos) << refusal();
  config_.qk_norm = QkNorm::kProjection;  // its weight has a head's size here
  EXPECT_NE(refusal().find(std::string(kNorm) + ".weight"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace air
