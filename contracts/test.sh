#!/usr/bin/env bash
# Builds the contracts and runs every test of them. The last line is "N passed, N failed"; a skipped test and a missing tool count as failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export FOUNDRY_DISABLE_NIGHTLY_WARNING=1
passed=0 failed=0

finish() { echo "$passed passed, $failed failed"; [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]; exit; }

# One check that is a command: what it printed is shown if it fails.
step() {
  local name=$1 output; shift
  if output=$("$@" 2>&1); then passed=$((passed + 1)); echo "ok   $name"
  else failed=$((failed + 1)); echo "FAIL $name"; tail -40 <<<"$output"; fi
}

forge=node_modules/@foundry-rs/forge/bin.mjs
[ -f "$forge" ] && [ -d node_modules/solc ] || {
  echo "FAIL the tools are missing: run npm ci in contracts"; failed=1; finish
}

# The package's launcher exits 0 whatever forge says, so its words decide.
build() { local output; output=$(node "$forge" build 2>&1); echo "$output"; ! grep -qiE '^(error|warning)|compiler run failed' <<<"$output"; }
step "the contracts build without warnings" build
step "abi/ is what the compiler gives; code fits; everything public is documented" tools/artifacts --check
step "the market deploys from abi/ on anvil and settles real proofs" node test/anvil.mjs

rm -rf out/gas; mkdir -p out/gas
log=$(node "$forge" test 2>&1) || true
grep -vE '^(npm |\[PASS\])' <<<"$log"
summary=$(grep -E '^Ran [0-9]+ test suites? in' <<<"$log" | tail -1)
if [[ $summary =~ ([0-9]+)\ tests?\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped ]]; then
  passed=$((passed + BASH_REMATCH[1])); failed=$((failed + BASH_REMATCH[2] + BASH_REMATCH[3]))
else
  echo "FAIL forge gave no result"; failed=$((failed + 1))
fi
step "gas is as gas.json and docs/SETTLEMENT.md say (tools/gas writes them)" tools/gas --check
finish
