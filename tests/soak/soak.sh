#!/usr/bin/env bash
# Soak: clients connect, work and vanish at random, for as long as one likes; then nothing may have been left behind.
#   tests/soak/soak.sh SECONDS [CLIENTS]      86400 for a day
# Ends with "soak: ok" and 0, or with what was left. Needs root, Docker and a build of Shale. Once a minute, and at the end, a line of figures.
set -uo pipefail
seconds=${1:?seconds} clients=${2:-6}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
shale=$root/src/Shale.Cli/bin/Release/net10.0/shale
folder=$(mktemp -d "${TMPDIR:-/tmp}/shale-soak-XXXXXX")
port=$((20000 + RANDOM % 20000))
finish() {
  rm -f "$folder"/state/leases/*.json
  for _ in $(seq 100); do grep -q '"Ended"' "$folder"/state/status/*.json 2>/dev/null && break; sleep 0.2; done
  kill "$gateway" 2>/dev/null; wait "$gateway" 2>/dev/null
  rm -rf "$folder"
}
ssh-keygen -q -t ed25519 -N '' -f "$folder/id"
head -c 3000000 /dev/urandom >"$folder/file"
"$shale" gateway --state_dir="$folder/state" --listen=127.0.0.1:$port >"$folder/log" 2>&1 &
gateway=$!
trap finish EXIT
for _ in $(seq 150); do [ -f "$folder/state/hostkeys/ssh_host_ed25519_key.pub" ] && break; sleep 0.2; done
lease=$("$shale" lease-container --detach --state_dir="$folder/state" --listen=127.0.0.1:$port --ssh_pubkey="$folder/id.pub" --image=shale/debian:12) || { cat "$folder/log"; exit 1; }
lease=${lease##* }; lease=${lease%%@*}
container=$(sed -n 's/.*"container": *"\([0-9a-f]*\)".*/\1/p' "$folder/state/status/$lease.json")
common=(-i "$folder/id" -F /dev/null -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes)
ssh=(ssh -p $port "${common[@]}") at=$lease@127.0.0.1

# One piece of work, cut off in its middle as often as not.
work() {
  local limit=$((1 + RANDOM % 4)).$((RANDOM % 10)) n=$RANDOM
  case $((RANDOM % 8)) in
    0) timeout -s KILL "$limit" "${ssh[@]}" "$at" 'head -c 50000000 /dev/zero' >/dev/null ;;
    1) timeout -s KILL "$limit" "${ssh[@]}" "$at" 'cat >/dev/null' <"$folder/file" ;;
    2) timeout -s KILL "$limit" "${ssh[@]}" -tt "$at" 'sleep 60' </dev/null >/dev/null ;;
    3) timeout -s KILL "$limit" scp -P $port "${common[@]}" "$folder/file" "$at:/tmp/f$n" ;;
    4) timeout -s KILL "$limit" scp -O -P $port "${common[@]}" "$at:/bin/bash" "$folder/got$n"; rm -f "$folder/got$n" ;;
    5) timeout -s KILL "$limit" "${ssh[@]}" -N -D "127.0.0.1:$((30000 + n % 20000))" "$at" ;;
    6) timeout -s KILL "$limit" "${ssh[@]}" -N -R "0:127.0.0.1:1" "$at" 2>/dev/null ;;
    7) "${ssh[@]}" "$at" 'rm -f /tmp/f*; true' ;;
  esac
} 2>/dev/null

descriptors() { ls "/proc/$gateway/fd" | wc -l; }
memory() { awk '/^VmRSS/{print int($2/1024)}' "/proc/$gateway/status"; }
# Process 1, the helper, and the ssh that asks.
processes() { docker top "$container" -eo pid,args | tail -n +2 | grep -vc '/.shale/helper'; }
figures() { echo "soak: $1 s, $(memory) MiB, $(descriptors) descriptors, $(processes) processes of sessions"; }

rounds() { while [ "$SECONDS" -lt "$1" ]; do for _ in $(seq "$clients"); do work & done; wait $(jobs -p | grep -vx "$gateway"); [ $((SECONDS % 60)) -gt 8 ] || figures $SECONDS; done; }
settle() { for _ in $(seq 60); do sleep 1; [ "$(processes)" = 0 ] && [ "$(descriptors)" -le "$1" ] && return; done; }

# The first fifth, a quarter of an hour at most, warms up: what is held then is the measure.
warm=$((seconds / 5)); [ $warm -le 900 ] || warm=900
rounds $warm; settle 100000; sleep 3
descriptors0=$(descriptors) memory0=$(memory)
figures "warm after $SECONDS"
rounds "$seconds"; settle $((descriptors0 + 10))
figures $SECONDS
bad=
[ "$(processes)" = 0 ] || { bad=1; echo "soak: processes were left:"; docker top "$container" -eo pid,args; }
[ "$(descriptors)" -le $((descriptors0 + 20)) ] || { bad=1; echo "soak: descriptors grew from $descriptors0 to $(descriptors)"; }
[ "$(memory)" -le $((memory0 + memory0 / 2 + 64)) ] || { bad=1; echo "soak: memory grew from $memory0 to $(memory) MiB"; }
[ "$("${ssh[@]}" "$at" echo alive)" = alive ] || { bad=1; echo "soak: the lease is not served any more"; }
[ "$(docker inspect -f '{{.State.Running}}' "$container")" = true ] || { bad=1; echo "soak: the container was lost"; }
grep -E ' (fail|crit): ' "$folder/log" && { bad=1; echo "soak: the gateway logged errors"; }
[ -z "$bad" ] && echo "soak: ok"
