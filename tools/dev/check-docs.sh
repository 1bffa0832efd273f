#!/bin/bash
# Every file and every make target that README.md and Documentation/*.rst name must exist. A file is what
# looks like one between ``quotes`` or after a folder of the tree, from the top (lib/os/lock.h) or from a
# folder below (os/lock.h); * and {a,b} are patterns.
# shellcheck disable=SC2016 # the quotes of reStructuredText
cd "$(dirname "$0")/../.." || exit 2
rc=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

find README.md Makefile Kbuild kmod lib tools selftests Documentation LICENSES .ci .clang-format .editorconfig .gitignore \
	-name __pycache__ -prune -o -print 2>/dev/null | sed 's|^|/|' >"$tmp/files"
sed -nE 's/^([a-z][a-z -]*):.*/\1/p' Makefile | tr ' ' '\n' | sort -u >"$tmp/targets"

# there NAME: as the end of a path
there()
{
	local re
	re=$(printf '%s' "${1%/}" | sed 's/[.+]/\\&/g; s/\*/[^\/]*/g; s/{/(/g; s/}/)/g; s/,/|/g')
	grep -qE "/$re\$" "$tmp/files"
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
	while read -r name; do
		case $name in
		*NAME* | lib/modules/*) continue ;;
		esac
		if ! there "$name"; then
			echo "check-docs: $text names $name, which is not there" >&2
			rc=1
		fi
	done < <(names "$text")
	for target in $(grep -oE '(^|`)make( [a-z][a-z-]+)+' "$text" | sed -E 's/.*make //' | tr ' ' '\n' | sort -u); do
		if ! grep -qx -e "$target" "$tmp/targets"; then
			echo "check-docs: $text names make $target, which is not there" >&2
			rc=1
		fi
	done
done

# What a newcomer looks for: every text is in the index.
for text in Documentation/*.rst Documentation/man/*; do
	case $text in */index.rst | */gmprt.7) continue ;; esac
	if ! grep -q -F -e "$text" Documentation/index.rst; then
		echo "check-docs: Documentation/index.rst lacks $text" >&2
		rc=1
	fi
done
exit $rc
