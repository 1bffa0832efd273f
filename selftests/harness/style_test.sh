#!/bin/bash
# `make style`: each check of tools/dev/ passes on this tree, and finds the mistake it is there for in a
# copy that has one.
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/selftests/harness/tap.sh"
# shellcheck disable=SC2154 # tmp is tap.sh's

for script in "$top"/tools/dev/check-*.sh; do
	check "$(basename "$script") finds nothing" "$script"
done

# The copy: what is under revision, without what was built.
copy=$tmp/tree
mkdir "$copy"
(cd "$top" && tar -c --exclude=build --exclude=.git README.md Makefile Kbuild lib kmod tools selftests Documentation \
	LICENSES) | tar -x -C "$copy"

# found SCRIPT FILE COMMAND...: COMMAND changes FILE of the copy; then SCRIPT complains
found()
{
	local script=$1 file=$copy/$2 name="check-$1.sh finds: $3"
	shift 3
	cp "$file" "$tmp/before"
	"$@" "$file"
	check "$name" complains "$script"
	cp "$tmp/before" "$file"
}

complains()
{
	O=$copy/build "$copy/tools/dev/check-$1.sh" >"$tmp/said" 2>&1 && return 1
	grep -q "^check-$1: " "$tmp/said"
}

append()
{
	printf '%b\n' "$1" >>"$2"
}

long()
{
	yes "$1" | head -n 900 >>"$2"
}

found mo lib/sched/runq.c 'an order without a row' append '/* MO-Z9 */'
found mo Documentation/memory-model.rst 'a row without an order' append '   * - MO-Z9'
found mo Documentation/memory-model.rst 'a file that does not have it' sed -i 's|sched/runq.c|sched/rt0.c|; s|os/lock.h rt|os/note.h rt|'
found cases Documentation/seeds.rst 'a case that is not there' append '``api/chan_test.c: no_such_case``'
found cases Documentation/seeds.rst 'a file that is not there' append '``api/none_test.c: order_is_kept``'
found includes lib/sched/runq.c 'a higher layer' append '#include "sync/chan.h"'
found includes lib/include/gmprt/time.h 'an inner header in a public one' append '#include "sched/sched.h"'
found includes tools/gmp/main.c 'an inner header in a tool' append '#include "base/atomic.h"'
found style lib/sync/once.c 'a file that is too long' long '/* */'
found style lib/sync/once.c 'a line that is too long' append "/* $(printf 'x%.0s' {1..140}) */"
found style lib/sync/once.c 'blanks at the end' append 'int x; '
found style lib/sync/once.c 'a function that is too long' append "int f(void)\n{\n$(printf '\tg();\\n%.0s' {1..101})}"
found style lib/sync/once.c 'no licence' sed -i 1d
found headers lib/include/gmprt/time.h 'what is no C++' append 'int gmp_x(int new);'
found headers lib/include/gmprt/time.h 'what wants another header' append 'int gmp_x(FILE *f);'
found symbols lib/include/gmprt/time.h 'a call that the map lacks' append 'int gmp_never(void);'
found symbols lib/libgmprt.map 'a name that no header has' sed -i 's/\tgmp_now;/\tgmp_now;\n\tgmp_nowhere;/'
found symbols lib/include/gmprt/time.h "a name of GNU MP's" append 'int gmp_printf(void);'
found man lib/include/gmprt/time.h 'a call without a manual page' append 'int gmp_never(void);'
found man Documentation/man/gmprt.7 'a page that is not there' append '.BR gmp_never (3)'
found kdoc kmod/uapi/gmp_abi.h 'a struct without kernel-doc' append 'struct gmp_new {\n\t__u32 x;\n};'
found kdoc kmod/uapi/gmp_abi.h 'a member of which nothing is said' sed -i 's/^ \* @crit:.*/ */'
found kdoc kmod/uapi/gmp_abi.h 'a member that is not there' sed -i 's/^ \* @crit:.*/&\n * @cret: x/'
found docs Documentation/glossary.rst 'a file that is not there' append '``lib/sched/none.c``'
found docs Documentation/hacking.rst 'a file below that is not there' append '``os/none.h``'
found docs README.md 'a target that is not there' append '`make nothing`'
found docs Documentation/index.rst 'a text that it lacks' sed -i '/glossary/d'
found klocks kmod/dev.c 'a lock without a place in the order' append 'static DEFINE_MUTEX(new_lock);'
found klocks Documentation/locking.rst 'a lock that is not there' sed -i 's/   key_lock /   old_lock /'
found klocks kmod/internal.h 'another order' sed -i '/^ \*   key_lock (mutex)/d; /^ \*   grp->lock (mutex)/a \ *   key_lock (mutex) x'
found badinput lib/include/gmprt/time.h 'a call that no test gives bad input' append 'int gmp_never(void);'
done_testing
