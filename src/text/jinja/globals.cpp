#include <ctime>
#include <map>

#include "text/jinja/library.h"
#include "text/jinja/operators.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

struct GlobalFunction : Function {
  Value (*function)(Runtime& runtime, Arguments& arguments) = nullptr;
  Value call(Runtime& runtime, Arguments& arguments) override {
    return function(runtime, arguments);
  }
};

Value range(Runtime&, Arguments& arguments) {
  constexpr int64_t kMaxRange = 100'000;  // jinja2's sandbox
  if (!arguments.named.empty()) throw RenderError("range() takes no keyword arguments");
  const Parameters parameters("range", arguments, {"start", "stop", "step"}, 1);
  auto out = std::make_shared<Range>();
  if (arguments.positional.size() > 1) out->start = parameters.integer(0, 0);
  out->stop = parameters.integer(arguments.positional.size() > 1 ? 1 : 0, 0);
  out->step = parameters.integer(2, 1);
  if (out->step == 0) throw RenderError("range() arg 3 must not be zero");
  const __int128 gap = static_cast<__int128>(out->stop) - out->start, step = out->step;
  const __int128 size = step > 0 ? (gap + step - 1) / step : (-gap - step - 1) / -step;
  if (size > kMaxRange)
    throw RenderError("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  out->size = (step > 0 ? gap > 0 : gap < 0) ? static_cast<int64_t>(size) : 0;
  return Value::of(Kind::kRange, std::move(out));
}

/// dict(…): of a mapping or of pairs, and of keywords.
std::shared_ptr<Dict> make_dict(Runtime& runtime, const Arguments& arguments) {
  auto out = std::make_shared<Dict>();
  if (arguments.positional.size() > 1) throw RenderError("dict expected at most 1 argument");
  for (const Value& source : arguments.positional) {
    if (source.is_undefined()) fail_undefined(source);
    if (source.is(Kind::kDict)) {
      for (const auto& [key, value] : source.as<Dict>().entries()) out->set(runtime, key, value);
      continue;
    }
    for (const Value& item : to_vector(runtime, source)) {
      const std::vector<Value> pair = to_vector(runtime, item);
      if (pair.size() != 2) throw RenderError("dict() needs pairs");
      out->set(runtime, pair[0], pair[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) out->set(runtime, Value::text(name), value);
  return out;
}

Value dict(Runtime& runtime, Arguments& arguments) {
  return runtime.dict(make_dict(runtime, arguments));
}

Value make_namespace(Runtime& runtime, Arguments& arguments) {
  auto out = std::make_shared<Namespace>();
  const std::shared_ptr<Dict> attributes = make_dict(runtime, arguments);
  for (const auto& [key, value] : attributes->entries()) {
    if (!key.is_string()) throw RenderError("air needs strings as names in a namespace");
    if (key.as_text().starts_with('_'))
      throw RenderError(
          "Chat templates cannot store underscore-prefixed attributes on a namespace");
    out->set(key.as_text(), value);
  }
  runtime.keep(out);
  return Value::of(Kind::kNamespace, std::move(out));
}

Value raise_exception(Runtime& runtime, Arguments& arguments) {
  const Parameters parameters("raise_exception", arguments, {"message"}, 1);
  throw RenderError(to_text(runtime, parameters.get(0)), true);
}

Value strftime_now(Runtime& runtime, Arguments& arguments) {
  const Parameters parameters("strftime_now", arguments, {"format"}, 1);
  const std::string format = parameters.text(0, "");
  std::string out(format.size() * 32 + 64, '\0');
  runtime.charge(out.size());
  const std::string ended = format + " ";  // so that an empty result is not taken for a failure
  const size_t size = std::strftime(out.data(), out.size(), ended.c_str(), &runtime.date());
  if (size == 0) throw RenderError("strftime_now() got a format that makes too much text");
  out.resize(size - 1);
  return Value::text(std::move(out));
}

template <const char* kName>
Value not_known(Runtime&, Arguments&) {
  throw RenderError(std::string("air does not know jinja2's function '") + kName + "'");
}
constexpr char kCycler[] = "cycler", kJoiner[] = "joiner", kLipsum[] = "lipsum";

Value made(const char* name, Value (*function)(Runtime&, Arguments&)) {
  auto out = std::make_shared<GlobalFunction>();
  out->name = name;
  out->function = function;
  return Value::of(Kind::kFunction, std::move(out));
}

}  // namespace

Value find_global(std::string_view name) {
  static const std::map<std::string_view, Value> kGlobals{
      {"cycler", made("cycler", not_known<kCycler>)},
      {"dict", made("dict", dict)},
      {"joiner", made("joiner", not_known<kJoiner>)},
      {"lipsum", made("lipsum", not_known<kLipsum>)},
      {"namespace", made("namespace", make_namespace)},
      {"raise_exception", made("raise_exception", raise_exception)},
      {"range", made("range", range)},
      {"strftime_now", made("strftime_now", strftime_now)},
  };
  const auto it = kGlobals.find(name);
  return it == kGlobals.end() ? Value() : it->second;
}

}  // namespace air::jinja
