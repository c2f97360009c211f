#include "find_heads/options.h"

#include <algorithm>

#include "base/error.h"
#include "base/output_file.h"
#include "cli/outputs.h"
#include "cli/validators.h"

namespace air {

namespace {

void check_kinds(const std::vector<std::string>& kinds) {
  for (const std::string& kind : kinds) {
    if (kind != "needle" && kind != "kv")
      throw Error(ErrorKind::kUsage, "--probes", "unknown kind \"" + kind + "\"",
                  "known: needle, kv");
    if (std::count(kinds.begin(), kinds.end(), kind) > 1)
      throw Error(ErrorKind::kUsage, "--probes", "\"" + kind + "\" is named twice");
  }
}

void add_probe_group(CLI::App& verb, FindHeadsFlags& flags) {
  const std::string probes = "Probes";
  verb.add_option("--probes", flags.probes,
                  "Kinds of probes: needle (a fact in a text), kv (a JSON object)")
      ->delimiter(',')
      ->group(probes)
      ->type_name("KINDS");
  verb.add_option("--num-probes", flags.num_probes, "Probes in all; short lengths get more")
      ->check(at_least(1))
      ->group(probes)
      ->type_name("N");
  verb.add_option("--repeats", flags.repeats,
                  "Repeat the whole set of probes N times, each with the next seed")
      ->check(at_least(1))
      ->group(probes)
      ->type_name("N");
  verb.add_option("--lengths", flags.lengths, "Lengths of the probes, in the model's tokens")
      ->delimiter(',')
      ->check(at_least(1))
      ->each([&flags](const std::string&) { flags.lengths_given = true; })
      ->group(probes)
      ->type_name("LIST");
  verb.add_option("--depths", flags.depths,
                  "Places of the needle in the haystack, 0 = start, 1 = end")
      ->delimiter(',')
      ->check(
          number_that("between 0 (start) and 1 (end)", [](double x) { return x >= 0 && x <= 1; }))
      ->group(probes)
      ->type_name("LIST");
  verb.add_flag("--beyond-context", flags.beyond_context)
      ->description("Allow probes longer than the model's context")
      ->group(probes);
  verb.add_option("--haystack", flags.haystack,
                  "Text file to hide needles in; made-up sentences when not given")
      ->group(probes)
      ->type_name("FILE");
  add_chat_flags(verb, flags.chat, probes);
  verb.add_option("--probes-file", flags.probes_file,
                  "Probes of your own in place of made ones (as --dump-probes writes)")
      ->group(probes)
      ->type_name("FILE");
  verb.add_option("--dump-probes", flags.dump_probes, "Write the probes, one JSON object a line")
      ->group(probes)
      ->type_name("FILE");

  verb.add_flag("--resume", flags.resume)
      ->description("Continue with the probes that an interrupted run left")
      ->group(probes);
}

void add_critical_group(CLI::App& verb, FindHeadsFlags& flags) {
  const std::string critical = "Critical set";
  CLI::Option* fraction = verb.add_option("--fraction", flags.critical.fraction,
                                          "Share of all heads that is critical, rounded up")
                              ->check(above_zero_up_to(1))
                              ->group(critical)
                              ->type_name("SHARE");
  verb.add_option("--num-heads", flags.critical.num_heads,
                  "Number of critical heads, in place of a share")
      ->check(at_least(1))
      ->group(critical)
      ->excludes(fraction)
      ->type_name("K")
      ->default_str("");
  verb.add_option("--import", flags.import,
                  "Take the heads from here in place of probes: a heads file, a list, or another "
                  "program's file")
      ->group(critical)
      ->type_name("HEADS");
  verb.add_flag("--force", flags.force)
      ->description("Import heads that were found for another model")
      ->group(critical);
}

void add_verify_group(CLI::App& verb, FindHeadsFlags& flags) {
  const std::string verify = "Cause and effect";
  verb.add_flag("--verify", flags.verify)
      ->description("Also mask the critical heads and random ones, and compare what that costs")
      ->group(verify);
  verb.add_option("--verify-text", flags.verify_text,
                  "Ordinary text to compare on: plain, or traces in a .jsonl file")
      ->group(verify)
      ->type_name("FILE");
  verb.add_option("--verify-draws", flags.verify_draws,
                  "Random head sets, of any layer and of the same layers")
      ->check(at_least(1))
      ->group(verify)
      ->type_name("N");
}

}  // namespace

void add_find_heads_flags(CLI::App& verb, FindHeadsFlags& flags) {
  add_shared_flags(verb, flags.shared, {.model = true, .compute = true, .seed = true});
  verb.add_option("-o,--output", flags.output, "Heads file to write; - is stdout")
      ->type_name("FILE");
  verb.add_option("--svg", flags.svg, "Also draw the scores, layers × heads")->type_name("FILE");
  add_probe_group(verb, flags);
  add_critical_group(verb, flags);
  add_verify_group(verb, flags);
}

void check(const FindHeadsFlags& flags) {
  require_flag(flags.shared.model, "--model", "the folder of a Hugging Face model");
  require_flag(flags.output, "-o/--output", "-o heads.json, or -o - for stdout");
  check_kinds(flags.probes);
  if (!flags.verify && !flags.verify_text.empty())
    throw Error(ErrorKind::kUsage, "--verify-text", "needs --verify");
  if (!flags.import.empty() && !flags.probes_file.empty())
    throw Error(ErrorKind::kUsage, "--probes-file", "--import runs no probes");
  if (!flags.import.empty() && !flags.dump_probes.empty())
    throw Error(ErrorKind::kUsage, "--dump-probes", "--import runs no probes");
  if (flags.dump_probes == "-" && flags.output == "-")
    throw Error(ErrorKind::kUsage, "--dump-probes", "stdout is taken by -o -");
  std::vector<NamedFile> inputs{{"the file of --config", flags.shared.config},
                                {"the file of --import", flags.import},
                                {"the file of --probes-file", flags.probes_file},
                                {"the file of --haystack", flags.haystack},
                                {"the file of --verify-text", flags.verify_text},
                                {"the file of --chat-template", flags.chat.chat_template}};
  add_files(inputs, "a file of --model", model_files(flags.shared.model));
  check_outputs(inputs, {{"--output", flags.output},
                         {"--output (its unfinished scores)", partial_path(flags.output)},
                         {"--svg", flags.svg},
                         {"--dump-probes", flags.dump_probes}});
}

std::vector<int64_t> fitting_lengths(const FindHeadsFlags& flags, const std::string& kind,
                                     int64_t shortest, const ModelConfig& config) {
  const int64_t context = config.max_position_embeddings;
  const std::string limits = kind + " probes for this model take from " + std::to_string(shortest) +
                             " tokens to its context of " + std::to_string(context);
  std::vector<int64_t> lengths;
  for (const int64_t length : flags.lengths) {
    if (length >= shortest && (length <= context || flags.beyond_context))
      lengths.push_back(length);
    else if (flags.lengths_given)
      throw Error(
          ErrorKind::kUsage, "--lengths",
          std::to_string(length) +
              (length > context ? " is above the model's context" : " is too short"),
          limits + (length > context ? "; --beyond-context takes longer ones all the same" : ""));
  }
  if (lengths.empty() && context >= shortest) lengths = {context};
  if (lengths.empty())
    throw Error(ErrorKind::kModel, flags.shared.model, "the context is too short for a probe",
                limits);
  return lengths;
}

}  // namespace air
