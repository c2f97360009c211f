#include "text/post_processor.h"

#include "text/json_part.h"

namespace air {

namespace {

using json_part::Value;

void append_special(const Value& special_tokens, std::string_view name, std::vector<int32_t>& out,
                    const std::string& where) {
  using namespace json_part;
  const auto it =
      special_tokens.FindMember(Value(name.data(), static_cast<rapidjson::SizeType>(name.size())));
  if (it == special_tokens.MemberEnd() || !it->value.IsObject())
    fail(where, "does not say what \"" + std::string(name) + "\" is");
  for (const Value& id : get_array(it->value, "ids", where).GetArray()) {
    if (!id.IsInt() || id.GetInt() < 0)
      fail(where, "the ids of \"" + std::string(name) + "\" are not token ids");
    out.push_back(id.GetInt());
  }
}

SpecialTokens read_template(const Value& json, const std::string& where) {
  using namespace json_part;
  check_keys(json, {"type", "single", "pair", "special_tokens"}, where);
  const Value& special_tokens = get(json, "special_tokens", where);
  if (!special_tokens.IsObject()) fail(where + ".special_tokens", "must be an object");
  SpecialTokens out;
  bool sequence_seen = false;
  for (const Value& item : get_array(json, "single", where).GetArray()) {
    if (!item.IsObject() || item.MemberCount() != 1)
      fail(where + ".single", "must hold objects of one key");
    const auto& member = *item.MemberBegin();
    const std::string_view kind(member.name.GetString(), member.name.GetStringLength());
    if (!member.value.IsObject()) fail(where + ".single", "must hold objects");
    const std::string_view id = get_string(member.value, "id", where + ".single");
    if (kind == "SpecialToken") {
      append_special(special_tokens, id, sequence_seen ? out.after : out.before, where);
    } else if (kind == "Sequence" && id == "A" && !sequence_seen) {
      sequence_seen = true;
    } else {
      fail(where + ".single",
           "\"" + std::string(kind) + " " + std::string(id) + "\" is not known to air");
    }
  }
  if (!sequence_seen) fail(where + ".single", "has no place for the text");
  return out;
}

/// `["</s>", 2]`.
int32_t named_id(const Value& json, const char* key, const std::string& where) {
  const Value& pair = json_part::get_array(json, key, where);
  if (pair.Size() != 2 || !pair[1].IsInt())
    json_part::fail(where + "." + key, "must be [token, id]");
  return pair[1].GetInt();
}

}  // namespace

SpecialTokens read_post_processor(const Value& json, const std::string& where) {
  using namespace json_part;
  if (json.IsNull()) return {};
  const std::string_view type = type_of(json, where);
  const std::string here = where + " " + std::string(type);
  if (type == "TemplateProcessing") return read_template(json, here);
  if (type == "ByteLevel") {  // trims offsets, if anything: air's offsets keep the space that
                              // belongs to a token
    check_keys(json, {"type", "add_prefix_space", "trim_offsets", "use_regex"}, here);
    return {};
  }
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    check_keys(json, {"type", "sep", "cls", "trim_offsets", "add_prefix_space"}, here);
    return {{named_id(json, "cls", here)}, {named_id(json, "sep", here)}};
  }
  if (type == "Sequence") {
    check_keys(json, {"type", "processors"}, here);
    SpecialTokens out;
    for (const Value& part : get_array(json, "processors", here).GetArray()) {
      const SpecialTokens inner = read_post_processor(part, where);
      out.before.insert(out.before.begin(), inner.before.begin(), inner.before.end());
      out.after.insert(out.after.end(), inner.after.begin(), inner.after.end());
    }
    return out;
  }
  fail(where, "the post-processor \"" + std::string(type) + "\" is not known to air");
}

}  // namespace air
