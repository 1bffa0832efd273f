#!/bin/bash
# usage: alone.sh [-t SECONDS] [-m MB] [-e NAME=VALUE]... TEST KVER...
# One test of selftests/kmod (or FOLDER/TEST), with other parameters than in `make check`, in a guest of
# each kernel, one after the other; what it has to say is shown.
#
#   -t  its time limit (600)     -e  for its environment     -m  memory of the guest (1024)
#
# The last line is the total: "N passed, N failed, N skipped".
set -u

here=$(cd "$(dirname "$0")" && pwd)
export O=${O:-${here%/*}/build}
dir=$O/selftests limit=600 memory=1024 vars=() logs=()

while getopts t:m:e: opt; do
	case $opt in
	t) limit=$OPTARG ;;
	m) memory=$OPTARG ;;
	e) vars+=("$OPTARG") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
path=kmod/$1
[[ $1 != */* ]] || path=$1
test=${path#*/}
shift
mkdir -p "$dir" || exit 2
# the limit counts, not the one in selftests/timeouts
cp "$O/selftests/$path" "$O/selftests/$path-alone" || exit 2

# A debug kernel is asked at the end whether its checks were on, and whether anything has leaked.
run_guest()
{
	local kver=$1 label=$2 before='' after='' mem=$memory
	case $kver in
	*/*)	before=$here/vm/debug-begin.sh after=$here/vm/debug-end.sh mem=2048 ;;
	esac
	rm -rf "$dir/guest-$label"
	# shellcheck disable=SC2086 # no word or one
	"$here/vm/run.sh" -k "$kver" -m $mem -t $((limit + 600)) -r "$dir/guest-$label" -- \
		env "${vars[@]}" "$here/run.sh" -t "$limit" -l "$label" \
		$before "$here/vm/load.sh" "$O/selftests/$path-alone" "$here/vm/unload.sh" $after 2>&1
}

for kver; do
	label=$test-${kver##*/}
	run_guest "$kver" "$label" | tee "$dir/$label.log"
	logs+=("$dir/$label.log")
	grep -h '^# ' "$dir/guest-$label/log/$label/$path-alone.log"
	if ! "$here/vm/klog.sh" "$dir/guest-$label/console.log"; then
		printf '%s\n' "FAILED $label: the kernel complained" '0 passed, 1 failed, 0 skipped' \
			>"$dir/$label-console.log"
		logs+=("$dir/$label-console.log")
	fi
done
"$here/run.sh" -m "${logs[@]}"
