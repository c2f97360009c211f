// A probe: a prompt that hides a needle and asks for it, with its gold answer, as token ids and
// token spans.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/step_splitter.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace air {

/// A probe as text. Spans are bytes.
struct ProbeText {
  std::string text;  ///< prompt and gold answer
  Span needle;       ///< what is to be copied
  Span answer;       ///< the copy; it ends the text
};

/// A probe for one model. Spans are token positions, half-open.
struct Probe {
  std::string kind;          ///< "needle", "kv" or "file"
  std::vector<int32_t> ids;  ///< gold answer included, [T]
  Span needle;
  Span answer;
  int64_t length = 0;   ///< tokens asked for
  int64_t wording = 0;  ///< which of its kind's wordings
  uint64_t seed = 0;    ///< of its grid
  double depth = 0;     ///< of the needle in the haystack, 0 (start) to 1 (end)

  int64_t num_answer_tokens() const { return answer.end - answer.begin; }
};

/// How the text around a probe is written.
struct ProbeFormat {
  ChatTemplate chat_template = ChatTemplate::none();
};

/// A question about a text, and the words that its answer begins with, as one text in the format;
/// the answer itself follows. Without a chat template: "TEXT\n\nQuestion: …\nAnswer: LEAD".
std::string probe_prompt(const std::string& text, const std::string& question,
                         const std::string& answer_lead, const ProbeFormat& format);

/// What a probe's text is made of.
struct ProbeParts {
  std::string text;     ///< with the needle in it
  size_t needle_begin;  ///< of the needle in `text`, bytes
  std::string question;
  std::string lead;    ///< what the answer begins with
  std::string answer;  ///< the needle's bytes
};

/// The prompt around the text, and the answer after it.
ProbeText write_probe(const ProbeParts& parts, const ProbeFormat& format);

/// Encodes the text. A token belongs to a span when its first byte does.
/// @throws Error(kInput) that names no place, when a span holds no token, or when the first answer
///   token has nothing before it.
Probe encode_probe(const ProbeText& text, const Tokenizer& tokenizer, const ProbeFormat& format);

/// True when the answer's tokens are the needle's tokens: only then can every answer token be a
/// copy.
bool answer_repeats_needle(const Probe& probe);

/// Makes a probe as long as asked, or as close below as whole words allow.
/// @param build  the probe's text around a filler of about so many tokens.
/// @throws Error(kUsage) when it does not fit even without a filler.
Probe fit_probe(int64_t length, const std::function<ProbeText(int64_t filler_tokens)>& build,
                const Tokenizer& tokenizer, const ProbeFormat& format);

/// The first of a few draws whose answer repeats its needle token by token.
/// @param copied what the needle is called in the message   @throws Error(kModel) when none does.
Probe draw_copyable(const std::string& kind, const std::string& copied,
                    const std::function<Probe()>& draw);

}  // namespace air
