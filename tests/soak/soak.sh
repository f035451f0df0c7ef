#!/usr/bin/env bash
# Soak: clients connect, work and vanish at random, for as long as one likes, leases come and go; then nothing may have been left behind.
#   tests/soak/soak.sh SECONDS [CLIENTS]      86400 for a day
# Ends with "soak: ok" and 0, or with what was left. Needs root, Docker and a build of Shale. Once a minute, and at the end, a line of figures.
set -uo pipefail
[ "$(id -u)" = 0 ] || { echo "soak: it needs root" >&2; exit 77; }
seconds=${1:?seconds} clients=${2:-6}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
shale=$root/src/Shale.Cli/bin/Release/net10.0/shale
folder=$(mktemp -d "${TMPDIR:-/tmp}/shale-soak-XXXXXX")
# Below what the kernel gives out by itself.
port=$((12000 + RANDOM % 20000))
finish() {
  rm -f "$folder"/state/leases/*.json
  for _ in $(seq 300); do grep -L '"Ended"' "$folder"/state/status/*.json 2>/dev/null | grep -q . || break; sleep 0.2; done
  kill "$gateway" 2>/dev/null; wait "$gateway" 2>/dev/null
  rm -rf "$folder"
}
ssh-keygen -q -t ed25519 -N '' -f "$folder/id"
head -c 3000000 /dev/urandom >"$folder/file"
"$shale" gateway --state_dir="$folder/state" --listen=127.0.0.1:$port --admin=127.0.0.1:$((port + 1)) >"$folder/log" 2>&1 &
gateway=$!
trap finish EXIT
for _ in $(seq 600); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.2; done
lease=$("$shale" lease-container --detach --state_dir="$folder/state" --listen=127.0.0.1:$port --ssh_pubkey="$folder/id.pub" --image=shale/debian:12) || { cat "$folder/log"; exit 1; }
lease=${lease##* }; lease=${lease%%@*}
container=$(sed -n 's/.*"container": *"\([0-9a-f]*\)".*/\1/p' "$folder/state/status/$lease.json")
common=(-i "$folder/id" -F /dev/null -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes)
ssh=(ssh -p $port "${common[@]}") at=$lease@127.0.0.1

# What a login takes on this machine: who is cut off is to be in, as a rule.
"${ssh[@]}" "$at" true; login=$SECONDS; "${ssh[@]}" "$at" true; login=$((SECONDS - login))

# One piece of work, cut off in its middle as often as not. From an address of its own: who is cut off before it is in is held against its address, as by sshd, and all from one would lock it out.
work() {
  local limit=$((1 + 2 * login + RANDOM % 4)).$((RANDOM % 10)) n=$RANDOM
  local from=127.$((1 + RANDOM % 200)).$((RANDOM % 250)).$((1 + RANDOM % 250)) cut=(timeout -s KILL "$limit")
  common+=(-o BindAddress="$from") ssh=(ssh -p $port "${common[@]}")
  case $((RANDOM % 13)) in
    0) "${cut[@]}" "${ssh[@]}" "$at" 'head -c 50000000 /dev/zero' >/dev/null ;;
    1) "${cut[@]}" "${ssh[@]}" "$at" 'cat >/dev/null' <"$folder/file" ;;
    2) "${cut[@]}" "${ssh[@]}" -tt "$at" 'sleep 60' </dev/null >/dev/null ;;
    3) "${cut[@]}" scp -P $port "${common[@]}" "$folder/file" "$at:/tmp/f$n" ;;
    4) "${cut[@]}" scp -O -P $port "${common[@]}" "$at:/bin/bash" "$folder/got$n"; rm -f "$folder/got$n" ;;
    5) "${cut[@]}" "${ssh[@]}" -N -D "127.0.0.1:$((30000 + n % 20000))" "$at" ;;
    6) "${cut[@]}" "${ssh[@]}" -N -R "0:127.0.0.1:1" "$at" ;;
    7) "${ssh[@]}" "$at" 'rm -rf /tmp/f* /tmp/r*; true' ;;
    8) "${cut[@]}" sftp -P $port "${common[@]}" -b - "$at" <<<"put $folder/file /tmp/f$n"$'\n'"ls -l /usr/bin"$'\n'"get /bin/bash $folder/got$n"$'\n'"rename /tmp/f$n /tmp/fr$n" >/dev/null; rm -f "$folder/got$n" ;;
    9) "${cut[@]}" rsync -a -e "ssh -p $port ${common[*]}" "$root/docs/" "$at:/tmp/r$((n % 4))/" ;;
    10) "${cut[@]}" "${ssh[@]}" -W /tmp/echo.sock "$at" <"$folder/file" | "${cut[@]}" cat >/dev/null ;;
    11) "${cut[@]}" "${ssh[@]}" -N -R "/tmp/f$n.sock:$folder/nobody" "$at" ;;
    12) churn ;;
  esac
} >/dev/null 2>&1

