#!/bin/bash
# Does Documentation/locking.rst show the ranks and nestings that lib/os/lockrank.def has?
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/selftests/harness/tap.sh"

check 'locking.rst agrees with lockrank.def' "$top/tools/dev/lockrank.sh" --check

# A change of the file must show.
cp -r "$top/lib/os/lockrank.def" "$tmp/def"
mkdir -p "$tmp/lib/os" "$tmp/Documentation" "$tmp/tools/dev"
cp "$top/Documentation/locking.rst" "$tmp/Documentation"
cp "$top/tools/dev/lockrank.sh" "$tmp/tools/dev"
sed 's/^RT_NEST(CHAN, TIMERS).*//' "$tmp/def" >"$tmp/lib/os/lockrank.def"
differs() { ! "$tmp/tools/dev/lockrank.sh" --check; }
check 'a nesting less is noticed' differs

done_testing
