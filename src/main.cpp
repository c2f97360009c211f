// The program `air`: the verbs that run no model. All else is handed over to the program air-torch.
#include "base/system_error.h"
#include "program/program.h"
#include "program/torch_program.h"
#include "report/command.h"
#include "select/command.h"
#include "show/command.h"

int main(int argc, char** argv) {
  air::run_program(
      argc, argv,
      {.verbs = {{"select", air::add_select}, {"report", air::add_report}, {"show", air::add_show}},
       .version = [](bool) { return std::string(); },
       .explain = air::explain_system,
       .hand_over = [argv] { air::become_torch_program(argv); }});
}
