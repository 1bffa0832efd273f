#!/bin/bash
# Does selftests/run.sh see what can go wrong with a test, and count it?
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/selftests/harness/tap.sh"
unset GMP_VM	# in a guest too: the kernel log is not what is tested here

# program NAME BODY: a test program
program()
{
	printf '#!/bin/bash\n%s\n' "$2" >"$tmp/$1"
	chmod +x "$tmp/$1"
}

# run NAME...: runs the programs; sets $code, $last; the output is in $tmp/out
run()
{
	(cd "$tmp" && "$top/selftests/run.sh" -l x -d "$tmp/log" "${@/#/./}") >"$tmp/out" 2>&1
	code=$?
	last=$(tail -n 1 "$tmp/out")
}

# verdict NAME CODE LAST PATTERN: one program, its exit status, its last line, and a line there must be
verdict()
{
	run "$1"
	check "$1: $3" equal "$code $last" "$2 $3"
	check "$1: says '$4'" grep -q -e "$4" "$tmp/out"
}

program passes 'echo 1..2; echo "ok 1 - a"; echo "ok 2"'
verdict passes 0 '2 passed, 0 failed, 0 skipped' '^ok x/passes (2 cases, '
program plan_at_end 'echo "ok 1"; echo "# a comment"; echo "  not ok 1 - nested"; echo 1..1'
verdict plan_at_end 0 '1 passed, 0 failed, 0 skipped' '^ok x/plan_at_end'
program fails 'echo 1..2; echo "ok 1 - a"; echo "not ok 2 - b"; echo why >&2; exit 1'
verdict fails 1 '1 passed, 1 failed, 0 skipped' '^x/fails| why'
program skips_one 'echo 1..2; echo "ok 1 - a"; echo "ok 2 - b # SKIP not root"'
verdict skips_one 0 '1 passed, 0 failed, 1 skipped' '^SKIPPED x/skips_one: b: not root$'
program skips_all 'echo "1..0 # SKIP no module"; exit 4'
verdict skips_all 0 '0 passed, 0 failed, 1 skipped' '^SKIPPED x/skips_all: no module$'
program skips_silently 'echo "need a thing"; exit 77'
verdict skips_silently 0 '0 passed, 0 failed, 1 skipped' '^SKIPPED x/skips_silently: need a thing$'

program short 'echo 1..3; echo ok 1'
verdict short 1 '1 passed, 1 failed, 0 skipped' '3 cases planned, 1 run'
program no_plan 'echo ok 1'
verdict no_plan 1 '1 passed, 1 failed, 0 skipped' 'no plan'
program no_tap 'echo hello'
verdict no_tap 1 '0 passed, 1 failed, 0 skipped' 'no TAP'
program bails 'echo 1..1; echo "Bail out!"; exit 1'
verdict bails 1 '0 passed, 1 failed, 0 skipped' 'bailed out'
program dies 'echo 1..1; echo ok 1; kill -SEGV $$'
verdict dies 1 '1 passed, 1 failed, 0 skipped' 'died of signal SEGV'
program says_pass_but_exits_1 'echo 1..1; echo ok 1; exit 1'
verdict says_pass_but_exits_1 1 '1 passed, 1 failed, 0 skipped' 'exit status 1, but no case failed'
program says_fail_but_exits_0 'echo 1..1; echo not ok 1'
verdict says_fail_but_exits_0 1 '0 passed, 2 failed, 0 skipped' 'exit status 0'
verdict not_there 1 '0 passed, 1 failed, 0 skipped' 'not there'

# processes that are left: in the test's session and out of it, and of a test that hangs
program leaves 'echo 1..1; echo ok 1; setsid sleep 4321 & sleep 4321 &'
verdict leaves 1 '1 passed, 1 failed, 0 skipped' 'left 2 processes running'
program hangs 'echo 1..1; echo ok 1; setsid sleep 4321 & sleep 4321'
echo 1 >"$tmp/hangs.timeout"
verdict hangs 1 '1 passed, 1 failed, 0 skipped' 'out of time (1 s)'
alive() { pgrep -f '^sleep 4321$'; }
check 'nothing is left behind' equal "$(alive)" ''
program ends_soon 'echo 1..1; echo ok 1; setsid sleep 0.1 &'
verdict ends_soon 0 '1 passed, 0 failed, 0 skipped' '^ok x/ends_soon'

program slow 'setsid sleep 4321 & sleep 4321'
(cd "$tmp" && exec "$top/selftests/run.sh" -d "$tmp/log" ./slow) >/dev/null 2>&1 &
runner=$!
for _ in {1..50}; do
	[ -z "$(alive)" ] || break
	sleep 0.1
done
check 'a test is under way' alive
kill -TERM $runner
wait $runner
check 'a runner that is told to end says so' equal $? 143
check '... and takes its test along' equal "$(alive)" ''

# adding up runs
run passes skips_one
mv "$tmp/out" "$tmp/a.log"
run passes fails
mv "$tmp/out" "$tmp/b.log"
"$top/selftests/run.sh" -m "$tmp/a.log" "$tmp/b.log" >"$tmp/out"
check 'the sum of two runs' equal "$? $(tail -n 1 "$tmp/out")" '1 6 passed, 1 failed, 1 skipped'
check '... names what failed' grep -q '^FAILED x/fails' "$tmp/out"
check '... and what was skipped' grep -q '^SKIPPED x/skips_one' "$tmp/out"
echo 'ok x/half (1 cases, 0.1s)' >"$tmp/c.log"
"$top/selftests/run.sh" -m "$tmp/a.log" "$tmp/c.log" "$tmp/none.log" >"$tmp/out"
check 'runs that did not finish have failed' equal "$? $(tail -n 1 "$tmp/out")" '1 3 passed, 2 failed, 1 skipped'
"$top/selftests/run.sh" -m "$tmp/a.log" >"$tmp/out"
check 'a sum without failures' equal "$? $(tail -n 1 "$tmp/out")" '0 3 passed, 0 failed, 1 skipped'

# check.sh, in a tree of its own: a test, and a long one that fails when it is told to
mkdir "$tmp/tree" "$tmp/torture"
cp "$top"/selftests/{check.sh,run.sh} "$tmp/tree"
printf 'host-list:\n\t@printf "%%s\\n" %s\n' "$tmp/passes $tmp/torture/long" >"$tmp/tree/Makefile"
: >"$tmp/torture/not"
program torture/long 'not=$(cat "${0%/*}/not"); echo 1..1; echo "${not}ok 1"; [ -z "$not" ]'
for bad in 0 1; do
	[ $bad = 0 ] || echo 'not ' >"$tmp/torture/not"
	O=$tmp/build "$tmp/tree/check.sh" host >"$tmp/out"
	check "check.sh: exit status $bad" equal $? $bad
	check '... the total is the last line' grep -q '^[0-9]* passed, [01] failed, 0 skipped$' <(tail -n 1 "$tmp/out")
	check '... the time the one before' grep -qE '^check: [0-9]+ min [0-9]+ s$' <(tail -n 2 "$tmp/out" | head -n 1)
done
done_testing
