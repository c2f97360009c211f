#include "export_reference/command.h"

#include <memory>
#include <set>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/head_flags.h"
#include "cli/help.h"
#include "cli/shared_flags.h"
#include "cli/version.h"
#include "export_reference/reference_folder.h"
#include "heads/heads_source.h"
#include "model/causal_lm.h"

namespace air {

namespace {

struct ExportFlags {
  SharedFlags shared;
  std::string heads;
  std::string output;
  std::string mask = "uniform";
  bool force = false;
};

void check(const ExportFlags& flags) {
  require_flag(flags.shared.model, "--model", "the folder of a Hugging Face model");
  require_heads(flags.heads);
  require_flag(flags.output, "--output", "the folder to make: -o reference");
  if (flags.output == "-")
    throw Error(ErrorKind::kUsage, "--output", "a model is a folder, not a stream", "-o reference");
}

ModelSource source_of(const ExportFlags& flags) {
  ModelSource source =
      find_model(flags.shared.model, flags.shared.adapter, flags.shared.ignore_config_keys);
  if (source.adapter)
    throw Error(ErrorKind::kModel, source.adapter->string(),
                "the reference of a model with an adapter on it can't be written as its weights",
                "merge the adapter first (PEFT: merge_and_unload, save_pretrained), or leave it "
                "out with --adapter none");
  const std::filesystem::path note = source.folder / kReferenceNote;
  if (std::filesystem::exists(note))
    throw Error(ErrorKind::kModel, note.string(), "this model is a reference already",
                "--model takes the model that it was made from, which the file names");
  return source;
}

Json note_of(const ExportFlags& flags, const CausalLM& model, const HeadSet& heads,
             const std::vector<ZeroedPart>& parts) {
  std::set<std::string> tensors;
  for (const ZeroedPart& part : parts) tensors.insert(part.tensor);
  Json names = Json::array();
  for (const Head head : heads) names.push_back(to_string(head));
  return {{"schema", "air.reference/1"},
          {"air_version", build_identity()},
          {"model", flags.shared.model},
          {"model_type", model.config().model_type},
          {"fingerprint", model.fingerprint()},
          {"mask", flags.mask},
          {"heads", names},
          {"changed_tensors", tensors}};
}

void run(const ExportFlags& flags) {
  const ModelSource source = source_of(flags);
  watch_interrupts();
  OutputFolder output(flags.output);
  // Checks every name, shape and dtype, and reads no weights.
  const CausalLM model = CausalLM::load(source, at::kMeta, at::kBFloat16);
  const HeadSet heads = load_heads(flags.heads, model.head_model(), flags.force).heads;
  const Checkpoint checkpoint(source.folder, /*describe=*/true, model.config().fp8);
  const MaskMode mode = flags.mask == "zero" ? MaskMode::kZero : MaskMode::kUniform;
  const std::vector<ZeroedPart> parts = reference_zeros(checkpoint, model.config(), heads, mode);
  const Json note = note_of(flags, model, heads, parts);
  write_reference(checkpoint, parts, note, output);
  output.commit();
  spdlog::info("{}: {} with {} of {} heads masked ({}), {} tensors changed", flags.output,
               model.config().model_type, heads.size(), model.config().head_grid().total(),
               flags.mask, note["changed_tensors"].size());
}

}  // namespace

Verb add_export_reference(CLI::App& root) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* verb = root.add_subcommand(
      "export-reference",
      "The weakened model as an ordinary Hugging Face folder, for other programs");
  set_help(*verb,
           {.example = "air export-reference --model DIR --heads heads.json -o reference",
            .details = "Copies the model and sets to zero the weights that make the masked heads "
                       "attend uniformly (or, with --mask zero, put out nothing). Its losses under "
                       "transformers, vLLM and others are the ref_nll of air score; everything "
                       "else, dtype, shards and tokenizer, is the model's own, byte for byte."});
  add_shared_flags(*verb, flags->shared, {.model = true});
  add_heads_flag(*verb, flags->heads);
  verb->add_option("-o,--output", flags->output, "Folder to make; it must not exist, or be empty")
      ->type_name("DIR");
  add_mask_flag(*verb, flags->mask);
  add_force_flag(*verb, flags->force);
  return {verb, [flags] {
            check(*flags);
            run(*flags);
          }};
}

}  // namespace air
