#include "data/step_splitter.h"

#include <algorithm>

#include "base/error.h"
#include "text/utf8.h"

namespace air {

namespace {

bool is_blank(std::string_view text) {
  for (size_t i = 0; i < text.size();)
    if (!is_white_space(next_code_point(text, i))) return false;
  return true;
}

bool is_line_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/// Ends of the runs of blank lines, `\n(?:[ \t\r]*\n)+`.
std::vector<size_t> blank_line_ends(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t i = text.find('\n'); i != std::string_view::npos; i = text.find('\n', i)) {
    size_t end = ++i;
    for (size_t j = i; j < text.size() && (is_line_space(text[j]) || text[j] == '\n'); ++j)
      if (text[j] == '\n') end = j + 1;
    if (end > i) ends.push_back(end);
    i = end;
  }
  return ends;
}

/// Ends of the runs of newlines.
std::vector<size_t> newline_ends(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n' && (i + 1 == text.size() || text[i + 1] != '\n')) ends.push_back(i + 1);
  return ends;
}

std::vector<size_t> regex_ends(std::string_view text, const Regex& regex) {
  std::vector<size_t> ends;
  for (size_t from = 0; from < text.size();) {
    const std::optional<Match> match = regex.find(text, from);
    if (!match) break;
    ends.push_back(match->end);
    from = match->end;
    if (match->empty() && from < text.size()) from += utf8_length(text[from]);
  }
  return ends;
}

/// Each step is looked for after the one before; white space after it belongs to it.
std::vector<size_t> record_ends(std::string_view text, const std::vector<std::string>& steps) {
  if (steps.empty())
    throw Error(ErrorKind::kInput, "", "the record has no list \"steps\"",
                "--steps blank-line cuts by itself");
  std::vector<size_t> ends;
  size_t done = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const size_t at = text.find(steps[i], done);
    if (at == std::string_view::npos || !is_blank(text.substr(done, at - done)))
      throw Error(
          ErrorKind::kInput, "",
          "step " + std::to_string(i) + " of the record is not where it should be in the response");
    if (i > 0) ends.push_back(at);
    done = at + steps[i].size();
  }
  if (!is_blank(text.substr(done)))
    throw Error(ErrorKind::kInput, "", "the record's steps do not cover the end of the response");
  return ends;
}

std::vector<size_t> step_ends(std::string_view response, const StepRule& rule,
                              const std::vector<std::string>& record_steps) {
  switch (rule.kind) {
    case StepRule::Kind::kBlankLine: {
      std::vector<size_t> ends = blank_line_ends(response);
      return ends.empty() ? newline_ends(response) : ends;
    }
    case StepRule::Kind::kNewline:
      return newline_ends(response);
    case StepRule::Kind::kSentence:
      return sentence_ends(response);
    case StepRule::Kind::kRegex:
      return regex_ends(response, *rule.matcher);
    case StepRule::Kind::kRecord:
      return record_ends(response, record_steps);
  }
  return {};
}

}  // namespace

StepRule StepRule::parse(const std::string& text) {
  StepRule rule;
  if (text == "blank-line") return rule;
  if (text == "newline") {
    rule.kind = Kind::kNewline;
  } else if (text == "sentence") {
    rule.kind = Kind::kSentence;
  } else if (text == "record") {
    rule.kind = Kind::kRecord;
  } else if (text.starts_with("regex:")) {
    rule.kind = Kind::kRegex;
    rule.regex = text.substr(6);
    if (rule.regex.empty())
      throw Error(ErrorKind::kUsage, "", "regex: needs an expression after the colon");
    rule.matcher = Regex::pcre2(rule.regex, "");
  } else {
    throw Error(ErrorKind::kUsage, "", "\"" + text + "\" is not a way to cut steps",
                "blank-line, newline, sentence, regex:RE or record");
  }
  return rule;
}

std::vector<Span> split_steps(std::string_view response, const StepRule& rule,
                              const std::vector<std::string>& record_steps) {
  std::vector<size_t> ends = step_ends(response, rule, record_steps);
  ends.push_back(response.size());
  std::vector<Span> steps;
  size_t begin = 0;
  for (const size_t end : ends) {
    if (end <= begin || is_blank(response.substr(begin, end - begin)))
      continue;  // joins the step after it
    steps.push_back({static_cast<int64_t>(begin), static_cast<int64_t>(end)});
    begin = end;
  }
  const auto size = static_cast<int64_t>(response.size());
  if (steps.empty() && size > 0) steps.push_back({0, size});
  if (!steps.empty()) steps.back().end = size;
  return steps;
}

}  // namespace air
