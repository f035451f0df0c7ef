# The main job, end to end; sourced by ./shale. Every step is a command that a person could type.
#   ./shale demo [--fast] [--keep]

run_demo() {
  local epochs=6 argument
  keep=
  for argument in "$@"; do
    case $argument in
      --fast) epochs=1 ;;
      --keep) keep=1 ;;
      *) echo "shale: demo knows --fast and --keep, not $argument" >&2; exit 64 ;;
    esac
  done
  demo=$(mktemp -d "${TMPDIR:-/tmp}/shale-demo-XXXXXX")
  export SHALE_HOME=$demo/client SHALE_NETWORK=devnet
  unset SHALE_WALLET SHALE_PASSPHRASE_FILE SHALE_WALLET_PASSPHRASE_FILE
  port=$((20000 + RANDOM % 20000)); daemon= panel=
  trap 'demo_stop' EXIT

  step "A chain of its own, with the market on it"
  "$cli" devnet --detach --port=$((port + 1)) >"$demo/devnet.log" 2>&1 || { cat "$demo/devnet.log" >&2; exit 1; }
  tell "$(sed -n 's/^market */market /p' "$demo/devnet.log")"

  step "A provider registers, takes Fashion-MNIST into its store, and offers this machine for 0.01 FIL a minute"
  local provider=(--state_dir="$demo/provider" --wallet=provider)
  "$cli" provider register "${provider[@]}" --endpoint=127.0.0.1:$port --miner=f01946720 2>/dev/null >"$demo/provider.log"
  cid=$("$cli" dataset add /usr/share/datasets/fashion-mnist --store="$demo/provider/data" 2>"$demo/dataset.log" | grep -oE '\bbaf[a-z2-7]+' | head -1)
  [ -n "$cid" ] || { echo "shale: the data set could not be added" >&2; exit 1; }
  "$cli" offer put "${provider[@]}" --price=0.01fil/min --image=debian=shale/debian:12 --dataset="$cid" --store="$demo/provider/data" >>"$demo/provider.log"
  "$cli" daemon "${provider[@]}" --listen=127.0.0.1:$port --interval=2 --window=6 --grace=2 >"$demo/daemon.log" 2>&1 &
  daemon=$!
  demo_until "$demo/daemon.log" "serving SSH" "operating provider"

  step "A client looks around"
  "$cli" list --data="$cid" | sed 's/^/    /'

  step "It orders a container next to the data: order, acceptance, deposit, all on chain"
  ssh-keygen -q -t ed25519 -N '' -f "$demo/id"
  "$cli" agent init --insecure-no-passphrase >/dev/null 2>&1
  "$cli" give-me-container --miner=f01946720 --price=0.01fil/min --num_cpus=2 --num_rams=2Gi --image=debian --mnt="$cid:/mnt/fashion-mnist" \
    --ssh_pubkey="$demo/id.pub" --max-spend=0.5fil --yes >"$demo/order.out" 2>"$demo/order.log" || { cat "$demo/order.log" >&2; exit 1; }
  sed 's/^shale: /    /' "$demo/order.log"
  lease=$(sed -n 's/^ssh .*lease-\([0-9]*\)$/\1/p' "$demo/order.out")
  local ssh=(-F "$SHALE_HOME/ssh_config" -o BatchMode=yes)

  step "Stock scp and ssh; the model trains on the mounted data while vouchers flow"
  "$cli" agent keep "$lease" >"$demo/keep.log" 2>&1 &
  demo_wait ssh "${ssh[@]}" "lease-$lease" true
  scp -q "${ssh[@]}" "$SHALE_ROOT/docs/examples/train.py" "lease-$lease:/root/train.py"
  "$cli" session "$lease" --interval=10s 2>/dev/null | sed -u 's/  */ /g; s/^/    /' & panel=$!
  ssh "${ssh[@]}" "lease-$lease" "python3 /root/train.py /mnt/fashion-mnist /root/model.npz $epochs" | sed 's/^/    /'
  pkill -f "session $lease --interval=10s" 2>/dev/null || true; wait $panel 2>/dev/null || true; panel=
  tell "$("$cli" session "$lease" --once | sed 's/  */ /g')"

  step "The client stops paying for a moment: the container freezes; it pays again: it goes on"
  "$cli" agent stop "$lease" >/dev/null 2>&1
  demo_state Paused; tell "frozen: $(demo_message)"
  "$cli" agent resume "$lease" >/dev/null 2>&1
  demo_state Serving; tell "goes on"

  step "The model goes back as a CAR; the client checks it against its CID"
  result=$("$cli" results pack "$lease:/root/model.npz" 2>"$demo/results.log" | sed -n 's/.*"payloadCid": *"\([^"]*\)".*/\1/p')
  [ -n "$result" ] || { cat "$demo/results.log" >&2; exit 1; }
  "$cli" results get "$lease" "$result" "$demo/model.npz" 2>>"$demo/results.log" | sed 's/^/    /'

  step "The lease ends: one proof, the contract pays the provider and refunds the client"
  "$cli" stop "$lease" 2>"$demo/stop.log" | sed 's/^/    /'
  demo_until "$demo/daemon.log" "are settled and final"
  tell "$(sed -n 's/^operator: [^ ]* \(page .*settled and final.*\)/\1/p' "$demo/daemon.log" | tail -1)"
  "$cli" provider withdraw --wallet=provider | sed 's/^/    /'
  "$cli" rate "$lease" 5 "close to the data" | sed 's/^/    /'

  step "Anyone can audit what was signed, against the log and the chain"
  for _ in $(seq 100); do [ "$(cat "$demo/provider/status/$lease.settled" 2>/dev/null)" ] && break; sleep 0.2; done
  sleep 2
  "$cli" audit "$demo/provider/log" --key="$(cat "$demo/provider/log.pub")" --chain | sed 's/^/    /'
  echo
  echo "Everything is in $demo: voucher log (provider/log), proof (provider/operator/settlements/settled), transactions"
  echo "(client/transactions), the chain (client/devnet), the model, and what both sides said."
}

