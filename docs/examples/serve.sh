#!/usr/bin/env bash
# Trains a model in a lease, serves it there, and asks it through a forwarded port: serve.sh LEASE
set -euo pipefail
lease=lease-$1 data=/mnt/fashion-mnist images=200
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
local_port=${PORT:-18000}

scp -q "$here/train.py" "$here/serve.py" "$lease:"
ssh "$lease" "[ -f model.npz ] || python3 train.py $data model.npz 1"

# The server listens inside the container only, and outlives this connection: what ignores SIGHUP does, from its first moment on.
ssh "$lease" 'trap "" HUP; setsid python3 serve.py model.npz 8000 >serve.log 2>&1 </dev/null & echo $! >serve.pid'
ssh -N -o ExitOnForwardFailure=yes -L "127.0.0.1:$local_port:127.0.0.1:8000" "$lease" & forward=$!
trap 'kill $forward 2>/dev/null; ssh "$lease" "kill \$(cat serve.pid)"' EXIT
for _ in $(seq 60); do curl -sf "http://127.0.0.1:$local_port/" >/dev/null && break; sleep 1; done

# The first images that the model never saw, and what they are.
ssh "$lease" "zcat $data/t10k-images-idx3-ubyte.gz | tail -c +17 | head -c $((784 * images))" >images
ssh "$lease" "zcat $data/t10k-labels-idx1-ubyte.gz | tail -c +9 | head -c $images" | od -An -v -tu1 -w1 | tr -d ' ' >labels
curl -sf --data-binary @images "http://127.0.0.1:$local_port/" >answers
echo "$(paste labels answers | awk '$1 == $2' | wc -l) of $(wc -l <answers) right; the first is: $(sed -n '1s/^[0-9]* *//p' answers)"
