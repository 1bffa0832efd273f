#!/bin/bash
# Holds Documentation/memory-model.rst against the code: each order (MO-n in lib/, KA-n in kmod/) has one
# row in its table, each row an order in the code, in every file the row names.
cd "$(dirname "$0")/../.." || exit 2
doc=Documentation/memory-model.rst
rc=0
pattern='\b(MO-[A-Z]?[0-9]+|KA-[0-9]+)\b'

say()
{
	echo "check-mo: $*" >&2
	rc=1
}

code=$(grep -rhoE "$pattern" --include=*.[chS] lib kmod | sort -Vu)
rows=$(sed -n -E 's/^   \* - (MO-[A-Z]?[0-9]+|KA-[0-9]+)$/\1/p' $doc)

while read -r n; do
	say "$n has no row in $doc: $(grep -rnE "\b$n\b" --include=*.[chS] lib kmod | head -n 1 | cut -d: -f1,2)"
done < <(comm -23 <(echo "$code" | sort) <(echo "$rows" | sort -u) | grep .)
while read -r n; do
	say "$doc has a row $n, the code has no such order"
done < <(comm -13 <(echo "$code" | sort) <(echo "$rows" | sort -u) | grep .)
while read -r n; do
	say "$doc has more than one row $n"
done < <(echo "$rows" | sort | uniq -d)

# "MO-4 sched/hot.h", for each file named in the first two columns of a row
while read -r n file; do
	path=lib/$file
	[ "${n#KA}" = "$n" ] || path=$file
	if [ ! -e "$path" ]; then
		say "$doc, row $n: no file $path"
	elif ! grep -qE "\b$n\b" "$path"; then
		say "$doc, row $n: $path does not have it"
	fi
done < <(awk '
	/^   \* - (MO|KA)-[A-Z]?[0-9]+$/ { n = $3; col = 0; next }
	/^   \* - / { n = "" }
	n && /^     - / { col++ }
	n && col <= 2 { while (match($0, /[a-z0-9_]+\/[a-z0-9_]+\.[ch]/)) {
		print n, substr($0, RSTART, RLENGTH); $0 = substr($0, RSTART + RLENGTH) } }' $doc)
exit $rc
