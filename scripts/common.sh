# shellcheck shell=bash
# Shared by the project's scripts, which begin with: cd "$(dirname "$0")/.." && source scripts/common.sh
# A script stops at the first command that fails, and says which one it was.
set -Eeuo pipefail
script_name=$(basename "$0" .sh)
[ "$script_name" != run ] || script_name=ci
case "$0" in  # the script has left the folder that its name is relative to
  /*) script_file=$0 ;;
  *) script_file=$OLDPWD/$0 ;;
esac

say() { printf '%s: %s\n' "$script_name" "$*" >&2; }
die() { printf '%s: error: %s\n' "$script_name" "$*" >&2; exit 1; }

# Command substitutions run in subshells: they keep quiet, and the command around them is reported.
report_failure() {
  local code=$1 line=$2 command=$3
  [ "$BASH_SUBSHELL" = 0 ] || exit "$code"
  printf '%s: error: line %s: this command failed (exit %s): %s\n' "$script_name" "$line" "$code" "$command" >&2
  printf 'hint: its own message is above; %s --help says what the script needs\n' "$0" >&2
}
trap 'report_failure $? $LINENO "$BASH_COMMAND"' ERR

# Prints the comment at the top of the script.
print_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$script_file"; }

# For scripts without arguments of their own to read: prints help when --help or -h comes first.
help_if_asked() {
  case "${1:-}" in
    -h | --help) print_help; exit 0 ;;
  esac
}
