// Any bytes as a chat template: it is refused, or it renders conversations within its limits, or
// refuses them.
#include "base/error.h"
#include "fuzz/fuzz_target.h"
#include "text/jinja/template.h"

namespace {

using air::jinja::Value;

Value dict(std::initializer_list<std::pair<const char*, Value>> entries) {
  air::jinja::Budget budget{air::jinja::Limits()};
  auto out = std::make_shared<air::jinja::Dict>();
  for (const auto& [name, value] : entries) out->set(budget, Value::text(name), value);
  return Value::of(Value::Kind::kDict, out);
}

Value message(const char* role, const char* content) {
  return dict({{"role", Value::text(role)}, {"content", Value::text(content)}});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace air;
  const Value call =
      dict({{"function",
             dict({{"name", Value::text("mul")},
                   {"arguments", dict({{"a", Value::integer(4)}, {"b", Value::number(1.5)}})}})}});
  const Value with_call = dict({{"role", Value::text("assistant")},
                                {"content", Value::none()},
                                {"tool_calls", Value::list({call})}});
  const jinja::Template::Variables variables{
      {"messages", Value::list({message("system", ""), message("user", "q\u00a0é"), with_call,
                                message("tool", "<think>\nx</think>\n\na"), message("user", "r")})},
      {"tools", Value::list({call})},
      {"bos_token", Value::text("<s>")},
      {"add_generation_prompt", Value::boolean(true)}};
  try {
    const jinja::Template compiled(std::string_view(reinterpret_cast<const char*>(data), size),
                                   "template", ErrorKind::kModel);
    const jinja::Limits limits{.steps = 20'000, .bytes = 1 << 22};
    const std::string text = compiled.render(variables, {}, limits);
    FUZZ_CHECK(text.size() <= limits.bytes);
    FUZZ_CHECK(compiled.render(variables, {}, limits) == text);
  } catch (const Error& e) {
    FUZZ_CHECK(e.kind() == ErrorKind::kModel || e.kind() == ErrorKind::kInput);
  }
  return 0;
}
