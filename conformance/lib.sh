# shellcheck shell=bash
# What the checks share: tools in a cache outside the tree, a running service, a row for each check, a table at the end.
#
#   TESSERA=FILE          the executable, .build/release/tessera unless given
#   TESSERA_TOOLS=FOLDER  the cache, ~/.cache/tessera/conformance
#   CHECK_ROWS=FILE       takes the rows, separated by tabs; the caller makes the table
#   CHECK_PART=NAME       stands before what a row says
#
# Sourced. A script ends with `finish_checks`, which is 1 where a check failed.
set -uo pipefail
# shellcheck disable=SC2034
root=$PWD
binary=$(realpath -m "${TESSERA:-.build/release/tessera}")
cache=${TESSERA_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/tessera/conformance}
work=$(mktemp -d)
started=()
own_rows=${CHECK_ROWS:-$work/rows}
failed=0
PATH=$PATH:$cache/debian/usr/bin:$cache/debian/usr/sbin:/usr/sbin
# The service is on the loopback, whatever proxy the rest goes through.
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost

leave() {
  for id in "${started[@]}"; do kill "$id" 2>/dev/null; done
  for id in "${started[@]}"; do wait "$id" 2>/dev/null; done
  rm -rf "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM

# row WHAT TOOL RESULT SECONDS
row() {
  printf '%s\t%s\t%s\t%s\n' "${CHECK_PART:+$CHECK_PART: }$1" "$2" "$3" "$4" >>"$own_rows"
  printf '%s, by %s: %s\n' "$1" "$2" "$3"
}

# check WHAT TOOL COMMAND…: a row of the table, and what the command said where it failed. Lines that begin with OK or
# FAIL are checks of its own.
check() {
  local what=$1 tool=$2 begin=$EPOCHREALTIME result=ok seconds count
  shift 2
  "$@" >"$work/log" 2>&1 || result=FAILED
  seconds=$(((${EPOCHREALTIME/./} - ${begin/./} + 500000) / 1000000))
  count=$(grep -c '^OK ' "$work/log")
  [ "$count" -eq 0 ] || result+=", $count of $(grep -c -E '^(OK|FAIL) ' "$work/log")"
  row "$what" "$tool" "$result" "$seconds"
  case $result in ok*) return ;; esac
  failed=$((failed + 1))
  cut -c -1000 "$work/log" | sed 's/^/    /'
  return 1
}

# skip WHAT TOOL REASON
skip() { row "$1" "$2" "not run: $3" ""; }

# need WHAT TOOL: whether there is the tool, else the row that says so.
need() {
  command -v "$2" >/dev/null && return
  skip "$1" "$2" "no $2"
  return 1
}

table() {
  local rows=$1
  printf '\n'
  awk -F '\t' '
    { line[NR] = $0; if (length($1) > what) what = length($1); if (length($2) > tool) tool = length($2) }
    $3 ~ /^ok/ { passed++ } $3 ~ /^FAILED/ { failed++ } $3 ~ /^not run/ { skipped++ }
    END {
      printf "%-*s  %-*s  %7s  %s\n", what, "what", tool, "by", "seconds", "result"
      for (i = 1; i <= NR; i++) {
        split(line[i], f, "\t"); printf "%-*s  %-*s  %7s  %s\n", what, f[1], tool, f[2], f[4], f[3]
      }
      printf "\n%d passed, %d failed, %d not run\n", passed, failed, skipped
    }' "$rows"
}

finish_checks() {
  [ -n "${CHECK_ROWS:-}" ] || table "$own_rows"
  [ "$failed" -eq 0 ]
}

# python_tools FILE: a virtual environment with what the file requires; sets `python`, and puts its programs on PATH.
python_tools() {
  local folder
  folder=$cache/$(sha256sum <"$1" | cut -c 1-16)
  if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    { python3 -m venv "$folder" && "$folder/bin/pip" install -q --disable-pip-version-check -r "$1" \
      && touch "$folder/complete"; } || echo "$1: could not be installed" >&2
  fi
  # shellcheck disable=SC2034
  python=$folder/bin/python3
  PATH=$folder/bin:$PATH
}

# debian PACKAGE PROGRAM: unpacks a Debian package into the cache, where its program is missing.
debian() {
  command -v "$2" >/dev/null && return
  command -v apt-get >/dev/null || return
  mkdir -p "$cache/packages"
  (
    cd "$cache/packages" || exit
    rm -f "$1"_*.deb
    apt-get download -q "$1" || { apt-get update -q && apt-get download -q "$1"; }
    dpkg -x "$1"_*.deb "$cache/debian"
  ) >"$work/log" 2>&1 || cat "$work/log"
}

# install_debian PACKAGE PROGRAM: installs one with many dependencies, where its program is missing and we may.
install_debian() {
  local sudo=()
  command -v "$2" >/dev/null && return
  command -v apt-get >/dev/null || return
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || return
    sudo=(sudo)
  fi
  {
    "${sudo[@]}" apt-get update -q \
      && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$1"
  } >"$work/log" 2>&1 || cat "$work/log"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# until_is TEXT COMMAND…: waits until the command prints the text, a minute at most.
until_is() {
  local wanted=$1
  shift
  for _ in {1..300}; do
    [ "$("$@" 2>/dev/null)" = "$wanted" ] && return
    sleep 0.2
  done
  echo "waited a minute for '$wanted' of: $*"
  return 1
}

# is WANTED FOUND WHAT
is() {
  [ "$1" = "$2" ] && return
  echo "$3: expected '$1', found '$2'"
  return 1
}

status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }

# start_service OPTION…: sets `service`, its id, `port` and `url`, and waits until it is ready.
start_service() {
  [ -x "$binary" ] || { echo "there is no executable $binary; 'make build' makes it"; return 1; }
  port=$(free_port)
  url=http://127.0.0.1:$port
  "$binary" serve --listen "127.0.0.1:$port" "$@" >"$work/service.log" 2>&1 &
  service=$!
  started+=("$service")
  for _ in {1..600}; do
    [ "$(status "$url/health/ready")" = 200 ] && return
    kill -0 "$service" 2>/dev/null || break
    sleep 0.2
  done
  cat "$work/service.log"
  return 1
}

# Ends the service, whose exit code is the result.
stop_service() {
  kill -TERM "$service"
  wait "$service"
}

# known_answers: makes $work/answer.json, what the command line says of docs/chelsea.jpg, and $work/picture.png, what it
# makes of that again, which is docs/chelsea-512.png but for a level where another processor rounds otherwise.
known_answers() {
  "$binary" encode docs/chelsea.jpg >"$work/answer.json" \
    && "$binary" decode --out "$work/picture.png" "$work/answer.json" \
    && "$python" conformance/pixels.py "$work/picture.png" docs/chelsea-512.png
}
