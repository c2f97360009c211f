// The program `air`: its verbs, the one try/catch, the one exit.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/mapped_watch.h"
#include "base/strings.h"
#include "base/visible_text.h"
#include "cli/config_layers.h"
#include "cli/generated.h"
#include "cli/help.h"
#include "cli/shared_flags.h"
#include "cli/suggestion.h"
#include "cli/version.h"
#include "export_reference/command.h"
#include "find_heads/command.h"
#include "inspect/command.h"
#include "model/torch_error.h"
#include "model/torch_info.h"
#include "report/command.h"
#include "score/command.h"
#include "select/command.h"
#include "show/command.h"

namespace {

constexpr int kExitInterrupted = 130;

void print_error(const std::string& where, const std::string& what, const std::string& hint) {
  const bool color = air::log_has_color();
  std::string text = color ? "air: \x1b[31merror\x1b[0m: " : "air: error: ";
  if (!where.empty()) text += air::visible_text(where) + ": ";
  text += air::visible_text(what) + "\n";
  if (!hint.empty()) text += "hint: " + air::visible_text(hint) + "\n";
  std::fputs(text.c_str(), stderr);
}

/// @return the exit code.
int report_error(const std::exception& e) {
  const air::Error error = air::explain(e);
  print_error(error.where(), error.what(), error.hint());
  return static_cast<int>(error.kind());
}

/// Writes without allocating. What can't be written is lost.
void write_words(std::initializer_list<const char*> words) {
  for (const char* word : words)
    if (::write(STDERR_FILENO, word, std::strlen(word)) < 0) return;
}

/// An error that nothing catches, such as memory that runs out in a function that promised not to
/// fail: said like any other.
[[noreturn]] void end_by_uncaught() {
  int code = static_cast<int>(air::ErrorKind::kBug);
  try {
    if (const auto error = std::current_exception()) std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    write_words({"air: error: out of memory\n"});
    code = static_cast<int>(air::ErrorKind::kResource);
  } catch (const std::exception& e) {
    code = report_error(e);
  } catch (...) {
    write_words({"air: error: unexpected: an unknown exception\n"});
  }
  ::_exit(code);
}

/// SIGBUS: a model's file became shorter under its mapping, or could not be read. There is no way
/// back into the computation.
extern "C" void end_by_lost_file(int, siginfo_t* info, void*) {
  const auto file = air::mapped_at(info->si_addr);
  if (!file) {
    std::signal(SIGBUS, SIG_DFL);  // a fault of ours: the instruction raises it again
    return;
  }
  write_words(
      {"air: error: ", file->path, ": became shorter while it was used, or can't be read\n",
       "hint: what was finished is kept: --resume continues when the file is whole again\n"});
  ::_exit(static_cast<int>(file->kind));
}

void watch_faults() {
  std::set_terminate(end_by_uncaught);
  struct sigaction action {};
  action.sa_sigaction = end_by_lost_file;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

/// A standard stream that is closed would give its number to the next file that is opened, and that
/// file would get our messages. What is opened in its place refuses to be read or written.
void hold_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // the lowest free number: fd
}

/// Temporaries come and go with every layer: those of up to 32 MiB (the most that glibc allows
/// here) are kept in the heap, so that their pages are not returned and faulted in anew; larger
/// ones, which long traces bring, are returned.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

/// Whether a command line runs a model. Loading libtorch once more is not worth it for the others.
bool runs_a_model(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  return verb == "find-heads" || verb == "score" || verb == "inspect";
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
      // A GPU's memory in pieces that grow: batches of ever new sizes leave gaps between fixed
      // ones.
      // Older libtorch knows the second name only.
      {"PYTORCH_ALLOC_CONF", "expandable_segments:True"},
      {"PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"},
  };
  const auto is_set = [](const char* name) { return std::getenv(name) != nullptr; };
  const bool own_threads = is_set("OMP_WAIT_POLICY") || is_set("GOMP_SPINCOUNT");
  const bool own_allocator = is_set("PYTORCH_ALLOC_CONF") || is_set("PYTORCH_CUDA_ALLOC_CONF");
  bool complete = true;
  for (const auto& [name, value] : settings) {
    const std::string_view setting = name;
    if ((own_threads && setting.find("OMP_") != std::string_view::npos) ||
        (own_allocator && setting.ends_with("_ALLOC_CONF")))
      continue;  // both, or neither
    complete = complete && is_set(name);
    ::setenv(name, value, /*overwrite=*/0);
  }
  if (!complete) ::execv("/proc/self/exe", argv);  // where that fails the program runs as it is
}

