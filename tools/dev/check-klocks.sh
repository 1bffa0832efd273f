#!/bin/bash
# The locks of gmp.ko: each that the module has stands in the order at the top of kmod/internal.h and in
# the one of Documentation/locking.rst, both name them in the same order, and neither names another.
cd "$(dirname "$0")/../.." || exit 2
rc=0

say()
{
	echo "check-klocks: $*" >&2
	rc=1
}

# A lock in a struct is that of a group: grp->NAME.
there=$({
	grep -hoE '^static DEFINE_(MUTEX|SPINLOCK|RAW_SPINLOCK|RWLOCK)\([a-z_]+\)' kmod/*.c | sed 's/.*(//; s/)//'
	grep -hoE '^'$'\t''(struct mutex|spinlock_t|raw_spinlock_t|rwlock_t)'$'\t''+[a-z_]+;' kmod/*.[ch] |
		sed -E 's/.*\t/grp->/; s/;//'
} | sort)
# Lines that begin with a lock and say what kind it is.
header=$(sed -nE 's/^ \*   ([a-z_>-]+) \((mutex|spin|raw spin)\) .*/\1/p' kmod/internal.h)
doc=$(sed -nE 's/^   ([a-z_>-]+) +(mutex|spin|raw) .*/\1/p' Documentation/locking.rst)

for lock in $there; do
	grep -qxF -e "$lock" <<<"$header" || say "kmod/internal.h does not say where $lock comes"
	grep -qxF -e "$lock" <<<"$doc" || say "Documentation/locking.rst does not say where $lock comes"
done
for lock in $header $doc; do
	grep -qxF -e "$lock" <<<"$there" || say "there is no lock $lock"
done
[ "$header" = "$doc" ] || say "kmod/internal.h and Documentation/locking.rst name the locks in different orders"
exit $rc
