#!/bin/bash
# Holds the tables of Documentation/debugging.rst against the code: each constant text of rt_throw() and
# rt_throw_errno() has a line there, and each message there that is no pattern stands in the code.
cd "$(dirname "$0")/../.." || exit 2
doc=Documentation/debugging.rst
rc=0

say()
{
	echo "check-messages: $*" >&2
	rc=1
}

# The messages of the tables: what stands in double back quotes in their first column.
told=$(awk '
	/^   \* - / { first = 1 }
	/^     - / { first = 0 }
	/^[^ ]/ { first = 0 }
	first { line = line " " $0 }
	!first && line { print line; line = "" }' $doc | grep -oE '``[^`]+``' | tr -d '`' | sort -u)

# A line with ... is a beginning; CALL, WHAT, N, WORD, TEXT stand for anything.
patterns=$(sed -e 's/[][().*^$+?{}|\\]/\\&/g' -e 's/ \?\\\.\\\.\\\.$/.*/' \
	-e 's/\bCALL\b/gmp_[a-z_]+/; s/\b\(WHAT\|N\|WORD\|TEXT\)\b/.*/' -e 's/^/^/; s/$/$/' <<<"$told")

while IFS= read -r text; do
	grep -qE -f <(echo "$patterns") <<<"$text" || say "no line in $doc for: $text"
done < <(grep -rhoE 'rt_throw(_errno)?\("[^"]+"' --include=*.[ch] lib/*/ | sed 's/^[^"]*"//; s/"$//' |
	grep -v '^assertion failed' | sort -u)

while IFS= read -r text; do
	case $text in
	*CALL* | *'...'* | *TEXT* | *WORD*) continue ;;
	esac
	# long texts are in pieces in the source, and /dev/gmp and a limit are macros there
	piece=$(sed -e 's/ 1024.*//; s/^gmprt: no \/dev\/gmp //; s/^\(gmprt: the program.s code cannot be told from libc.s\).*/\1/' \
		<<<"$text")
	grep -rqF --include=*.[ch] -- "$piece" lib/*/ || say "$doc: nobody says: $text"
done <<<"$told"
exit $rc
