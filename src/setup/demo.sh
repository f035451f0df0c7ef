# The main job, as the product stands; sourced by ./shale. Every step is a command that a person could type.
#   ./shale demo [--fast] [--keep]
# Without a chain yet: the lease's terms and the payment key are told to both sides by hand, and nothing is settled.

run_demo() {
  local epochs=6 argument
  keep= gateway= keeper=
  for argument in "$@"; do
    case $argument in
      --fast) epochs=1 ;;
      --keep) keep=1 ;;
      *) echo "shale: demo knows --fast and --keep, not $argument" >&2; exit 64 ;;
    esac
  done
  demo=$(mktemp -d "${TMPDIR:-/tmp}/shale-demo-XXXXXX")
  export SHALE_HOME=$demo/client
  port=$((20000 + RANDOM % 20000))
  trap 'demo_stop "$keep"' EXIT

  step "A provider starts its gateway, and takes Fashion-MNIST into its store"
  "$cli" gateway --state_dir="$demo/provider" --listen=127.0.0.1:$port >"$demo/gateway.log" 2>&1 &
  gateway=$!
  cid=$("$cli" dataset add /usr/share/datasets/fashion-mnist --store="$demo/provider/data" 2>"$demo/dataset.log" | grep -oE '\bbaf[a-z2-7]+' | head -1)
  [ -n "$cid" ] || { echo "shale: the data set could not be added" >&2; exit 1; }
  tell "data set $cid"

  step "A client makes an SSH key and a payment key"
  ssh-keygen -q -t ed25519 -N '' -f "$demo/id"
  # An ssh-agent of the demo's own, so that nothing of the user's is touched.
  eval "$(ssh-agent -s)" >/dev/null
  ssh-add -q "$demo/id"
  "$cli" agent init --insecure-no-passphrase >/dev/null 2>&1
  payer=$("$cli" agent key)
  tell "payment key $payer"

  step "The provider leases a container next to the data, for 0.01 FIL a minute"
  for _ in $(seq 100); do [ -f "$demo/provider/hostkeys/ssh_host_ed25519_key.pub" ] && break; sleep 0.1; done
  local line lease
  line=$("$cli" lease-container --detach --state_dir="$demo/provider" --listen=127.0.0.1:$port --image=shale/debian:12 --num_cpus=2 --num_rams=2Gi \
    --mnt="$cid:/mnt/fashion-mnist" --ssh_pubkey="$demo/id.pub" --price=0.01fil/min --payer="$payer" --deposit=1fil --interval=2 --window=6 --grace=2)
  lease=${line##* }; lease=${lease%%@*}
  tell "$line"
  "$cli" agent add-lease --lease="$lease" --host=127.0.0.1 --port=$port --host_key="$demo/provider/hostkeys/ssh_host_ed25519_key.pub" \
    --price=0.01fil/min --deposit=1fil >/dev/null 2>&1

  step "Unpaid, nothing runs"
  tell "$(ssh -F /dev/null -p $port -i "$demo/id" -o UserKnownHostsFile="$demo/known" -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR "$lease@127.0.0.1" true 2>&1 || true)"

  step "Paid, stock scp and ssh work; the model trains on the mounted data while vouchers flow"
  "$cli" agent keep "$lease" >"$demo/keep.log" 2>&1 &
  keeper=$!
  "$cli" ssh-config >"$demo/ssh_config"
  local ssh=(-F "$demo/ssh_config")
  demo_wait ssh "${ssh[@]}" "lease-$lease" true
  scp -q "${ssh[@]}" "$SHALE_ROOT/docs/examples/train.py" "lease-$lease:/root/train.py"
  ssh "${ssh[@]}" "lease-$lease" "python3 /root/train.py /mnt/fashion-mnist /root/model.npz $epochs" | sed 's/^/    /'
  tell "$("$cli" agent status | sed -n 's/^ *\(.*Spent.*\)/\1/p' | head -1)"

  step "The client stops paying for a moment: the container freezes; it pays again: it goes on"
  "$cli" agent stop "$lease" >/dev/null 2>&1
  demo_state "$lease" Paused; tell "frozen: $(demo_status "$lease")"
  "$cli" agent resume "$lease" >/dev/null 2>&1
  demo_state "$lease" Serving; tell "goes on"

  step "The model comes back, and hashes to what it was in the container"
  scp -q "${ssh[@]}" "lease-$lease:/root/model.npz" "$demo/model.npz"
  local here there
  here=$(sha256sum <"$demo/model.npz"); there=$(ssh "${ssh[@]}" "lease-$lease" "sha256sum </root/model.npz")
  [ "$here" = "$there" ] || { echo "shale: the model changed on the way" >&2; exit 1; }
  tell "sha256 ${here%% *}"

  step "The lease ends; anyone can audit what was signed"
  rm "$demo/provider/leases/$lease.json"
  demo_state "$lease" Ended
  kill "$keeper" 2>/dev/null || true
  kill "$gateway"; wait "$gateway" 2>/dev/null || true; gateway=
  "$cli" audit "$demo/provider/log" --key="$(cat "$demo/provider/log.pub")" | sed 's/^/    /'
  echo
  echo "Everything is in $demo: voucher log, model, logs of both sides."
}

step() { echo; echo "$*"; }
tell() { echo "    $*"; }

demo_status() { tr -d '\n' <"$demo/provider/status/$1.json" | sed -n 's/.*"message": *"\([^"]*\)".*/\1/p'; }

# Waits up to a minute for what the gateway says of a lease.
demo_state() {
  for _ in $(seq 300); do grep -q "\"$2\"" "$demo/provider/status/$1.json" && return; sleep 0.2; done
  echo "shale: lease $1 did not become $2; see $demo/gateway.log" >&2; exit 1
}

demo_wait() { for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.3; done; "$@"; }

demo_stop() {
  local status=$?
  if [ -n "$1" ] && [ "$status" = 0 ]; then echo "Still running (--keep); end it with: kill ${gateway:-}"; return; fi
  rm -f "$demo"/provider/leases/*.json 2>/dev/null || true
  [ -z "${keeper:-}" ] || kill "$keeper" 2>/dev/null || true
  if [ -n "${gateway:-}" ]; then sleep 3; kill "$gateway" 2>/dev/null || true; wait "$gateway" 2>/dev/null || true; fi
  "$cli" agent quit >/dev/null 2>&1 || true
  ssh-agent -k >/dev/null 2>&1 || true
}
