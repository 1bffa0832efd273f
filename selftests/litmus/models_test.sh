#!/bin/bash
# The models of this folder, exhausted by spin: each must hold as it is, and each of its seeded bugs
# must be found, so that a model that has become too weak to see anything is seen itself.
#
# A model says in its head comment
#	Also with: -DNAME=VALUE...	another size of it that must hold
# and has its bugs as #ifdef BUG_NAME or #ifndef BUG_NAME.
. "$(dirname "$0")/../harness/tap.sh"

if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
	echo "1..1"
	echo "ok 1 - models # SKIP spin is not installed (package spin)"
	exit 4
fi

here=$(cd "$(dirname "$0")" && pwd)

# explore MODEL FLAG...: compiled with -O"$level"; sets $errors, empty when it came to no end; the report is in $tmp/pan/out
explore()
{
	local model=$1
	shift
	errors=
	rm -rf "$tmp/pan" && mkdir "$tmp/pan" && cd "$tmp/pan" || return
	spin -a "$@" "$here/$model.pml" >out 2>&1 || return
	gcc -O$level -w -DSAFETY -DMEMLIM=3000 -o pan pan.c >>out 2>&1 || return
	./pan -m500000 >>out 2>&1
	if grep -q -e 'search depth too small' -e 'out of memory' -e 'reached -DMEMLIM' out; then
		return
	fi
	errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' out)
}

holds()
{
	level=1
	explore "$@"
	[ "$errors" = 0 ] || { tail -n 30 "$tmp/pan/out"; return 1; }
}

# A search that did not run to its end has found nothing.
finds_a_bug()
{
	level=0		# compiling is most of the work where the search ends early
	explore "$@"
	[ -n "$errors" ] && [ "$errors" -gt 0 ] && grep -q '^pan:1: ' "$tmp/pan/out" ||
		{ tail -n 30 "$tmp/pan/out"; return 1; }
}

# bugs_of FILE
bugs_of()
{
	sed -n 's/^#ifn\{0,1\}def \(BUG_[A-Z0-9_]*\).*/\1/p' "$1" | sort -u
}

models=0 bugs=0
for file in "$here"/*.pml; do
	model=$(basename "$file" .pml)
	models=$((models + 1))
	check "$model holds" holds "$model"
	sed -n 's/^ \* Also with: *//p' "$file" >"$tmp/also"
	while read -r flags; do
		# shellcheck disable=SC2086 # a list
		check "$model holds with $flags" holds "$model" $flags
	done <"$tmp/also"
	for bug in $(bugs_of "$file"); do
		bugs=$((bugs + 1))
		check "$model: $bug is found" finds_a_bug "$model" "-D$bug"
	done
done
check "every model has a bug to find" test "$bugs" -ge "$models"
done_testing
