#include "find_heads/probe.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace air {
namespace {

/// Positions of the tokens whose first byte lies in the span.
Span token_span(const std::vector<int64_t>& begin, Span bytes) {
  Span tokens{-1, -1};
  for (size_t i = 0; i < begin.size(); ++i) {
    if (begin[i] < bytes.begin || begin[i] >= bytes.end) continue;
    if (tokens.begin < 0) tokens.begin = static_cast<int64_t>(i);
    tokens.end = static_cast<int64_t>(i) + 1;
  }
  if (tokens.begin < 0) {
    throw Error(ErrorKind::kInput, "",
                "no token begins in bytes " + std::to_string(bytes.begin) + " to " +
                    std::to_string(bytes.end));
  }
  return tokens;
}

}  // namespace

std::string probe_prompt(const std::string& text, const std::string& question,
                         const std::string& answer_lead, const ProbeFormat& format) {
  // A model that answers as it was trained to chat begins with the lead itself; a plain text needs
  // a word for it.
  const std::string prompt =
      format.chat_template.render_prompt({{"user", text + "\n\nQuestion: " + question}});
  const bool plain = format.chat_template.is_none();
  return prompt + (plain ? "Answer: " : "") + answer_lead;
}

ProbeText write_probe(const ProbeParts& parts, const ProbeFormat& format) {
  ProbeText probe;
  probe.text = probe_prompt(parts.text, parts.question, parts.lead, format);
  const size_t text_begin = probe.text.find(parts.text);
  AIR_CHECK(text_begin != std::string::npos);
  const int64_t size = parts.answer.size(), begin = text_begin + parts.needle_begin,
                answer_begin = probe.text.size();
  probe.needle = {begin, begin + size};
  probe.answer = {answer_begin, answer_begin + size};
  probe.text += parts.answer;
  return probe;
}

Probe encode_probe(const ProbeText& text, const Tokenizer& tokenizer, const ProbeFormat& format) {
  const Encoding encoding =
      tokenizer.encode(text.text, !format.chat_template.writes_special_tokens());
  Probe probe;
  probe.ids = encoding.ids;
  probe.needle = token_span(encoding.begin, text.needle);
  probe.answer = token_span(encoding.begin, text.answer);
  if (probe.answer.begin == 0)
    throw Error(ErrorKind::kInput, "", "the answer has no token before it");
  probe.length = static_cast<int64_t>(probe.ids.size());
  return probe;
}

bool answer_repeats_needle(const Probe& probe) {
  const auto at = [&](int64_t position) { return probe.ids.begin() + position; };
  return std::equal(at(probe.needle.begin), at(probe.needle.end), at(probe.answer.begin),
                    at(probe.answer.end));
}

Probe fit_probe(int64_t length, const std::function<ProbeText(int64_t filler_tokens)>& build,
                const Tokenizer& tokenizer, const ProbeFormat& format) {
  constexpr size_t kMaxTries = 8;  // two are usual: tokens merge differently at the cut
  const std::string where = "--lengths " + std::to_string(length);
  const auto encode = [&](int64_t filler_tokens) {
    return in_context(where, [&] { return encode_probe(build(filler_tokens), tokenizer, format); });
  };
  const Probe frame = encode(0);
  if (frame.length >= length) {
    throw Error(
        ErrorKind::kUsage, where,
        "the needle and its question alone take " + std::to_string(frame.length) + " tokens",
        "use greater lengths");
  }
  Probe best = frame;
  std::set<int64_t> tried;
  for (int64_t filler_tokens = length - frame.length;
       filler_tokens > 0 && tried.insert(filler_tokens).second;) {
    Probe probe = encode(filler_tokens);
    filler_tokens += length - probe.length;
    if (probe.length <= length && probe.length > best.length) best = std::move(probe);
    if (best.length == length || tried.size() == kMaxTries) break;
  }
  best.length = length;
  return best;
}

Probe draw_copyable(const std::string& kind, const std::string& copied,
                    const std::function<Probe()>& draw) {
  constexpr int kMaxDraws = 20;
  for (int i = 0; i < kMaxDraws; ++i) {
    Probe probe = draw();
    probe.kind = kind;
    if (answer_repeats_needle(probe)) return probe;
  }
  throw Error(ErrorKind::kModel, "--probes " + kind,
              "this tokenizer splits a " + copied + " and its copy into different tokens");
}

}  // namespace air
