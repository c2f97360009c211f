#include "find_heads/retrieval_score.h"

#include <ATen/ops/argmax.h>

#include <set>

#include "base/error.h"

namespace air {

at::Tensor row_peaks(const at::Tensor& rows) {
  // argmax gives the first of equal maxima.
  return at::argmax(rows, -1).cpu().contiguous();
}

double retrieval_score(std::span<const int64_t> peaks, const Probe& probe) {
  AIR_CHECK(static_cast<int64_t>(peaks.size()) == probe.num_answer_tokens());
  AIR_CHECK(probe.needle.begin < probe.needle.end);
  const std::set<int32_t> needle(probe.ids.begin() + probe.needle.begin,
                                 probe.ids.begin() + probe.needle.end);
  std::set<int32_t> copied;
  for (size_t i = 0; i < peaks.size(); ++i) {
    const int32_t token = probe.ids[probe.answer.begin + i];
    const int64_t peak = peaks[i];
    const bool in_needle = peak >= probe.needle.begin && peak < probe.needle.end;
    // C1 follows from C2: a key inside the needle that holds the token.
    if (in_needle && probe.ids[peak] == token) copied.insert(token);
  }
  return static_cast<double>(copied.size()) / static_cast<double>(needle.size());
}

std::vector<double> retrieval_scores(const at::Tensor& peaks, const Probe& probe) {
  const size_t num_heads = peaks.size(0);
  const size_t num_rows = peaks.size(1);
  const int64_t* data = peaks.const_data_ptr<int64_t>();
  std::vector<double> scores(num_heads);
  for (size_t head = 0; head < num_heads; ++head)
    scores[head] = retrieval_score({data + head * num_rows, num_rows}, probe);
  return scores;
}

}  // namespace air
