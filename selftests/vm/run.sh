#!/bin/bash
# Run a command in a QEMU guest that boots one of Debian's kernels, or one of ours, on the host's own files.
#
# usage: run.sh [-k KVER] [-s CPUS] [-m MB] [-t SECONDS] [-r RESULTS_DIR] [-a KERNEL_ARGS] [-c] [-i] [--] COMMAND...
#
#   -k  kernel: 6.1, 6.12 or a full version; the newest installed one when not given. With a slash in
#       it: a folder that a kernel was built in, all that a guest needs built in (make debugkernel)
#   -s  CPUs (2)     -m  memory in MB (1024)     -t  time limit in seconds (600; with -i: none)
#   -r  a host folder that is /results in the guest, writable; console.log (the kernel's) and
#       output.log (the command's) are left there too. Not given: kept only when something failed
#   -a  more words for the kernel's command line
#   -c  the guest counts: one CPU, emulated, whose time stamp counter is the number of instructions it has
#       executed; while it works, a nanosecond is one of them
#   -i  interactive: the command (bash when there is none) gets this terminal
#
# The guest sees the host's / read-only under an overlay of its own: what it writes is gone
# afterwards, except under /results. /tmp is empty there. The command starts in the tree, as
# root, with GMP_VM=1 and O= set.
# The command's output is this script's output, as it comes.
#
# Exit status: the command's; 124 out of time; 125 the guest panicked or ended without a word;
#              2 it could not be started.
#
# Needs no root on the host, but the guest then sees only what the user may read.
# GMP_VM_ACCEL=kvm, tcg,thread=multi or tcg,thread=single is used as it is; otherwise /dev/kvm is
# tried once per boot of the host.
set -u

vm=$(cd "$(dirname "$0")" && pwd)
top=${vm%/selftests/vm}
out=${O:-$top/build}
mkdir -p "$out/vm" || exit 2
out=$(cd "$out" && pwd)

kver='' cpus=2 mem=1024 limit='' results='' kargs='' counting='' interactive=''
run='' qemu_pid='' tee_pid=''

say()
{
	echo "vm: $*" >&2
}

die()
{
	say "$*"
	exit 2
}

usage()
{
	sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//;p}' "$0" >&2
	exit 2
}

# Ends what this script started, by pid, whichever way it ends itself.
cleanup()
{
	local status=$?
	trap - EXIT
	if [ -n "$qemu_pid" ]; then
		kill "$qemu_pid" 2>/dev/null
		wait "$qemu_pid" 2>/dev/null
	fi
	if [ -n "$tee_pid" ]; then
		kill "$tee_pid" 2>/dev/null
		wait "$tee_pid" 2>/dev/null
	fi
	if [ -n "$run" ]; then
		if [ "$status" -ne 0 ] && [ "$results" = "$run/results" ] && [ -s "$results/console.log" ]; then
			say "the logs are in $results"
			rm -rf "$run"/[!r]*	# all but results/
		else
			rm -rf "$run"
		fi
	fi
	exit "$status"
}

parse_args()
{
	local opt
	while getopts k:s:m:t:r:a:cih opt; do
		case $opt in
		k) kver=$OPTARG ;;
		s) cpus=$OPTARG ;;
		m) mem=$OPTARG ;;
		t) limit=$OPTARG ;;
		r) results=$OPTARG ;;
		a) kargs=$OPTARG ;;
		c) counting=1 cpus=1 ;;
		i) interactive=1 ;;
		*) usage ;;
		esac
	done
	shift $((OPTIND - 1))
	if [ -z "$interactive" ]; then
		limit=${limit:-600}
	elif [ $# -eq 0 ]; then
		set -- bash
	fi
	[ $# -gt 0 ] || usage
	command=("$@")
}

# The modules between the kernel and a root file system on 9p, in the order they are loaded.
root_modules()
{
	local m
	for m in virtio_pci 9p 9pnet_virtio overlay; do
		modprobe -S "$1" --show-depends "$m" || return
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# build_initramfs VERSION FILE: busybox, the modules unpacked, guest-init.sh as /init
build_initramfs()
{
	local ver=$1 file=$2 tree mods mod name
	tree=$(mktemp -d "$out/vm/initramfs.XXXXXX") || return
	mkdir -p "$tree/bin" "$tree/dev" "$tree/modules" &&
		cp "$(command -v busybox)" "$tree/bin/busybox" &&
		install -m 755 "$vm/guest-init.sh" "$tree/init" &&
		: >"$tree/modules/order" || return
	mods=''
	if [ -z "$built_in" ]; then
		mods=$(root_modules "$ver")
		[ -n "$mods" ] || return
	fi
	for mod in $mods; do
		name=${mod##*/}
		name=${name%.ko*}.ko
		case $mod in
		*.xz) xz -dc "$mod" ;;
		*.zst) zstd -dc "$mod" ;;
		*) cat "$mod" ;;
		esac >"$tree/modules/$name" || return
		echo "$name" >>"$tree/modules/order"
	done
	(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0) >"$tree.cpio" &&
		mv "$tree.cpio" "$file" || return	# not written in place: a guest may be reading it
	rm -rf "$tree"
}

