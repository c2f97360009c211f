#include "score/run_identity.h"

#include <c10/core/DeviceType.h>
#include <xxhash.h>

#include <algorithm>
#include <string>

#include "base/byte_source.h"
#include "base/mapped_file.h"
#include "base/strings.h"
#include "cli/version.h"
#include "model/device.h"
#include "scored/manifest.h"

namespace air {

namespace {

constexpr size_t kIdentitySample = 1 << 16;

/// Which file an input was: name, size and a hash of its first and last bytes.
Json input_identity(const std::string& path) {
  if (is_read_once(path)) return path;
  const MappedFile file(path, ErrorKind::kInput);
  const std::string_view bytes = file.view();
  const std::string sample =
      std::string(bytes.substr(0, kIdentitySample)) +
      std::string(bytes.substr(bytes.size() - std::min(bytes.size(), kIdentitySample)));
  return {{"path", path},
          {"bytes", bytes.size()},
          {"hash", hex16(XXH3_64bits(sample.data(), sample.size()))}};
}

std::string heads_text(const HeadSet& heads) {
  return heads.empty() ? "none" : join(heads, ",", [](Head head) { return to_string(head); });
}

}  // namespace

Json run_identity(const ScoreFlags& flags, const ScoreOptions& options, const CausalLM& model,
                  const HeadSet& heads) {
  Json inputs = Json::array();
  for (const std::string& path : options.source.inputs) inputs.push_back(input_identity(path));
  const RecordFields& fields = options.source.fields;
  return {{"air_version", build_identity()},
          {"model", flags.shared.model},
          {"adapter", flags.shared.adapter},
          {"ignored_config_keys", flags.shared.ignore_config_keys},
          {"model_type", model.config().model_type},
          {"fingerprint", model.fingerprint()},
          // Which of several GPUs of a kind it is does not matter.
          {"device", c10::DeviceTypeName(model.device().type(), /*lower_case=*/true)},
          {"dtype", dtype_name(model.dtype())},
          {manifest_key::kHeads, heads_text(heads)},
          {"mask", flags.mask},
          {"controls", flags.controls},
          {"seed", flags.shared.seed},
          {"inputs", inputs},
          {"limit", flags.records.limit ? Json(*flags.records.limit) : Json()},
          {"sample", flags.records.sample ? Json(*flags.records.sample) : Json()},
          {manifest_key::kShard, options.source.shard.text()},
          {"shard_by", flags.shard_by},
          {manifest_key::kFields,
           {{"prompt", fields.prompt},
            {"response", fields.response},
            {"messages", fields.messages},
            {"id", fields.id},
            {"reasoning", fields.reasoning},
            {"system", fields.system}}},
          {manifest_key::kChatTemplate, options.source.trace.chat_template.identity()},
          {"steps", flags.records.steps},
          {"min_step_tokens", flags.records.min_step_tokens},
          {"max_steps", flags.records.max_steps},
          {manifest_key::kTurns, fields.turns},
          {manifest_key::kInfluence, flags.influence},
          {"loss_floor", flags.loss_floor},
          {"step_weights",
           {{"kind", flags.step_weights},
            {"shrinkage", flags.weighting.shrinkage},
            {"temperature", flags.weighting.temperature},
            {"slope", flags.weighting.slope},
            {"top_share", flags.weighting.top_share},
            {"high", flags.weighting.high},
            {"low", flags.weighting.low}}},
          {"exclude_copies", flags.exclude_copies},
          {"token_losses", flags.token_losses},
          {"max_length", options.source.max_length},
          {"overlong", flags.records.overlong},
          {"max_batch_tokens", options.max_batch_tokens},
          {"prompt_sharing", !flags.no_prompt_sharing}};
}

}  // namespace air
