#!/bin/bash
# usage: debugkernel.sh NAME...
# All that is tested on the kernels of tools/dev/debugkernel.sh. For each of them: does it find bugs that
# were put there (vm/seeded)? Then every test that needs the module, the fuzzer for T seconds (60), and
# the soak test at its full length. An hour each under emulation.
#
# The last line is the total: "N passed, N failed, N skipped".
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/selftests}
export O=${O:-$top/build}
dir=$O/selftests
secs=${T:-60}
dirs=$("$top/tools/dev/debugkernel.sh" -p "$@") || exit 1
logs=()
mkdir -p "$dir" || exit 2

# keep NAME COMMAND...: its output is shown and kept, and its last line goes into the total
keep()
{
	local log=$dir/debug-$1.log
	shift
	"$@" 2>&1 | tee "$log"
	logs+=("$log")
}

for kernel in $dirs; do
	name=${kernel##*/}
	make --no-print-directory -f "$top/tools/dev/kmod.mk" KVER="$kernel" || exit 1
	keep "$name-seeded" env GMP_SEEDED_KERNEL="$kernel" \
		"$here/run.sh" -t 1800 -l "$name" "$here/vm/seeded/seeded.sh"
	keep "$name-check" "$here/check.sh" "$kernel"
	keep "$name-fuzz" "$here/alone.sh" -t $((secs * 3 + 600)) -e T="$secs" -e SEED="${SEED:-}" fuzz "$kernel"
	keep "$name-soak" "$here/alone.sh" -t 5400 -e GMP_SOAK=10 soak_test "$kernel"
done
"$here/run.sh" -m "${logs[@]}"