# newer FILE THAN...: FILE is there and as new as all the others
newer()
{
	local file=$1 f
	[ -e "$file" ] || return
	shift
	for f in "$@"; do
		[ ! "$f" -nt "$file" ] || return
	done
}

# Sets $kernel and $initramfs. QEMU boots the unpacked ELF (by its PVH entry) as it does the
# image: unpacking here, once, spares each guest 1 to 4 s of doing that in emulation. Not so a kernel
# of our own: what runs first from the PVH entry is instrumented by KASAN and dies before its shadow is there.
prepare_kernel()
{
	local image dir built_in=''
	case $kver in
	*/*)	built_in=1
		image=$kver/arch/x86/boot/bzImage ;;
	esac
	kver=$("$top/tools/dev/kver.sh" -i "$kver") || exit 2
	image=${image:-/boot/vmlinuz-$kver}
	dir=$out/vm/$kver
	kernel=$dir/vmlinux
	initramfs=$dir/initramfs.cpio
	mkdir -p "$dir" || exit 2
	exec 9>"$dir/.lock"	# several guests may start at once
	flock 9
	if [ -n "$built_in" ]; then
		kernel=$image
	elif ! newer "$kernel" "$image" && ! "$top/tools/dev/unpack-kernel.sh" "$image" "$kernel"; then
		kernel=$image
	fi
	if ! newer "$initramfs" "$image" "/lib/modules/$kver/modules.dep" "$vm/guest-init.sh" "$vm/run.sh"; then
		build_initramfs "$kver" "$initramfs" || die "cannot build $initramfs"
	fi
	exec 9>&-
}

# Does a guest get as far as its init under KVM? In some virtual machines /dev/kvm is there
# and a guest hangs in early boot. The answer holds until the host boots again.
kvm_works()
{
	local log found
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return
	log=$(mktemp "$out/vm/probe.XXXXXX")
	# in $( ), or this shell would tell of a QEMU that aborted
	found=$(timeout -k 1 8 qemu-system-x86_64 -accel kvm -cpu host -m 256 -nodefaults -no-user-config \
		-display none -no-reboot -serial "file:${log//,/,,}" -kernel "$kernel" -initrd "$initramfs" \
		-append 'console=ttyS0 panic=-1 gmpvm.probe' </dev/null >/dev/null 2>&1
		grep 'gmpvm: probe ok' "$log") 2>/dev/null
	rm -f "$log"
	[ -n "$found" ]
}

# QEMU before 8.1 (its deba78709ae8), with a thread for each CPU, now and then keeps running
# code that another CPU has just patched. The kernel patches itself whenever a static key or a
# tracepoint is switched: pristine 6.1 hangs and 6.12 dies of a stray int3 after some hundred
# times. One thread for all CPUs is slower, but right; the CPUs still interleave.
tcg()
{
	local version
	version=$(qemu-system-x86_64 --version | sed -n '1s/[^0-9]*\([0-9]*\.[0-9]*\).*/\1/p')
	if [ "$(printf '%s\n' 8.1 "$version" | sort -V | head -n 1)" = 8.1 ]; then
		echo tcg,thread=multi
	else
		echo tcg,thread=single
	fi
}

# Sets $accel to what QEMU's -accel takes.
pick_accel()
{
	local cache boot
	accel=${GMP_VM_ACCEL:-}
	[ -z "$counting" ] || accel=tcg,thread=single	# no other can
	[ -z "$accel" ] || return 0
	boot=$(cat /proc/sys/kernel/random/boot_id)
	cache=$out/vm/accel.$boot
	exec 9>"$out/vm/accel.lock"	# several guests may start at once: one probes
	flock 9
	if [ ! -s "$cache" ]; then
		rm -f "$out"/vm/accel.????????-*
		if kvm_works; then
			echo kvm >"$cache"
		else
			[ -e /dev/kvm ] && say "/dev/kvm does not run a guest here"
			echo tcg >"$cache"
		fi
	fi
	exec 9>&-
	accel=$(cat "$cache")
	[ "$accel" = kvm ] || accel=$(tcg)
}

# A folder for this guest. Its lock is held as long as it is used: one whose owner was killed
# is swept away by the next that comes.
make_run_dir()
{
	local dir
	for dir in "$out"/vm/run.*/lock; do
		if [ -e "$dir" ] && flock -n "$dir" true; then
			rm -rf "${dir%/lock}"
		fi
	done
	run=$(mktemp -d "$out/vm/run.XXXXXX") || exit 2
	exec 7>"$run/lock.new"
	flock 7
	mv "$run/lock.new" "$run/lock"
}

# The rate of the cycle counter, which in emulation is the host's: tsckhz.c says why a guest is told.
tsc_khz()
{
	local prog=$out/vm/tsckhz
	if ! newer "$prog" "$vm/tsckhz.c"; then
		gcc -O2 -o "$prog.$$" "$vm/tsckhz.c" && mv "$prog.$$" "$prog" || return
	fi
	"$prog"
}

