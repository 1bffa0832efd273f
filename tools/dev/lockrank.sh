#!/bin/sh
# SPDX-License-Identifier: MIT
# lockrank.sh - the table of ranks in Documentation/locking.rst, made from lib/os/lockrank.def.
#   lockrank.sh          writes it        lockrank.sh --check   fails when it is not what it should be
set -eu
cd "$(dirname "$0")/../.."
def=lib/os/lockrank.def
doc=Documentation/locking.rst

table()
{
	awk -F'"' '
	/^RT_RANK\(/ { split($1, a, /[(,]/); order[++n] = a[2]; where[a[2]] = $2; guards[a[2]] = $4 }
	/^RT_NEST\(/ { split($0, a, /[(,) ]+/); under[a[2]] = under[a[2]] ", " a[3] }
	/^RT_NEST_BY_ADDRESS\(/ { split($0, a, /[()]/); under[a[2]] = under[a[2]] ", itself by rising address" }
	/^RT_NEST_STOPPED\(/ { split($0, a, /[()]/); under[a[2]] = under[a[2]] ", itself with the world stopped" }
	END {
		print "::\n"
		printf "   %-9s %-19s %-58s %s\n", "rank", "where", "guards", "under it"
		for (i = 1; i <= n; i++) {
			r = order[i]
			line = sprintf("   %-9s %-19s %-58s %s", r, where[r], guards[r], substr(under[r], 3))
			sub(/ +$/, "", line)
			print line
		}
	}' "$def"
}

new=$(mktemp)
trap 'rm -f "$new"' EXIT
table >"$new.t"
awk -v t="$new.t" '
/^\.\. lockrank: begin/ { print; print ""; while ((getline line < t) > 0) print line; print ""; skip = 1 }
/^\.\. lockrank: end/ { skip = 0 }
!skip' "$doc" >"$new"
rm -f "$new.t"
if [ "${1-}" = --check ]; then
	diff -u "$doc" "$new" && echo "$doc agrees with $def"
else
	cat "$new" >"$doc"
fi
