// Post-processors of a tokenizer.json: the special tokens around a text.
#pragma once

#include <rapidjson/fwd.h>

#include <cstdint>
#include <string>
#include <vector>

namespace air {

/// Tokens that are put before and after a single text, such as BOS and EOS.
struct SpecialTokens {
  std::vector<int32_t> before;
  std::vector<int32_t> after;
};

/// Reads the `post_processor` part; null JSON adds none. Known: TemplateProcessing, ByteLevel
/// (which changes no ids), BertProcessing, RobertaProcessing, Sequence. @throws Error(kModel) that
/// names another type or key.
SpecialTokens read_post_processor(const rapidjson::Value& json, const std::string& where);

}  // namespace air
