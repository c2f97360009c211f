#include "scored/scored_numbers.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "scored/scored_line.h"

namespace air {

namespace {

struct TraceNumber {
  std::string_view name;
  std::optional<double> ScoredNumbers::*number;
};

constexpr std::array<TraceNumber, 14> kTraceNumbers{{
    {"line", &ScoredNumbers::line},
    {"trace", &ScoredNumbers::trace},
    {"rank", &ScoredNumbers::rank},
    {"influence", &ScoredNumbers::influence},
    {"divergence", &ScoredNumbers::divergence},
    {"base_nll", &ScoredNumbers::base_nll},
    {"ref_nll", &ScoredNumbers::ref_nll},
    {"entropy", &ScoredNumbers::entropy},
    {"controlled", &ScoredNumbers::controlled},
    {"num_tokens", &ScoredNumbers::num_tokens},
    {"num_prompt_tokens", &ScoredNumbers::num_prompt_tokens},
    {"num_steps", &ScoredNumbers::num_steps},
    {"num_excluded", &ScoredNumbers::num_excluded},
    {"repetition", &ScoredNumbers::repetition},
}};

// The numbers of a step, all of which must be there.
enum StepNumber { kBegin, kEnd, kNumTokens, kBaseNll, kRefNll, kEntropy, kInfluence, kWeight };
constexpr std::array<std::string_view, 8> kStepNumbers{
    "begin", "end", "num_tokens", "base_nll", "ref_nll", "entropy", "influence", "weight"};

// Losses are far below, and so are their ratios (--loss-floor): up to it float32 holds every
// number, and sums of squares stay finite.
constexpr double kMaxNumber = 1e30;
constexpr double kMaxInteger = 9e15;  // exact in a double
constexpr double kMaxTokens = std::numeric_limits<int32_t>::max();

bool is_count_of_tokens(std::string_view name) {
  return name == "num_tokens" || name == "num_prompt_tokens";
}

int64_t whole(double number, std::string_view name) {
  if (number != std::floor(number) || std::abs(number) > kMaxInteger)
    throw Error(ErrorKind::kInput, "", "the score \"" + std::string(name) + "\" is not an integer");
  if (is_count_of_tokens(name) && (number < 0 || number > kMaxTokens))
    throw Error(ErrorKind::kInput, "",
                "the score \"" + std::string(name) + "\" is not a number of tokens");
  return static_cast<int64_t>(number);
}

/// What writes a number that may be missing.
const char* hint_for(std::string_view name) {
  if (name == "controlled") return "air score --controls N writes it";
  if (name == "num_excluded") return "air score --exclude-copies N writes it";
  if (name == "repetition") return "this version of air score writes it: score the traces again";
  return "";
}

/// What RapidJSON calls while it reads an `air` object.
class AirHandler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, AirHandler> {
 public:
  AirHandler(ScoredNumbers& numbers, StepsRead steps)
      : numbers_(numbers), wants_steps_(steps == StepsRead::kYes) {}

  std::string schema;
  bool has_steps = false;

  bool StartObject() {
    expect_no_number();
    ++depth_;
    if (is_in_step()) step_.fill(std::nullopt);
    return true;
  }
  bool EndObject(rapidjson::SizeType) {
    if (is_in_step()) finish_step();
    --depth_;
    return true;
  }
  bool StartArray() {
    expect_no_number();
    if (depth_ == 1 && key_ == "steps") has_steps = true;
    ++depth_;
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    --depth_;
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    const std::string_view name(text, size);
    target_ = nullptr;
    if (depth_ == 1) {
      key_ = name;
      for (const TraceNumber& known : kTraceNumbers)
        if (known.name == name) set_target(numbers_.*known.number, known.name);
    } else if (is_in_step()) {
      for (size_t i = 0; i < kStepNumbers.size(); ++i)
        if (kStepNumbers[i] == name && (wants_steps_ || i == kEnd))
          set_target(step_[i], kStepNumbers[i]);
    }
    return true;
  }
  /// Programs that keep records in tables write null for what a record does not have.
  bool Null() { return true; }
  bool Bool(bool value) {
    expect_no_number();
    if (depth_ == 1 && key_ == "truncated") numbers_.truncated = value;
    return true;
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    expect_no_number();
    if (depth_ == 1 && key_ == "schema") schema.assign(text, size);
    if (depth_ == 1 && key_ == "response") numbers_.response.emplace(text, size);
    return true;
  }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    if (target_ == nullptr || (depth_ != 1 && !is_in_step())) return true;
    double converted = 0;
    const auto result = std::from_chars(text, text + size, converted);
    if (result.ec != std::errc() || std::abs(converted) > kMaxNumber)
      throw Error(ErrorKind::kInput, "",
                  "the score \"" + std::string(target_name_) + "\" is " + std::string(text, size) +
                      ", out of range");
    *target_ = converted;
    return true;
  }