# A lease that is made, used and ended, one at a time.
churn() {
  mkdir "$folder/churn" 2>/dev/null || return
  local other
  other=$("$shale" lease-container --detach --state_dir="$folder/state" --listen=127.0.0.1:$port --ssh_pubkey="$folder/id.pub" --image=shale/busybox:1)
  other=${other##* }; other=${other%%@*}
  if [ -n "$other" ]; then
    "${cut[@]}" "${ssh[@]}" "$other@127.0.0.1" 'head -c 50000000 /dev/zero'
    rm -f "$folder/state/leases/$other.json"
  fi
  rmdir "$folder/churn"
}

# Not of the runtime's own libraries, which are opened when they are first needed.
descriptors() { ls -l "/proc/$gateway/fd" 2>/dev/null | grep -vc '\.dll$'; }
threads() { ls "/proc/$gateway/task" | wc -l; }
# Its own, not files' or code's.
memory() { awk '/^RssAnon/{print int($2/1024)}' "/proc/$gateway/status"; }
# What sessions run: neither the helper nor the server that forwards are led to.
processes() { docker top "$container" -eo pid,args | tail -n +2 | grep -vc -e '/.shale/helper' -e 7007; }
helpers() { docker top "$container" -eo pid,args | grep -c '/.shale/helper'; }
children() { pgrep -c -P "$gateway"; }
containers() { docker ps -aq --filter "name=^shale-$(cat "$folder/state/instance")-" | wc -l; }
sessions() { curl -s "http://127.0.0.1:$((port + 1))/metrics" | awk '/^shale_gateway_sessions_total/{n+=$2} END{print n+0}'; }
figures() { echo "soak: $1 s, $(sessions) sessions so far, $(memory) MiB, $(descriptors) descriptors, $(threads) threads, $(processes) processes of sessions, $(containers) containers"; }

shown=0
rounds() {
  local pids
  while [ "$SECONDS" -lt "$1" ]; do
    pids=()
    for _ in $(seq "$clients"); do work & pids+=($!); done
    wait "${pids[@]}"
    [ $((SECONDS / 60)) = "$shown" ] || { shown=$((SECONDS / 60)); figures $SECONDS; }
  done
}
settle() { for _ in $(seq 120); do sleep 1; [ "$(processes)" = 0 ] && [ "$(containers)" = 1 ] && [ "$(descriptors)" -le "$1" ] && [ "$(threads)" -le "$2" ] && return; done; }

"${ssh[@]}" "$at" "python3 -c 'import os
if os.fork(): os._exit(0)
os.setsid()
null=os.open(\"/dev/null\", os.O_RDWR)
for f in range(3): os.dup2(null, f)
import socketserver
class Echo(socketserver.BaseRequestHandler):
  def handle(self):
    while d := self.request.recv(65536): self.request.sendall(d)
class Server(socketserver.ThreadingTCPServer):
  allow_reuse_address=daemon_threads=True
Server((\"127.0.0.1\", 7007), Echo).serve_forever()'"

# The first fifth, a quarter of an hour at most, warms up: what is held then is the measure.
warm=$((seconds / 5)); [ $warm -le 900 ] || warm=900
rounds $warm; settle 100000 100000; sleep 3
descriptors0=$(descriptors) memory0=$(memory) threads0=$(threads) helpers0=$(helpers)
figures "warm after $SECONDS"
rounds "$seconds"; settle $((descriptors0 + 10)) $((threads0 + 10))
figures $SECONDS
bad=
[ "$(processes)" = 0 ] || { bad=1; echo "soak: processes were left:"; docker top "$container" -eo pid,args; }
[ "$(sessions)" -ge "$((seconds / 10))" ] || { bad=1; echo "soak: only $(sessions) sessions were served"; }
[ "$(helpers)" -le "$helpers0" ] || { bad=1; echo "soak: helpers were left:"; docker top "$container" -eo pid,args; }
[ "$(children)" = 0 ] || { bad=1; echo "soak: the gateway has children:"; ps --ppid "$gateway" -o pid,args; }
[ "$(containers)" = 1 ] || { bad=1; echo "soak: containers of ended leases were left:"; docker ps -a; }
[ "$(threads)" -le $((threads0 + 20)) ] || { bad=1; echo "soak: threads grew from $threads0 to $(threads)"; }
[ "$(descriptors)" -le $((descriptors0 + 20)) ] || { bad=1; echo "soak: descriptors grew from $descriptors0 to $(descriptors)"; }
[ "$(memory)" -le $((memory0 + memory0 / 2 + 64)) ] || { bad=1; echo "soak: memory grew from $memory0 to $(memory) MiB"; }
# The address may still be held to account for the clients that were cut off early.
for _ in $(seq 60); do alive=$("${ssh[@]}" "$at" echo alive); [ "$alive" = alive ] && break; sleep 2; done
[ "$alive" = alive ] || { bad=1; echo "soak: the lease is not served any more"; }
[ "$(docker inspect -f '{{.State.Running}}' "$container")" = true ] || { bad=1; echo "soak: the container was lost"; }
grep -E ' (fail|crit): ' "$folder/log" && { bad=1; echo "soak: the gateway logged errors"; }
[ -z "$bad" ] && echo "soak: ok"
