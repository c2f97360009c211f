// Results of finished probes, kept beside the output (OUT.partial), so that `--resume` repeats none
// of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal.h"
#include "find_heads/measure_probe.h"
#include "find_heads/probe.h"

namespace air {

/// What decides the results: the build of air (cli/version.h), the model, its precision, and the
/// probes themselves. 16 hex digits.
std::string probes_identity(const std::string& build, const std::string& model_fingerprint,
                            const std::string& dtype, const std::vector<Probe>& probes);

/// A journal with a line a probe, flushed as it comes. The file stays until remove().
class ResultJournal {
 public:
  /// @param path empty: nothing is kept.   @param grid of the model: what holds scores of other
  ///   heads is not kept, nor is a damaged line.   @param resume continue what an interrupted run
  ///   left.
  /// @throws Error as Journal does.
  ResultJournal(std::string path, const std::string& identity, const HeadGrid& grid, bool resume);

  /// The kept result of probe `index`; null when there is none.
  const ProbeResult* find(size_t index) const;
  /// @throws Error(kResource).
  void add(size_t index, const ProbeResult& result);
  int64_t num_kept() const { return static_cast<int64_t>(kept_.size()); }
  /// Deletes the file: its results are in the output, or not worth keeping.
  void remove();

 private:
  bool keep(std::string_view line);

  HeadGrid grid_;
  std::map<size_t, ProbeResult> kept_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace air