std::vector<std::string> verb_names(const CLI::App& root) {
  std::vector<std::string> names;
  for (const CLI::App* verb : root.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& words) {
  const std::string nearest = air::nearest_word(word, words);
  return nearest.empty() ? "" : "did you mean " + nearest + "? ";
}

/// A command line that CLI11 refuses. It names a missing verb even when one was given that does not
/// exist.
[[noreturn]] void throw_usage(const CLI::App& root, const CLI::ParseError& error) {
  const auto chosen = root.get_subcommands();
  const auto unknown = root.remaining();
  if (chosen.empty() && !unknown.empty() && !unknown.front().starts_with('-')) {
    const std::vector<std::string> verbs = verb_names(root);
    throw air::Error(air::ErrorKind::kUsage, "", "there is no verb \"" + unknown.front() + "\"",
                     did_you_mean(unknown.front(), verbs) +
                         "air --help lists the verbs: " + air::join(verbs, ", "));
  }
  const CLI::App& app = chosen.empty() ? root : *chosen.front();
  const auto extras = app.remaining();
  const bool is_flag = !extras.empty() && extras.front().starts_with("--");
  const std::string flag = is_flag ? extras.front().substr(0, extras.front().find('=')) : "";
  throw air::Error(air::ErrorKind::kUsage, "", error.what(),
                   (is_flag ? did_you_mean(flag, flag_names(app)) : "") + "air " +
                       (chosen.empty() ? "" : app.get_name() + " ") + "--help lists the flags");
}

void run_verb(const air::Verb& verb) {
  air::apply_config_layers(*verb.app);
  air::apply_message_flags(*verb.app);
  if (const auto config = air::requested_config(*verb.app))
    std::fputs(config->c_str(), stdout);
  else
    verb.run();
}

int parse_and_run(int argc, char** argv) {
  CLI::App root{
      "Tells which reasoning traces, and which steps inside a trace, carry the reasoning.", "air"};
  air::set_help(
      root, {.example = "air find-heads --model DIR -o heads.json\n"
                        "air score --model DIR --heads heads.json traces.jsonl -o scored.jsonl\n"
                        "air select scored.jsonl --top-k 1000 -o subset.jsonl\n"
                        "air report scored.jsonl --heads heads.json -o report.html",
             .details = {}});
  bool verbose = false;
  CLI::Option* verbose_flag =
      root.add_flag("-v,--verbose", verbose, "With --version: the devices and threads too");
  CLI::Option* version_flag = root.set_version_flag(
      "--version",
      [&verbose] {
        return "air " + air::build_identity() + ", " + air::torch_line() +
               (verbose ? "\n" + air::runtime_lines() : "");
      },
      "The version, the torch it was built against, and the one it runs on");
  verbose_flag->needs(version_flag);
  std::string generated;
  root.add_option_function<std::string>(
          "--generate",
          [&generated](const std::string& what) {
            generated = what;
            throw CLI::Success();
          },
          "Print shell completions or the manual page: complete-bash, complete-zsh, "
          "complete-fish, man")
      ->check(CLI::IsMember({"man", "complete-bash", "complete-zsh", "complete-fish"}))
      ->type_name("WHAT");
  root.require_subcommand(1);
  root.failure_message(CLI::FailureMessage::simple);
  const std::vector<air::Verb> verbs = {
      air::add_find_heads(root),      air::add_score(root), air::add_select(root),
      air::add_report(root),          air::add_show(root),  air::add_inspect(root),
      air::add_export_reference(root)};
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments.front() == "help") {  // air help [VERB]
    arguments.erase(arguments.begin());
    const std::vector<std::string> names = verb_names(root);
    const bool is_known = arguments.empty() ||
                          std::find(names.begin(), names.end(), arguments.front()) != names.end();
    if (is_known) arguments.emplace_back("--help");  // else the parser says that there is none
  }
  air::show_brief_help(std::find(arguments.begin(), arguments.end(), "--help") == arguments.end());
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
  try {
    root.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    std::fputs(root.help().c_str(), stdout);
    return 0;
  } catch (const CLI::CallForVersion& e) {
    std::printf("%s\n", e.what());
    return 0;
  } catch (const CLI::Success&) {
    std::fputs(air::generated_text(root, generated).c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& e) {
    throw_usage(root, e);
  }
  for (const air::Verb& verb : verbs)
    if (verb.app->parsed()) run_verb(verb);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  if (runs_a_model(argc, argv)) start_with_settings(argv);
  watch_faults();
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a failed write, answered by ClosedPipe
  std::signal(SIGXFSZ,
              SIG_IGN);  // so is a file at the limit of its size, answered like a full disk
  keep_freed_memory();
  air::init_log(air::Verbosity::kNormal, air::When::kAuto);
  int code = 0;
  try {
    code = parse_and_run(argc, argv);
  } catch (const air::ClosedPipe&) {
  } catch (const air::Interrupted& e) {
    print_error("", "interrupted", e.message);
    code = kExitInterrupted;
  } catch (const std::exception& e) {
    code = report_error(e);
  }
  // --help, --version and --print-config are written here.
  if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0) && code == 0 && errno != EPIPE) {
    print_error("<stdout>", std::string("writing failed: ") + std::strerror(errno), "");
    code = static_cast<int>(air::ErrorKind::kResource);
  }
  // The destructors of libtorch's globals take time and do nothing for us.
  ::_exit(code);
}
