#!/usr/bin/env bash
# Runs a data pipeline in a lease; its result goes back as a CAR and is checked against its CID: pipeline.sh LEASE FOLDER
set -euo pipefail
lease=$1 folder=$2
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)

scp -q "$here/pipeline.py" "lease-$lease:"
ssh "lease-$lease" "python3 pipeline.py /mnt/fashion-mnist summary"

# The provider packs it and names its CID in the lease's final statement; every block of what comes back has to hash to it.
manifest=$(shale results pack "$lease:summary")
cid=$(jq -r .payloadCid <<<"$manifest")
shale results get "$lease" "$cid" "$folder"
echo "CID $cid, piece $(jq -r .pieceCid <<<"$manifest")"
