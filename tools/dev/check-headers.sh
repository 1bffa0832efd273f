#!/bin/bash
# Each public header alone, twice, as C11 and as C++17, by gcc and by clang, with all warnings.
cd "$(dirname "$0")/../.." || exit 2
rc=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# installed, gmp_abi.h is <gmprt/gmp_abi.h>
mkdir "$tmp/include" && cp -r lib/include/* kmod/uapi "$tmp/include/" && mv "$tmp/include/uapi/gmp_abi.h" "$tmp/include/gmprt/"

compile()
{
	local cc=$1 lang=$2 std=$3 header=$4
	command -v "$cc" >/dev/null || return 0
	printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$tmp/x"
	if ! "$cc" -x "$lang" -std="$std" -Wall -Wextra -Werror -fsyntax-only -I"$tmp/include" "$tmp/x" \
		>"$tmp/out" 2>&1; then
		echo "check-headers: <$header> as $std by $cc:" >&2
		head -n 5 "$tmp/out" >&2
		rc=1
	fi
}

for path in "$tmp"/include/gmprt.h "$tmp"/include/gmprt/*.h; do
	header=${path#"$tmp"/include/}
	compile gcc c c11 "$header"
	compile clang c c11 "$header"
	compile g++ c++ c++17 "$header"
	compile clang++ c++ c++17 "$header"
done
exit $rc
