#!/bin/bash
# usage: GMP_SEEDED_KERNEL=DIR seeded.sh
# TAP: does the debug kernel built in DIR report what it is there for, and does klog.sh see it? A guest
# of it commits one bug after the other (gmp_seeded.c).
set -u

here=$(cd "$(dirname "$0")" && pwd)
vm=${here%/*}
top=${here%/selftests/vm/seeded}
out=${O:-$top/build}

# build DIR: the module with the bugs, in $out/seeded-NAME
build()
{
	local farm
	farm=$out/seeded-$(basename "$1")
	mkdir -p "$farm"
	ln -sfn "$here/Kbuild" "$here/gmp_seeded.c" "$farm/"
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u O -u V -u W -u CC -u CFLAGS -u LDFLAGS \
		nice make -s -C "$1" M="$farm" modules >"$farm/log" 2>&1 || { cat "$farm/log" >&2; return 1; }
}

n=0 failed=0

# expect BUG WORDS: loads it; the kernel's log since then has the words, and klog.sh says so
expect()
{
	local said
	n=$((n + 1))
	dmesg -C
	insmod "$out/seeded-$name/gmp_seeded.ko" bug="$1" 2>/dev/null
	if [ "$1" = leak ]; then
		sleep 8
		echo scan >/sys/kernel/debug/kmemleak
		echo scan >/sys/kernel/debug/kmemleak
	fi
	sleep 0.5
	said=$(dmesg | "$vm/klog.sh" -)
	if grep -q -e "$2" <<<"$said"; then
		echo "ok $n - $1 is reported"
	else
		echo "not ok $n - $1 is reported"
		dmesg | sed 's/^/# /'
		failed=1
	fi
}

in_guest()
{
	name=$(basename "$1")
	case $name in
	*-kcsan)
		echo 1..1
		expect data_race 'KCSAN: data-race in racer'
		return ;;
	esac
	echo 1..6
	# first, for every other report may switch lockdep off; its own does so, too, and only lockdep
	expect lock_inversion 'possible circular locking'
	expect leak 'kmemleak: [0-9]* new suspected'
	expect sleep_under_spinlock 'BUG: scheduling while atomic\|sleeping function called'
	expect free_active_work 'ODEBUG: free active'
	expect out_of_bounds 'KASAN: slab-out-of-bounds'
	expect use_after_free 'KASAN: slab-use-after-free\|KASAN: use-after-free'
}

kernel=$GMP_SEEDED_KERNEL
if [ "${GMP_VM:-}" = 1 ]; then
	in_guest "$kernel"
	exit $failed
fi
build "$kernel" || exit 1
exec "$vm/run.sh" -k "$kernel" -m 2048 -t 900 -a kasan_multi_shot -- \
	env GMP_SEEDED_KERNEL="$kernel" "$here/seeded.sh"
