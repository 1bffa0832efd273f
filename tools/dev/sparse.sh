#!/bin/bash
# usage: sparse.sh KVER...
# gmp.ko through sparse, and with all of kbuild's extra warnings (W=1), for each kernel. Fails if any of
# them has anything to say. Built in build/sparse, apart from the module that is used.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
out=${O:-$top/build}/sparse
log=$out/log
rc=0

command -v sparse >/dev/null || { echo "sparse: not installed (make deps)" >&2; exit 1; }
mkdir -p "$out"
for kver; do
	ver=$("$top/tools/dev/kver.sh" "$kver") || exit
	rm -rf "$out/kmod-$ver"		# so that all of it is compiled
	if ! C=1 W=1 make --no-print-directory -f "$top/tools/dev/kmod.mk" O="$out" KVER="$kver" >"$log" 2>&1 ||
		grep -q -E '(warning|error):' "$log"; then
		cat "$log"
		rc=1
	fi
	echo "sparse: $ver: $(grep -c '^  CHECK' "$log") files, $(grep -c -E '(warning|error):' "$log") remarks"
done
exit $rc
