#!/bin/bash
# Does vm/run.sh bring back what happened in the guest? Boots each kernel several times.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/selftests/harness/tap.sh"

if [ "${GMP_VM:-}" = 1 ]; then
	echo '1..0 # SKIP a guest in a guest'
	exit 4
fi

vm=$top/selftests/vm/run.sh
kvers='6.1 6.12'

# The guests run side by side: what is waited for is mostly their booting. Each leaves NAME.out,
# NAME.err and its exit status in NAME.code.
guest()
{
	local name=$1
	shift
	"$vm" -r "$tmp/$name" "$@" >"$tmp/$name.out" 2>"$tmp/$name.err"
	echo $? >"$tmp/$name.code"
}

code() { cat "$tmp/$1.code"; }
out() { cat "$tmp/$1.out"; }

for k in $kvers; do
	# shellcheck disable=SC2016 # for the guest's shell
	guest "run-$k" -k "$k" -- sh -c '
		printf "a\tb\n%s\n" "$1"; echo to stderr >&2
		uname -r; pwd; id -u; echo "$GMP_VM"
		echo left >/results/file; : >/canary; ! test -t 0
		exit 7' sh "two  words 'quoted' \$HOME" &
	guest "panic-$k" -k "$k" -- sh -c 'echo before; echo c >/proc/sysrq-trigger; sleep 60' &
	wait
done
guest hang -k 6.12 -t 5 -- sleep 100 &
guest signal -k 6.12 -- sh -c 'kill -KILL $$' &
wait
"$vm" -k 0.1 -- true 2>"$tmp/none.err"
none=$?

for k in $kvers; do
	full=$("$top/tools/dev/kver.sh" -i "$k")
	check "$k: the command's exit status" equal "$(code "run-$k")" 7
	check "$k: its output, byte for byte" equal "$(out "run-$k")" \
		"$(printf '%s\n' "$(printf 'a\tb')" "two  words 'quoted' \$HOME" 'to stderr' "$full" "$top" 0 1)"
	check "$k: /results is on the host" grep -q left "$tmp/run-$k/file"
	check "$k: the rest of the host is not written" test ! -e /canary
	check "$k: the kernel's log is kept" grep -q "Linux version $full" "$tmp/run-$k/console.log"
	check "$k: and it is clean" "$top/selftests/vm/klog.sh" "$tmp/run-$k/console.log"
	check "$k: a panic is 125" equal "$(code "panic-$k")" 125
	check "$k: what came before it is there" equal "$(out "panic-$k")" before
	check "$k: the panic is shown" grep -q 'Kernel panic.*sysrq triggered crash' "$tmp/panic-$k.err"
done
check 'out of time is 124' equal "$(code hang)" 124
check '... and is said' grep -q 'out of time after 5 s' "$tmp/hang.err"
check 'a command that died of a signal' equal "$(code signal)" 137
check 'no such kernel is 2' equal $none 2
check '... and says what to install' grep -q 'no kernel image installed' "$tmp/none.err"

# what the command prints comes while it runs; and nothing outlives the script, however it ends
"$vm" -k 6.12 -r "$tmp/killed" -- sh -c 'echo now; sleep 300' >"$tmp/killed.out" 2>&1 &
pid=$!
guest_pids() { pgrep -f "path=$tmp/killed,"; }
for _ in {1..1000}; do
	! grep -q now "$tmp/killed.out" || break
	sleep 0.1
done
check 'output comes as it is printed' grep -q now "$tmp/killed.out"
check '... while the guest runs' guest_pids
kill -KILL $pid
wait $pid 2>/dev/null
for _ in {1..50}; do
	[ -n "$(guest_pids)" ] || break
	sleep 0.1
done
check 'run.sh was killed: so is the guest' equal "$(guest_pids)" ''

done_testing
