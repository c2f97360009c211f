// Any bytes as a config.json: a model's shape, of which sizes, costs and heads can be computed, or
// an Error(kModel).
#include "base/error.h"
#include "base/json.h"
#include "fuzz/fuzz_target.h"
#include "model/flops.h"
#include "model/memory_plan.h"
#include "model/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace air;
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Json json = parse_json(text, "config.json", ErrorKind::kModel);
    const ModelConfig config = model_config_from_json(json, "config.json");
    FUZZ_CHECK(config.num_hidden_layers == static_cast<int64_t>(config.layers.size()));
    FUZZ_CHECK(config.head_grid().num_layers() == config.num_hidden_layers);
    FUZZ_CHECK(!to_json(config).dump().empty());
    const PassMemory memory = pass_memory(config, 2, at::kCPU, at::kFloat);
    FUZZ_CHECK(memory.per_token > 0 && memory.fixed >= 0);
  } catch (const Error& e) {
    FUZZ_CHECK(e.kind() == ErrorKind::kModel);
  }
  return 0;
}