# What guest-init.sh and guest-run.sh find in /run/gmpvm.
prepare_run()
{
	local tty=/dev/ttyS1 size
	make_run_dir
	[ -n "$results" ] || results=$run/results
	mkdir -p "$results" "$run/guest" || exit 2
	results=$(cd "$results" && pwd)
	: >"$results/console.log"
	: >"$results/output.log"
	[ -n "$interactive" ] && tty=/dev/ttyS0
	size=$(stty size 2>/dev/null)
	case $size in
	'' | 0*) size='24 80' ;;
	esac
	cp "$vm/guest-run.sh" "$run/guest/"
	printf '%q ' "${command[@]}" >"$run/guest/command"
	printf '%s=%q\n' guest_cwd "$top" guest_out "$out" guest_tty $tty guest_term "${TERM:-dumb}" \
		guest_rows "${size% *}" guest_cols "${size#* }" >"$run/guest/env"
}

# share TAG FOLDER [OPTION]: a folder of the host for the guest, by 9p
share()
{
	qemu+=(-virtfs "local,path=${2//,/,,},mount_tag=$1,security_model=none,multidevs=remap$3")
}

# Sets $qemu, the command. The RCU and lockup limits are long, for a guest on a busy host stands
# still now and then; without tsc=reliable every clock_gettime is a system call; five-level page
# tables only make emulation slower.
qemu_command()
{
	# no_timer_check: a busy host delivers no ten ticks in the time the kernel grants the emulated timer
	local append="console=ttyS0 panic=-1 no_timer_check tsc=reliable" khz
	append+=" rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=30"
	local log=${results//,/,,}/console.log
	case $top/:$out/ in
	/tmp/* | *:/tmp/*) append+=" gmpvm.keeptmp" ;;
	esac
	qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
		-m "$mem" -smp "$cpus" -kernel "$kernel" -initrd "$initramfs")
	case $accel in
	kvm) qemu+=(-accel kvm -cpu host) ;;
	*) qemu+=(-accel "$accel" -cpu 'max,-la57') ;;
	esac
	if [ -n "$counting" ]; then
		qemu+=(-icount shift=0)
	elif [ "$accel" != kvm ] && khz=$(tsc_khz); then
		append+=" tsc_early_khz=$khz"
	fi
	share hostroot / ,readonly=on
	share run "$run/guest" ''
	share results "$results" ''
	if [ -n "$interactive" ]; then
		qemu+=(-chardev "stdio,id=console,signal=off,logfile=$log")
		append+=" loglevel=4"
	else
		qemu+=(-chardev "file,id=console,path=$log" -chardev "file,id=output,path=${run//,/,,}/output")
	fi
	qemu+=(-serial chardev:console)
	[ -n "$interactive" ] || qemu+=(-serial chardev:output)
	qemu+=(-append "$append${kargs:+ $kargs}")
}

# The guest writes into a pipe that this shell holds open too, so that neither end waits for
# the other to start and tee sees the end exactly when QEMU is gone and 8 is closed.
run_streaming()
{
	local status
	mkfifo "$run/output" || exit 2
	exec 8<>"$run/output"
	tee -a "$results/output.log" <"$run/output" 8>&- &
	tee_pid=$!
	SECONDS=0
	# pdeathsig: no guest survives this script, not even when it is killed by SIGKILL
	setpriv --pdeathsig TERM timeout -k 5 "$limit" "${qemu[@]}" \
		</dev/null >"$run/qemu.log" 2>&1 8>&- &
	qemu_pid=$!
	wait "$qemu_pid"
	status=$?
	qemu_pid=''
	exec 8>&-
	wait "$tee_pid"
	tee_pid=''
	return $status
}

run_interactive()
{
	local saved status
	saved=$(stty -g 2>/dev/null)
	SECONDS=0
	timeout --foreground -k 5 "${limit:-0}" "${qemu[@]}" 2>"$run/qemu.log"
	status=$?
	[ -z "$saved" ] || stty "$saved"
	return $status
}

# The console from the first sign of trouble on, or its end.
show_console()
{
	awk '/Kernel panic|BUG:|Oops|WARNING:/ { found = 1 }
		{ line[NR] = $0 }
		found && n < 60 { print; n++ }
		END { for (i = NR - 20; !found && i <= NR; i++) if (i > 0) print line[i] }' \
		"$results/console.log" >&2
}

# report STATUS-OF-QEMU: the exit status of the whole
report()
{
	local status=$1 code
	if [ "$status" -ne 0 ] && [ -n "$limit" ] && [ $SECONDS -ge "$limit" ]; then
		say "out of time after $limit s; the console:"
		show_console
		return 124
	fi
	code=$(cat "$run/guest/exit" 2>/dev/null)
	if [ -n "$code" ]; then
		return "$code"
	fi
	if [ ! -s "$results/console.log" ]; then
		say "QEMU did not start: $(cat "$run/qemu.log")"
		return 2
	fi
	say "the guest ended without an exit code; the console:"
	show_console
	return 125
}

parse_args "$@"
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
prepare_kernel
pick_accel
prepare_run
qemu_command
say "$kver, $cpus CPUs, $mem MB, accelerator $accel"
if [ -n "$interactive" ]; then
	run_interactive
else
	run_streaming
fi
report $?
exit
