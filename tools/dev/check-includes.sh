#!/bin/bash
# Who may include whom. In lib/ a file includes its own layer or a lower one:
#   base 0, arch and os 1, sched 2, sync and io 4, debug 5; the public headers (gmprt/) anybody.
# lib's inner headers are for lib/ and selftests/unit/ (and torture/, fault/), gmp_abi.h for all, kmod's
# for kmod/, a tool's for that tool. What stands in $known is there for a reason; anything new fails.
cd "$(dirname "$0")/../.." || exit 2
rc=0

# file or folder: header	why it is so
known='
lib/os/kern_ko.c: sched/env.h		which backend GMP_DEBUG=kern= wants
lib/os/kern_none.c: sched/env.h		that it is said once, with GMP_DEBUG=stats
lib/os/callout.c: sched/runtime.h	crit in the slot of the thread, around calls of libc
lib/sched/rt0.c: debug/layout.h		bring-up and end of what readers from outside are told
lib/sched/rt0.c: debug/signal.h		bring-up and end of the signal handlers
lib/sched/m.c: debug/signal.h		each M has an alternate signal stack
lib/sched/world.c: debug/layout.h	the number of Ps is told to readers
lib/sched/sysmon.c: debug/schedtrace.h	its line is due when sysmon says so
lib/sched/proc.c: debug/overflow.h	who ends looks whether its stack ran over
lib/sched/sysmon.c: debug/overflow.h	so does sysmon, for those that do not end
lib/sched/rt0.c: debug/overflow.h	and the end of a run
lib/os/stackguard.c: sched/env.h	how many guards GMP_DEBUG=stackguards= wants
lib/sched/g.c: debug/canary.h		inline, at the end of each stack
lib/sched/switch.h: debug/canary.h	the same
'

say()
{
	echo "check-includes: $*" >&2
	rc=1
}

level()
{
	case $1 in
	base) echo 0 ;;
	arch | os) echo 1 ;;
	sched) echo 2 ;;
	sync | io) echo 4 ;;
	debug) echo 5 ;;
	*) echo none ;;
	esac
}

# "FILE HEADER" for each #include "..." in the folders
includes()
{
	find "$@" -path '*/build/*' -prune -o -name '*.[chS]' -print0 | xargs -0 grep -HoE '^#[ \t]*include "[^"]+"' |
		sed -E 's/:#[ \t]*include "/ /; s/"$//'
}

while read -r file header; do
	dir=${file#lib/}
	dir=${dir%%/*}
	to=${header%%/*}
	[ "$to" != "$header" ] || continue		# beside it, or gmp_abi.h
	[ "$(level "$to")" != none ] || continue	# gmprt/
	[ "$(level "$dir")" -lt "$(level "$to")" ] || continue
	grep -qF -- "$file: $header	" <<<"$known" || say "$file includes $header, of a higher layer"
done < <(includes lib/base lib/arch lib/os lib/sched lib/sync lib/io lib/debug)

while IFS=' 	' read -r file header _; do
	[ -z "$file" ] || grep -qF "#include \"$header\"" "${file%:}" ||
		say "${file%:} includes $header no more: take it off the list in $0"
done <<<"$known"

while read -r file header; do
	case $file:$header in
	lib/include/*:gmprt/* | lib/include/*:base.h | lib/include/*:go.h | lib/include/gmprt/go.h:proc.h) ;;
	lib/include/*) say "$file includes $header: public headers include public ones" ;;
	kmod/uapi/*) say "$file includes $header: it may include <linux/types.h> and <linux/ioctl.h> only" ;;
	kmod/*:*/*) say "$file includes $header" ;;
	tools/samples/*:* | selftests/api/*:*/*) say "$file includes $header: it may know <gmprt.h> only" ;;
	tools/*:base/* | tools/*:os/* | tools/*:sched/* | tools/*:sync/* | tools/*:io/* | tools/*:debug/*)
		say "$file includes $header, which is libgmprt's own" ;;
	tools/*:common/* | tools/*:bpf/* | kmod/*:* | tools/*:* | selftests/*:*) ;;
	esac
done < <(includes lib/include kmod tools selftests/api)

# angle brackets in the contract
while read -r line; do
	say "kmod/uapi/gmp_abi.h includes more than <linux/types.h> and <linux/ioctl.h>: $line"
done < <(grep -E '^#[ \t]*include <' kmod/uapi/gmp_abi.h | grep -vE '<linux/(types|ioctl)\.h>')
exit $rc
