// The program `air-torch`, which `air` becomes for what needs libtorch: all verbs.
#include <sys/prctl.h>

#include "cli/version.h"
#include "export_reference/command.h"
#include "find_heads/command.h"
#include "inspect/command.h"
#include "model/code_memory.h"
#include "model/cpu_lists.h"
#include "model/torch_error.h"
#include "model/torch_info.h"
#include "program/program.h"
#include "report/command.h"
#include "score/command.h"
#include "select/command.h"
#include "show/command.h"

int main(int argc, char** argv) {
  ::prctl(PR_SET_NAME, "air");  // as ps shows it
  air::watch_code_memory(air::end_program);
  air::watch_cpu_lists(air::end_program);
  air::run_program(argc, argv,
                   {.verbs = {{"find-heads", air::add_find_heads},
                              {"score", air::add_score},
                              {"select", air::add_select},
                              {"report", air::add_report},
                              {"show", air::add_show},
                              {"inspect", air::add_inspect},
                              {"export-reference", air::add_export_reference}},
                    .version =
                        [](bool verbose) {
                          return "air " + air::build_identity() + ", " + air::torch_line() +
                                 (verbose ? "\n" + air::runtime_lines() : "");
                        },
                    .explain = air::explain});
}
