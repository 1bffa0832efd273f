#!/bin/bash
# The manual pages: one of section 3 for every public call, made from the headers (kdoc2man.py), and those
# of Documentation/man; groff must have no complaint, and each page named elsewhere must exist.
cd "$(dirname "$0")/../.." || exit 2
rc=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

say()
{
	echo "check-man: $*" >&2
	rc=1
}

mkdir "$tmp/man3"
tools/dev/kdoc2man.py lib/include/gmprt "$tmp/man3" >"$tmp/said" 2>&1 || say "$(cat "$tmp/said")"

# Links to pages of ours: name(section)
for page in "$tmp"/man3/*.3 Documentation/man/*.[1-8]; do
	while read -r name section; do
		[ -e "$tmp/man$section/$name.$section" ] || [ -e "Documentation/man/$name.$section" ] ||
			say "$(basename "$page") names $name($section), which is not there"
	done < <(grep -oE '^\.BR gmp[a-z_0-9-]* \([0-9]\)' "$page" | sed -E 's/^\.BR ([^ ]+) \(([0-9])\)/\1 \2/; s/\\-/-/g')
done

if command -v groff >/dev/null; then
	for page in "$tmp"/man3/*.3 Documentation/man/*.[1-8]; do
		groff -man -ww -z -Tutf8 -P-c "$page" >"$tmp/said" 2>&1
		# a page that is a link refers to the installed one
		grep -q '^\.so ' "$page" || [ ! -s "$tmp/said" ] || say "$(basename "$page"): $(head -n 1 "$tmp/said")"
	done
fi
exit $rc
