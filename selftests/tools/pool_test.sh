#!/bin/bash
# TAP: tools/samples/pool: every file is counted once, no more are open than there are workers.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*/*}
out=${O:-$top/build}
. "$here/../harness/tap.sh"

pool=$out/tools/samples/pool
files=("$top"/lib/*/*.c)

# counts WORKERS: what it prints but for its last line is what wc -l says
counts()
{
	local w=$1

	GMP_MAXPROCS=2 "$pool" "$w" "${files[@]}" >"$tmp/out" 2>"$tmp/err" || return
	head -n -1 "$tmp/out" | diff - <(wc -l "${files[@]}" | head -n -1 | sed 's/^ *//')
}

open_at_most() { sed -n 's/.* total, \([0-9]*\) open at most$/\1/p' "$tmp/out"; }

for w in 1 3 64; do
	check "$w workers count every line once" counts "$w"
	check "no more than $w files were open" test "$(open_at_most)" -ge 1 -a "$(open_at_most)" -le "$w"
done

# missing: the others are counted, the status says that one was not
missing()
{
	"$pool" 4 "${files[0]}" "$tmp/none" "${files[1]}" >"$tmp/out" 2>"$tmp/err"
	[ $? = 1 ] && [ "$(wc -l <"$tmp/out")" = 3 ] &&
		grep -qx "pool: $tmp/none: No such file or directory" "$tmp/err"
}
check "a file that is not there" missing
usage() { "$pool" 0 x 2>/dev/null; [ $? = 2 ]; }
check "no workers: usage" usage

done_testing
