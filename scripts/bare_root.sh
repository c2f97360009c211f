#!/usr/bin/env bash
# Runs a command in a fresh clone of the project, inside a bare Debian root that is made for it:
# what works there does not lean on anything that this machine happens to have.
#   scripts/bare_root.sh -- scripts/demo.sh
#   scripts/bare_root.sh --suite trixie --isolated -- scripts/test.sh
#   --suite NAME        Debian's release; default: bookworm
#   --packages A,B      what the root has beyond Debian's essential packages;
#                       default: ca-certificates,python3,git
#   --isolated          share nothing: no caches, no pip configuration of this machine. Certificate
#                       authorities that were added to this machine are copied all the same: behind
#                       a proxy that needs them nothing could be downloaded.
#   --keep              leave the root's folder in place
# Without --isolated, downloads and compiled objects (apt's archives, pip's, ccache's, the demo
# model) are kept in ${AIR_ROOT_CACHE:-~/.cache/air/bare-root} and mounted into the root, whose pip
# reads this machine's configuration. AIR_ROOT_FOLDER=DIR names another place than /var/tmp for the
# root (some GB). Needs root and mmdebstrap. The exit code is the command's.
cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"

suite=bookworm packages=ca-certificates,python3,git isolated=0 keep=0
while [ $# -gt 0 ]; do
  case "$1" in
    --suite) suite=$2; shift 2 ;;
    --packages) packages=$2; shift 2 ;;
    --isolated) isolated=1; shift ;;
    --keep) keep=1; shift ;;
    --) shift; break ;;
    *) die "unknown argument $1 ($0 --help lists what there is)" ;;
  esac
done
[ $# -gt 0 ] || die "no command: $0 --help"
[ "$(id -u)" = 0 ] || die "only root can make a root"
command -v mmdebstrap > /dev/null || die "mmdebstrap is missing (Debian: apt-get install mmdebstrap)"

root=$(mktemp -d "${AIR_ROOT_FOLDER:-/var/tmp}/air-root-XXXXXX")
cache=${AIR_ROOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/air/bare-root}
# shellcheck disable=SC2317  # the trap calls it
remove_root() { [ $keep = 1 ] || rm -rf --one-file-system "$root"; }
trap remove_root EXIT

# ---- the root ------------------------------------------------------------------------------------

make_root() {
  local options=(--variant=minbase --include="$packages" --quiet)
  if [ $isolated = 0 ]; then
    mkdir -p "$cache/apt-$suite"
    options+=(
      --skip=download/empty --skip=essential/unlink
      --setup-hook='mkdir -p "$1/var/cache/apt/archives"'
      --setup-hook="cp -al '$cache/apt-$suite/.' \"\$1/var/cache/apt/archives/\" 2> /dev/null || true"
      --customize-hook="cp -n \"\$1\"/var/cache/apt/archives/*.deb '$cache/apt-$suite/' || true"
    )
  fi
  mmdebstrap "${options[@]}" "$suite" "$root" >&2
}

# The commit that is checked out here, as a stranger would clone it.
clone_project() {
  git clone -q --no-hardlinks "file://$PWD" "$root/air"
  git -C "$root/air" checkout -q "$(git rev-parse HEAD)"
}

# Certificate authorities that were added to this machine.
copy_authorities() {
  local folder=/usr/local/share/ca-certificates
  [ -n "$(ls -A $folder 2> /dev/null)" ] || return 0
  mkdir -p "$root$folder"
  cp -rT "$folder" "$root$folder"
  chroot "$root" update-ca-certificates > /dev/null 2>&1
  local bundle=/etc/ssl/certs/ca-certificates.crt
  settings+=("PIP_CERT=$bundle" "SSL_CERT_FILE=$bundle")
}

# Files and folders of this machine that its pip configuration names. The pages of an index point to
# files beside its folder "simple".
pip_paths() {
  python3 -m pip config list 2> /dev/null | grep -oE "(file://)?/[^' ]+" |
    sed -E 's#^file://##; s#/simple/?$##' | sort -u
}

# Copies pip's configuration, and lists the paths that it names for enter() to mount.
share_pip() {
  local file
  for file in /etc/pip.conf /etc/xdg/pip "${XDG_CONFIG_HOME:-$HOME/.config}/pip" "$HOME/.pip"; do
    [ -e "$file" ] || continue
    mkdir -p "$root$(dirname "$file")"
    cp -rT "$file" "$root$file"
  done
  while read -r file; do
    [ -e "$file" ] && [ ! -e "$root$file" ] || continue
    if [ -d "$file" ]; then mkdir -p "$root$file"; else mkdir -p "$root$(dirname "$file")"; : > "$root$file"; fi
    echo "$file" >> "$root/.mounts"
  done < <(pip_paths)
}

enter() {
  local name
  if [ $isolated = 0 ]; then
    for name in ${!PIP_*}; do settings+=("$name=${!name}"); done
    mkdir -p "$root"/root/.cache/{pip,ccache,air} "$cache"/{pip,ccache,air}
  fi
  # A namespace of its own: its mounts and processes end with the command.
  unshare --mount --pid --fork --kill-child bash -e -c '
    root=$1 cache=$2 isolated=$3 suite=$4
    shift 4
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t sysfs -o ro sysfs "$root/sys"
    if [ "$isolated" = 0 ]; then
      mount --bind "$cache/apt-$suite" "$root/var/cache/apt/archives"
      for name in pip ccache air; do mount --bind "$cache/$name" "$root/root/.cache/$name"; done
      if [ -f "$root/.mounts" ]; then
        while read -r path; do mount --bind -o ro "$path" "$root$path"; done < "$root/.mounts"
      fi
    fi
    cd "$root/air"
    exec chroot "$root" env -i "$@"
  ' bash "$root" "$cache" $isolated "$suite" "${settings[@]}" bash -c 'cd /air && exec "$@"' bash "$@" < /dev/null
}

settings=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  LANG=C.UTF-8 "TERM=${TERM:-dumb}" "CI=${CI:-}")
seconds_since() { echo $((SECONDS - $1)); }

start=$SECONDS
say "making a bare root of Debian $suite with $packages"
make_root
clone_project
copy_authorities
[ $isolated = 1 ] || share_pip
say "the root took $(seconds_since "$start") s; running in it: $*"
start=$SECONDS code=0
enter "$@" || code=$?
say "exit code $code after $(seconds_since "$start") s; the root takes $(du -sxm "$root" | cut -f1) MiB of disk"
exit $code
