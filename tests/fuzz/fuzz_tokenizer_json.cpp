// Any bytes as a tokenizer.json: it loads or it is an Error(kModel); what loads encodes any text in
// order.
#include <algorithm>

#include "base/error.h"
#include "fuzz/fuzz_target.h"
#include "text/json_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string kText =
      "A text's words, 123 e\u0301 \u1e69 <s> \u6f22\u5b57 👩‍👩‍👧\n\n  end\t";
  try {
    const air::JsonTokenizer tokenizer(std::string(reinterpret_cast<const char*>(data), size),
                                       "tokenizer.json");
    const air::Encoding encoding = tokenizer.encode(kText, true);
    FUZZ_CHECK(encoding.ids.size() == encoding.begin.size());
    for (const int64_t begin : encoding.begin)
      FUZZ_CHECK(begin >= -1 && begin < static_cast<int64_t>(kText.size()));
  } catch (const air::Error& e) {
    FUZZ_CHECK(e.kind() == air::ErrorKind::kModel || e.kind() == air::ErrorKind::kInput);
  }
  return 0;
}
