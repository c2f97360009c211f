// The program `air`: its verbs, the one try/catch, the one exit.
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "air/base/error.h"
#include "air/base/log.h"
#include "air/cli/shared_flags.h"
#include "air/find_heads/command.h"
#include "air/inspect/command.h"
#include "air/report/command.h"
#include "air/score/command.h"
#include "air/score/split_batch.h"
#include "air/select/command.h"

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

/// Large temporaries come and go with every layer: kept in the heap, their pages are not returned and faulted in anew.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

/// Idle compute threads must sleep, not spin: beside any busy neighbour spinning costs more than the work itself (three
/// times slower, measured). libgomp reads this once, when it is loaded, so the program starts itself again with it set.
void start_with_passive_threads(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::setenv("GOMP_SPINCOUNT", "0", 1);
  ::execv("/proc/self/exe", argv);  // where that fails the program goes on as it is
}

/// A message of libtorch up to its C++ stack.
std::string first_line(const char* text) {
  const std::string message = text;
  return message.substr(0, message.find('\n'));
}

/// A command line that CLI11 refuses. It names a missing verb even when one was given that does not exist.
[[noreturn]] void throw_usage(const CLI::App& root, const CLI::ParseError& error) {
  const auto chosen = root.get_subcommands();
  const auto unknown = root.remaining();
  if (chosen.empty() && !unknown.empty() && !unknown.front().starts_with('-'))
    throw air::Error(air::ErrorKind::kUsage, "", "there is no verb \"" + unknown.front() + "\"",
                     "air --help lists the verbs: find-heads, score, select, report, inspect");
  throw air::Error(air::ErrorKind::kUsage, "", error.what(),
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
  root.set_version_flag("--version", "air " + air::version());
  root.require_subcommand(1);
  root.failure_message(CLI::FailureMessage::simple);
  const std::vector<air::Verb> verbs = {air::add_find_heads(root), air::add_score(root), air::add_select(root),
                                        air::add_report(root), air::add_inspect(root)};
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
  start_with_passive_threads(argv);
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a failed write, answered by ClosedPipe
  std::signal(SIGXFSZ, SIG_IGN);  // so is a file at the limit of its size, answered like a full disk
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
      print_error("", "unexpected: " + first_line(e.what()), "please report this with the command that you ran");
      code = static_cast<int>(air::ErrorKind::kBug);
    }
  }
  // The destructors of libtorch's globals take time and do nothing for us.
  std::fflush(stdout);
  ::_exit(code);
}
