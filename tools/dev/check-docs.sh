#!/bin/bash
# Every file and every make target that README.md and Documentation/*.rst name must exist. A file is what
# looks like one between ``quotes`` or after a folder of the tree, from the top (lib/os/lock.h) or from a
# folder below (os/lock.h); * and {a,b} are patterns.
# shellcheck disable=SC2016 # the quotes of reStructuredText
cd "$(dirname "$0")/../.." || exit 2
rc=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

find README.md Makefile Kbuild kmod lib tools selftests Documentation LICENSES \
	-name __pycache__ -prune -o -print 2>/dev/null >"$tmp/files"
sed -nE 's/^([a-z][a-z -]*):.*/\1/p' Makefile | tr ' ' '\n' | sort -u >"$tmp/targets"

# Reads "TEXT<tab>NAME", prints those of which no path is NAME or ends with /NAME.
not_there()
{
	awk -F '\t' '
	NR == FNR {
		n = split($0, part, "/")
		for (tail = part[n]; ; tail = part[n] "/" tail) {
			known[tail] = 1
			if (--n < 1)
				break
		}
		next
	}
	{
		name = $2
		sub(/\/$/, "", name)
		found = name in known
		if (name ~ /[*{]/) {
			gsub(/[.+]/, "[&]", name)
			gsub(/\*/, "[^/]*", name)
			gsub(/{/, "(", name)
			gsub(/}/, ")", name)
			gsub(/,/, "|", name)
			for (path in known)
				if (path ~ "^" name "$")
					found = 1
		}
		if (!found)
			print $1 " names " $2
	}' "$tmp/files" -
}

# names TEXT: what in it looks like a file of this tree
names()
{
	{
		grep -oE '(^|[^A-Za-z0-9_./<-])(kmod|lib|tools|selftests|Documentation|LICENSES)/[][A-Za-z0-9_.*{},/+-]+' "$1" |
			sed -E 's/^[^A-Za-z]//'
		grep -oE '`[A-Za-z0-9_.*{},/-]+/[A-Za-z0-9_.*{},-]+\.(c|cc|h|S|sh|rst|pml|mk|def|py|bt|map)[`:]' "$1" | tr -d '`:'
	} | sed -E 's/[.,:]+$//; s/\{?<[a-z]*>.*//' | grep -vE '^(lib|kmod|tools|selftests)/?$' | sort -u
}

for text in README.md Documentation/*.rst Documentation/ABI/testing/*; do
	names "$text" | grep -v -e NAME -e '^lib/modules' | sed "s|^|$text\t|"
	grep -oE '(^|`)make( [a-z][a-z-]+)+' "$text" | sed -E 's/.*make //' | tr ' ' '\n' | sort -u |
		grep -vx -F -f "$tmp/targets" | sed "s|^|$text\tmake |"
done >"$tmp/named"
not_there <"$tmp/named" >"$tmp/missing"
if [ -s "$tmp/missing" ]; then
	sed 's/^/check-docs: /; s/$/, which is not there/' "$tmp/missing" >&2
	rc=1
fi

# What a newcomer looks for: every text is in the index.
for text in Documentation/*.rst Documentation/man/*; do
	case $text in */index.rst | */gmprt.7) continue ;; esac
	if ! grep -q -F -e "$text" Documentation/index.rst; then
		echo "check-docs: Documentation/index.rst lacks $text" >&2
		rc=1
	fi
done
exit $rc
