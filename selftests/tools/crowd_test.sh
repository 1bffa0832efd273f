#!/bin/bash
# TAP: a million goroutines parked at once under the kernel's default vm.max_map_count, and a hundred
# thousand with 32 KiB of live stack each; all are released, and what they cost is what is promised.
set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../harness/tap.sh"
crowd=${O:-$here/../../build}/tools/samples/crowd
max_maps=65530

# value LINE KEY: of the line of that moment
value()
{
	sed -n "s/^$1 .* $2=\([0-9]*\).*/\1/p; s/^$1 *$2=\([0-9]*\).*/\1/p" "$tmp/out" | head -n 1
}

# gathers N KIB: all of them, and nobody is left
gathers()
{
	"$crowd" "$1" "$2" >"$tmp/out" || return 1
	cat "$tmp/out"
	[ "$(value parked goroutines)" -eq $(($1 + 1)) ] && [ "$(value ended goroutines)" -eq 1 ]
}

# at_most KEY MAX: while all are parked
at_most()
{
	cat "$tmp/out"
	[ "$(value parked "$1")" -le "$2" ]
}

check "a million parked goroutines" gathers 1000000 0
check "their mappings" at_most mappings $max_maps
check "bytes of each: a page of stack and its record" at_most rss_per_goroutine 4300
sed 's/^/# /' "$tmp/out"
check "100000 with 32 KiB of live stack" gathers 100000 32
check "their mappings" at_most mappings $max_maps
check "bytes of each: nine or ten pages" at_most rss_per_goroutine 41500
sed 's/^/# /' "$tmp/out"
done_testing