 private:
  void set_target(std::optional<double>& number, std::string_view name) {
    target_ = &number;
    target_name_ = name;
  }
  /// What comes next is the value of the last key, and not a number.
  void expect_no_number() const {
    if (target_ != nullptr && (depth_ == 1 || is_in_step()))
      throw Error(ErrorKind::kInput, "",
                  "the score \"" + std::string(target_name_) + "\" is not a number");
  }
  bool is_in_step() const { return depth_ == 3 && key_ == "steps"; }

  void finish_step() {
    if (step_[kEnd]) numbers_.steps_end = step_[kEnd];
    if (!wants_steps_) return;
    for (size_t i = 0; i < step_.size(); ++i)
      if (!step_[i])
        throw Error(ErrorKind::kInput, "",
                    "the scores of a step lack \"" + std::string(kStepNumbers[i]) + "\"");
    const auto integer = [&](StepNumber which) {
      return whole(*step_[which], kStepNumbers[which]);
    };
    ScoredStep step;
    step.bytes = {integer(kBegin), integer(kEnd)};
    step.num_tokens = integer(kNumTokens);
    step.base_nll = *step_[kBaseNll];
    step.ref_nll = *step_[kRefNll];
    step.entropy = *step_[kEntropy];
    step.influence = *step_[kInfluence];
    step.divergence = step.ref_nll - step.base_nll;
    step.weight = *step_[kWeight];
    numbers_.steps.push_back(step);
  }

  ScoredNumbers& numbers_;
  bool wants_steps_;
  int depth_ = 0;
  std::string key_;  // of the trace
  std::array<std::optional<double>, kStepNumbers.size()> step_;
  std::optional<double>* target_ = nullptr;  // where the next number goes; null: nowhere
  std::string_view target_name_;
};

}  // namespace

const std::optional<double>* ScoredNumbers::find(std::string_view name) const {
  for (const TraceNumber& known : kTraceNumbers)
    if (known.name == name) return &(this->*known.number);
  return nullptr;
}

ScoredNumbers read_scored_numbers(std::string_view air, StepsRead steps) {
  ScoredNumbers numbers;
  AirHandler handler(numbers, steps);
  rapidjson::MemoryStream stream(air.data(), air.size());
  rapidjson::Reader reader;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseNumbersAsStringsFlag |
                              rapidjson::kParseValidateEncodingFlag;
  if (reader.Parse<kFlags>(stream, handler).IsError())
    throw Error(ErrorKind::kInput, "", "the value of \"air\" is not JSON");
  if (handler.schema != kScoreSchema)
    throw Error(ErrorKind::kInput, "", "\"air\" has schema \"" + handler.schema + "\"",
                "this version reads \"" + std::string(kScoreSchema) + "\"");
  for (const std::string_view name : {"line", "trace", "rank", "num_tokens", "num_prompt_tokens"})
    if (const auto* number = numbers.find(name); *number) whole(**number, name);
  if (steps == StepsRead::kYes && !handler.has_steps)
    throw Error(ErrorKind::kInput, "", "the scores lack \"steps\"");
  return numbers;
}

double require_number(const ScoredNumbers& numbers, std::string_view name) {
  const std::optional<double>* number = numbers.find(name);
  AIR_CHECK(number != nullptr);
  if (!*number)
    throw Error(ErrorKind::kInput, "", "\"air\" has no number \"" + std::string(name) + "\"",
                hint_for(name));
  return **number;
}

int64_t require_integer(const ScoredNumbers& numbers, std::string_view name) {
  return whole(require_number(numbers, name), name);
}

}  // namespace air
