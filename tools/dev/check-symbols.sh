#!/bin/bash
# The names the library gives away: what the headers declare, libgmprt.map lists and libgmprt.so.0 exports
# is one list; none is GNU MP's; the static library shows no other name; nothing is without a manual.
#
# usage: check-symbols.sh [BUILD]	the build folder, if the library is built: build/ by default
cd "$(dirname "$0")/../.." || exit 2
O=${1:-${O:-build}}
rc=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# gmp.h of GNU MP 6 renames these by macros, whichever header comes first; two are types.
gnump='errno version randinit randinit_default randinit_lc_2exp randinit_lc_2exp_size randinit_mt
randinit_set randseed randseed_ui randclear urandomb_ui urandomm_ui asprintf fprintf obstack_printf
obstack_vprintf printf snprintf sprintf vasprintf vfprintf vprintf vsnprintf vsprintf fscanf scanf sscanf
vfscanf vscanf vsscanf randstate_t randalg_t'

# differ WHAT LEFT RIGHT: says what stands in one list only
differ()
{
	local word
	for word in $(comm -23 "$2" "$3"); do
		echo "check-symbols: $word: $1" >&2
		rc=1
	done
}

sed -n '/global:/,/local:/s/^\t\([^;*]*\);.*/\1/p' lib/libgmprt.map >"$tmp/map.raw"
sort -u "$tmp/map.raw" >"$tmp/map"
LC_ALL=C sort -c "$tmp/map.raw" || rc=1
! grep -q '[*?]' "$tmp/map" || { echo "check-symbols: a pattern in libgmprt.map" >&2; rc=1; }
gcc -std=gnu11 -E -Ilib/include -x c - <<<'#include <gmprt.h>' | grep -v '^#' |
	grep -oE '\bgmp_[a-z_]+ ?\(' | tr -d ' (' | sort -u >"$tmp/headers"
echo gmp_rt_layout | sort -m - "$tmp/headers" >"$tmp/wanted"	# for readers from outside; no call

differ "in lib/libgmprt.map, in no header" "$tmp/map" "$tmp/wanted"
differ "declared in a header, not in lib/libgmprt.map" "$tmp/wanted" "$tmp/map"

for word in $gnump; do
	if grep -rqwE "gmp_$word" lib/include; then
		echo "check-symbols: gmp_$word is GNU MP's" >&2
		rc=1
	fi
done

if [ -e "$O/lib/libgmprt.so.0" ]; then
	nm -D --defined-only "$O/lib/libgmprt.so.0" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
		sort -u >"$tmp/exported"
	differ "exported by libgmprt.so.0, not in the map" "$tmp/exported" "$tmp/map"
	differ "in the map, not exported by libgmprt.so.0" "$tmp/map" "$tmp/exported"
fi
if [ -e "$O/lib/libgmprt.a" ]; then
	nm -g --defined-only "$O/lib/libgmprt.a" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u >"$tmp/static"
	differ "a global name of libgmprt.a, not in the map" "$tmp/static" "$tmp/map"
fi
exit $rc
