# Runs every test; sourced by ./shale. The last line is "N passed, N failed"; a skipped test counts as failed.

run_tests() {
  local passed=0 failed=0 log project name line out=$SHALE_ROOT/artifacts/tests
  setup_all
  rm -rf "$out"; mkdir -p "$out"
  say "building"
  if ! dotnet build "$SHALE_ROOT/Shale.sln" -c Release -v q --nologo >"$out/build.log" 2>&1; then
    cat "$out/build.log"; echo "0 passed, 1 failed"; exit 1
  fi
  for project in "$SHALE_ROOT"/tests/*.Tests/*.csproj; do
    name=$(basename "$project" .csproj)
    [ $# -eq 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
    [ -n "$(find "$(dirname "$project")" -maxdepth 3 -name '*Tests.cs' -not -path '*/obj/*' -print -quit)" ] || continue
    log=$out/$name.log
    echo "== $name"
    dotnet test "$project" -c Release --no-build --nologo --blame-hang-timeout 10m >"$log" 2>&1 || true
    line=$(grep -E '^(Passed|Failed|Skipped)! +- ' "$log" | tail -1)
    if [ -z "$line" ]; then
      echo "   no result; the end of $log:"; tail -20 "$log"; failed=$((failed + 1)); continue
    fi
    echo "   $line"
    grep -E '^\s+Failed ' "$log" || true
    [[ $line == Passed* ]] || sed -n '/^\s*Failed /,$p' "$log" | head -200
    passed=$((passed + $(sed -E 's/.*Passed: +([0-9]+).*/\1/' <<<"$line")))
    failed=$((failed + $(sed -E 's/.*Failed: +([0-9]+).*/\1/' <<<"$line") + $(sed -E 's/.*Skipped: +([0-9]+).*/\1/' <<<"$line")))
  done
  if [ $# -eq 0 ] && [ -x "$SHALE_ROOT/contracts/test.sh" ]; then
    echo "== contracts"
    log=$out/contracts.log
    # contracts/test.sh ends with the same "N passed, N failed".
    "$SHALE_ROOT/contracts/test.sh" >"$log" 2>&1 || true
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -1)
    if [ -z "$line" ]; then line="0 passed, 1 failed"; tail -40 "$log"; fi
    [[ $line == *" 0 failed" ]] || grep -E 'FAIL|Error' "$log" | head -40 || true
    echo "   $line"
    passed=$((passed + ${line%% *}))
    line=${line#*, }; failed=$((failed + ${line%% *}))
  fi
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