step() { echo; echo "$*"; }
tell() { echo "    $*"; }

demo_message() { tr -d '\n' <"$demo/provider/status/$lease.json" | sed -n 's/.*"message": *"\([^"]*\)".*/\1/p'; }

# Waits up to a minute for what the gateway says of the lease.
demo_state() {
  for _ in $(seq 300); do grep -q "\"$1\"" "$demo/provider/status/$lease.json" && return; sleep 0.2; done
  echo "shale: lease $lease did not become $1; see $demo/daemon.log" >&2; exit 1
}

# Waits up to two minutes until a file has all of these lines.
demo_until() {
  local file=$1 text; shift
  for text in "$@"; do
    for _ in $(seq 600); do grep -q "$text" "$file" && continue 2; sleep 0.2; done
    cat "$file" >&2; exit 1
  done
}

demo_wait() { for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.3; done; "$@"; }

demo_stop() {
  local status=$?
  [ -z "$panel" ] || pkill -f "session $lease --interval=10s" 2>/dev/null || true
  if [ -n "$keep" ] && [ "$status" = 0 ]; then
    echo "Still running (--keep). To play: export SHALE_HOME=$SHALE_HOME SHALE_NETWORK=devnet; to end it: kill $daemon; $cli devnet stop; $cli agent quit"
    return
  fi
  if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; fi
  "$cli" agent quit >/dev/null 2>&1 || true
  "$cli" devnet stop >/dev/null 2>&1 || true
  # A run that failed may leave a container: the daemon's, by its gateway's name.
  if [ -f "$demo/provider/instance" ]; then
    docker ps -aq --filter "name=$(cat "$demo/provider/instance")" | xargs -r docker rm -f >/dev/null 2>&1 || true
  fi
}
