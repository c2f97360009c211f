// The program `air`: its verbs, the one try/catch, the one exit.
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "cli/shared_flags.h"
#include "cli/version.h"
#include "find_heads/command.h"
#include "inspect/command.h"
#include "model/torch_info.h"
#include "report/command.h"
#include "score/command.h"
#include "score/split_batch.h"
#include "select/command.h"

namespace {

constexpr int kExitInterrupted = 130;

void print_error(const std::string& where, const std::string& what, const std::string& hint) {
  const bool color = air::log_has_color();
  std::string text = color ? "air: \x1b[31merror\x1b[0m: " : "air: error: ";
  if (!where.empty()) text += where + ": ";
  text += what + "\n";
  if (!hint.empty()) text += "hint: " + hint + "\n";
  std::fputs(text.c_str(), stderr);
}

/// Temporaries come and go with every layer: those of up to 32 MiB (the most that glibc allows
/// here) are kept in the heap, so that their pages are not returned and faulted in anew; larger
/// ones, which long traces bring, are returned.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

/// Settings that libraries read from the environment once, when they are loaded: the program starts
/// itself again with those that the user has not set.
void start_with_settings(char** argv) {
  const std::pair<const char*, const char*> settings[] = {
      // Idle compute threads must sleep, not spin: beside any busy neighbour spinning costs more
      // than the work itself (three times slower, measured).
      {"OMP_WAIT_POLICY", "passive"},
      {"GOMP_SPINCOUNT", "0"},
      // Code that oneDNN made for a size of matrices, and what libtorch keeps beside it. By default
      // they keep that of 1,024 sizes each, and batches have ever new ones: hundreds of MiB over a
      // long run.
      {"ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256"},
      {"LRU_CACHE_CAPACITY", "256"},
  };
  const bool own_threads =
      std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr;
  bool complete = true;
  for (const auto& [name, value] : settings) {
    if (own_threads && std::string_view(name).find("OMP_") != std::string_view::npos)
      continue;  // both, or neither
    complete = complete && std::getenv(name) != nullptr;
    ::setenv(name, value, /*overwrite=*/0);
  }
  if (!complete) ::execv("/proc/self/exe", argv);  // where that fails the program goes on as it is
}

/// A message of libtorch up to its C++ stack.
std::string first_line(const char* text) {
  const std::string message = text;
  return message.substr(0, message.find('\n'));
}

/// A command line that CLI11 refuses. It names a missing verb even when one was given that does not
/// exist.
[[noreturn]] void throw_usage(const CLI::App& root, const CLI::ParseError& error) {
  const auto chosen = root.get_subcommands();
  const auto unknown = root.remaining();
  if (chosen.empty() && !unknown.empty() && !unknown.front().starts_with('-'))
    throw air::Error(air::ErrorKind::kUsage, "", "there is no verb \"" + unknown.front() + "\"",
                     "air --help lists the verbs: find-heads, score, select, report, inspect");
  throw air::Error(
      air::ErrorKind::kUsage, "", error.what(),
      "air " + (chosen.empty() ? "" : chosen.front()->get_name() + " ") + "--help lists the flags");
}

int parse_and_run(int argc, char** argv) {
  CLI::App root{
      "Tells which reasoning traces, and which steps inside a trace, carry the reasoning.\n\n"
      "Example:\n"
      "  air find-heads --model DIR -o heads.json\n"
      "  air score --model DIR --heads heads.json traces.jsonl -o scored.jsonl\n"
      "  air select scored.jsonl --top-k 1000 -o subset.jsonl\n"
      "  air report scored.jsonl --heads heads.json -o report.html\n",
      "air"};
  bool verbose = false;
  CLI::Option* verbose_flag =
      root.add_flag("-v,--verbose", verbose, "With --version: the devices and threads too");
  CLI::Option* version_flag = root.set_version_flag("--version", [&verbose] {
    return "air " + air::build_identity() + ", " + air::torch_line() +
           (verbose ? "\n" + air::runtime_lines() : "");
  });
  verbose_flag->needs(version_flag);
  root.require_subcommand(1);
  root.failure_message(CLI::FailureMessage::simple);
  const std::vector<air::Verb> verbs = {air::add_find_heads(root), air::add_score(root),
                                        air::add_select(root), air::add_report(root),
                                        air::add_inspect(root)};
  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(root.help().c_str(), stdout);
    return 0;
  } catch (const CLI::CallForVersion& e) {
    std::printf("%s\n", e.what());
    return 0;
  } catch (const CLI::ParseError& e) {
    throw_usage(root, e);
  }
  for (const air::Verb& verb : verbs)
    if (verb.app->parsed() && air::apply_config_layers(*verb.app)) verb.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  start_with_settings(argv);
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a failed write, answered by ClosedPipe
  std::signal(SIGXFSZ,
              SIG_IGN);  // so is a file at the limit of its size, answered like a full disk
  keep_freed_memory();
  air::init_log(air::Verbosity::kNormal, air::When::kAuto);
  int code = 0;
  try {
    code = parse_and_run(argc, argv);
  } catch (const air::Error& e) {
    print_error(e.where(), e.what(), e.hint());
    code = static_cast<int>(e.kind());
  } catch (const air::ClosedPipe&) {
  } catch (const air::Interrupted& e) {
    print_error("", "interrupted", e.message);
    code = kExitInterrupted;
  } catch (const std::exception& e) {
    if (air::is_out_of_memory(e)) {
      print_error("", "out of memory", "a smaller --max-batch-tokens needs less");
      code = static_cast<int>(air::ErrorKind::kResource);
    } else {
      print_error("", "unexpected: " + first_line(e.what()),
                  "please report this with the command that you ran");
      code = static_cast<int>(air::ErrorKind::kBug);
    }
  }
  // The destructors of libtorch's globals take time and do nothing for us.
  std::fflush(stdout);
  ::_exit(code);
}
