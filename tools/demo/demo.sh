#!/bin/sh
# usage: demo.sh [KVER]		(make demo, make demo KVER=6.12)
# Boot Debian's kernel KVER in QEMU and run guest.sh there. Builds nothing: `make demo` does that.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
kver=${1:-6.1}
start=$(date +%s)

status=0
"$top/selftests/vm/run.sh" -k "$kver" -t 240 -- "$top/tools/demo/guest.sh" || status=$?
if [ $status -ne 0 ]; then
	echo "demo: failed (status $status)" >&2
	exit 1
fi
echo "demo: ok, kernel $kver, $(($(date +%s) - start)) s"
