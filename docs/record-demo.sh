#!/usr/bin/env bash
# Runs ./shale demo and puts what it prints into README.md, between the marks. Nothing is changed but the name of its folder.
#   docs/record-demo.sh [FILE]    FILE: what a run printed before, instead of a new run
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
printed=$(mktemp); trap 'rm -f "$printed"' EXIT
if [ $# -gt 0 ]; then cat "$1" >"$printed"; else "$root/shale" demo | tee "$printed"; fi
sed -i -E 's|/[^ ]*/shale-demo-[A-Za-z0-9]+|/tmp/shale-demo|g' "$printed"
awk -v printed="$printed" '
  /^<!-- demo: / { print; print ""; print "```text"; while ((getline line < printed) > 0) if (line != "" || seen++) print line; print "```"; print ""; skip = 1; next }
  /^<!-- \/demo -->/ { skip = 0 }
  !skip { print }' "$root/README.md" >"$root/README.md.new"
mv "$root/README.md.new" "$root/README.md"
