// A tokenizer for tests: a token is a word with the white space before it, its id a number given at
// first sight.
#pragma once

#include <algorithm>
#include <cctype>
#include <map>
#include <mutex>
#include <string>

#include "text/tokenizer.h"

namespace air {

class WordTokenizer : public Tokenizer {
 public:
  explicit WordTokenizer(bool adds_bos = false) : adds_bos_(adds_bos) {}

  Encoding encode(std::string_view text, bool add_special_tokens) const override {
    Encoding encoding;
    if (adds_bos_ && add_special_tokens) {
      encoding.ids.push_back(0);
      encoding.begin.push_back(-1);
    }
    for (size_t begin = 0; begin < text.size();) {
      size_t end = begin;
      while (end < text.size() && std::isspace(static_cast<unsigned char>(text[end]))) ++end;
      const bool word = end < text.size() && is_word(text[end]);
      do ++end;
      while (word && end < text.size() && is_word(text[end]));
      end = std::min(end, text.size());
      encoding.ids.push_back(id_of(std::string(text.substr(begin, end - begin))));
      encoding.begin.push_back(static_cast<int64_t>(begin));
      begin = end;
    }
    return encoding;
  }
  int64_t vocab_size() const override { return 1 << 20; }
  std::optional<int32_t> token_to_id(std::string_view token) const override {
    return id_of(std::string(token));
  }
  std::string id_to_token(int32_t id) const override {
    for (const auto& [token, known] : ids_)
      if (known == id) return token;
    return "";
  }
  std::string describe() const override { return "words"; }

  std::string decode(const std::vector<int32_t>& ids, int64_t begin, int64_t end) const {
    std::string text;
    for (int64_t i = begin; i < end; ++i) text += id_to_token(ids[static_cast<size_t>(i)]);
    return text;
  }

 private:
  static bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
  int32_t id_of(const std::string& token) const {
    return ids_.try_emplace(token, static_cast<int32_t>(ids_.size()) + 1).first->second;
  }

  bool adds_bos_;
  mutable std::map<std::string, int32_t> ids_;
};

}  // namespace air
