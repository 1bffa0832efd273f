#!/bin/bash
# usage: fuzz.sh SECONDS SEED KVER...
# The fuzzer of gmp.ko (selftests/kmod/fuzz.h), for so long, in a guest of each kernel, one after the
# other. SEED may be empty: then each run finds its own, and prints it.
# The last line is the total: "N passed, N failed, N skipped".
set -u

here=$(cd "$(dirname "$0")" && pwd)
export O=${O:-${here%/*}/build}
secs=$1 seed=$2
shift 2
dir=$O/selftests
logs=()
mkdir -p "$dir" || exit 2

# A busy machine may need three times as long, a debug kernel ten times for what comes before and after.
run_guest()
{
	local kver=$1 label=$2 before='' after='' mem=1024
	case $kver in
	*/*)	before=$here/vm/debug-begin.sh after=$here/vm/debug-end.sh mem=2048 ;;
	esac
	rm -rf "$dir/guest-$label"
	# shellcheck disable=SC2086 # no word or one
	"$here/vm/run.sh" -k "$kver" -m $mem -t $((secs * 3 + 600)) -r "$dir/guest-$label" -- \
		env T="$secs" SEED="$seed" "$here/run.sh" -t $((secs * 3 + 300)) -l "$label" \
		$before "$here/vm/load.sh" "$O/selftests/kmod/fuzz" "$here/vm/unload.sh" $after 2>&1
}

for kver; do
	label=fuzz-${kver##*/}
	run_guest "$kver" "$label" | tee "$dir/$label.log"
	logs+=("$dir/$label.log")
	grep -h '^# ' "$dir/guest-$label/log/$label/kmod/fuzz.log"
	"$here/vm/klog.sh" "$dir/guest-$label/console.log"
done
"$here/run.sh" -m "${logs[@]}"
