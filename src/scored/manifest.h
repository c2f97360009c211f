// OUT.manifest.json: how a scored file was made.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/record_reader.h"
#include "data/repetition.h"
#include "data/trace_record.h"
#include "scored/losses.h"

namespace air {

// Keys that readers of a scored file ask for; whoever writes a manifest spells them as these.
namespace manifest_key {
inline constexpr const char* kChatTemplate = "chat_template";
inline constexpr const char* kFields = "fields";
inline constexpr const char* kHeads = "heads";
inline constexpr const char* kInfluence = "influence";
inline constexpr const char* kShard = "shard";
inline constexpr const char* kTurns = "turns";
}  // namespace manifest_key

/// What a run of `air score` did.
struct RunResults {
  int64_t num_traces = 0;
  int64_t num_resumed = 0;  ///< of them finished by an earlier run
  int64_t num_rejected = 0;
  int64_t thinking_from_format = 0;      ///< traces whose `<think>` the chat format wrote
  int64_t thinking_from_response = 0;    ///< … the response brought
  int64_t num_tokens = 0;                ///< scored by this run: prompt and response, each once
  double seconds = 0;                    ///< first batch to last score
  double flops = 0;                      ///< arithmetic that the scores of this run needed
  double correlation_base_nll = 0;       ///< rank correlation of what ranks with the base loss
  double correlation_num_tokens = 0;     ///< … with the length
  TopRepetition top_repetition;          ///< of the best tenth
  double matrix_product_rate = 0;        ///< flops per second, by --bench; 0: not measured
  int64_t num_processes = 1;             ///< of a run on several devices
  int64_t peak_memory_bytes = 0;         ///< of the host
  int64_t peak_device_memory_bytes = 0;  ///< of the GPU; 0: there is none
  Json read = Json::array();   ///< shapes and fields that records were read as, and their numbers
  Json notes = Json::array();  ///< what was left out of records, or fits as well
};

/// A manifest with its keys in order; what verbs need of it has a type.
class Manifest {
 public:
  /// @param run_identity  model, heads and options, as for --resume.
  Manifest(const Json& run_identity, const RunResults& results);

  /// "scored.jsonl" → "scored.jsonl.manifest.json".
  static std::string path_beside(const std::string& scored_file);
  /// @throws Error(kInput) when the file is not a manifest.
  static Manifest read(const std::string& path);
  /// The one beside a scored file; none when there is none.
  static std::optional<Manifest> beside(const std::string& scored_file);
  /// One for the shards of a run: what all say stays; counts, tokens and seconds add up; other
  /// values that differ become a list, in order. None of none.
  static std::optional<Manifest> join(const std::vector<Manifest>& manifests);

  const Json& to_json() const { return json_; }
  /// The file it was read from; empty: it was made here.
  const std::string& path() const { return path_; }

  /// How records were read.
  RecordFields fields() const;
  /// The identity of the chat template that prompts were rendered by; null when it is not said.
  Json chat_template() const;
  /// What the lines were ranked by; none when it is not said.
  std::optional<InfluenceKind> influence() const;
  std::optional<Shard> shard() const;
  /// "12-7,18-0"; empty when it is not said.
  std::string heads() const;
  /// The folder of the model; empty when it is not said, or when shards differ in it.
  std::string model() const;

 private:
  explicit Manifest(Json json, std::string path = "");
  std::string text(const char* key) const;

  Json json_;
  std::string path_;
};

}  // namespace air
