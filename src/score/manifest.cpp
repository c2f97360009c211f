#include "score/manifest.h"

#include <sys/resource.h>

namespace air {

int64_t peak_memory_bytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

Json make_manifest(const ScoreSummary& summary, const Json& run_identity,
                   double matrix_product_rate) {
  Json manifest = {{"schema", "air.manifest/1"}};
  for (const auto& [key, value] : run_identity.items()) manifest[key] = value;
  manifest["num_traces"] = summary.num_traces;
  manifest["num_resumed"] = summary.num_resumed;
  manifest["num_rejected"] = summary.num_rejected;
  manifest["thinking_from"] = {{"format", summary.thinking_from_format},
                               {"response", summary.thinking_from_response}};
  manifest["num_tokens"] = summary.num_tokens;
  manifest["seconds"] = summary.seconds;
  manifest["tokens_per_second"] =
      summary.seconds > 0 ? static_cast<double>(summary.num_tokens) / summary.seconds : 0.0;
  manifest["flops"] = summary.flops;
  manifest["flops_per_second"] = summary.seconds > 0 ? summary.flops / summary.seconds : 0.0;
  if (matrix_product_rate > 0) manifest["matrix_product_flops_per_second"] = matrix_product_rate;
  manifest["peak_memory_bytes"] = peak_memory_bytes();
  manifest["rank_correlation"] = {{"base_nll", summary.correlation_base_nll},
                                  {"num_tokens", summary.correlation_num_tokens}};
  return manifest;
}

}  // namespace air
