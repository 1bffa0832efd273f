#!/bin/bash
# usage: debugkernel.sh [-p] NAME...
# Build kernels that find bugs, from Debian's linux-source packages, outside the tree.
#
#   NAME  VERSION-FLAVOUR: 6.1-kasan, 6.12-kasan, 6.1-kcsan, 6.12-kcsan. The flavours are the
#         files tools/dev/debugkernel/FLAVOUR.config, each on top of base.config there.
#   -p    build nothing: print the folder of each, and fail if it is not built or out of date
#
# A kernel is built in $DEBUGKERNEL_DIR/NAME, and that folder is a KVER= for all of make and for
# selftests/vm/run.sh. DEBUGKERNEL_DIR is by default gmp-debugkernel in $XDG_CACHE_HOME or, where
# that is not set, in /var/tmp: a kernel takes 2 GB and 20 to 40 minutes of two CPUs.
set -euo pipefail

dev=$(cd "$(dirname "$0")" && pwd)
configs=$dev/debugkernel
base=${DEBUGKERNEL_DIR:-${XDG_CACHE_HOME:-/var/tmp}/gmp-debugkernel}

die()
{
	echo "debugkernel: $*" >&2
	exit 1
}

check_tools()
{
	local tool missing=''
	for tool in flex bison bc pahole xz gcc; do
		command -v $tool >/dev/null || missing+=" $tool"
	done
	[ -z "$missing" ] || die "not installed:$missing (make deps)"
}

# Sets $tarball, the source of a version: where the package is not installed it is downloaded,
# which needs no root.
find_tarball()
{
	local ver=$1
	tarball=/usr/src/linux-source-$ver.tar.xz
	[ ! -e "$tarball" ] || return 0
	tarball=$base/dl/usr/src/linux-source-$ver.tar.xz
	[ ! -e "$tarball" ] || return 0
	mkdir -p "$base/dl"
	(cd "$base/dl" && apt-get -qq download "linux-source-$ver" 2>/dev/null &&
		dpkg-deb -x "linux-source-$ver"_*.deb . && rm "linux-source-$ver"_*.deb) ||
		die "no linux-source-$ver, and it cannot be downloaded"
}

# unpack VERSION: into $base/src-VERSION; the stamp comes last
unpack()
{
	local ver=$1 src=$base/src-$1
	find_tarball "$ver"
	[ ! "$src/.unpacked" -nt "$tarball" ] || return 0
	echo "  UNPACK  $src"
	rm -rf "$src"
	mkdir -p "$src"
	tar -C "$src" --strip-components=1 -xf "$tarball"
	touch "$src/.unpacked"
}

# configure SRC DIR FLAVOUR: what was asked for must be what comes out, or a check is off and
# nobody knows. A newer kernel may have dropped an option: it is then marked in its line.
configure()
{
	local src=$1 dir=$2 wanted=$2/wanted.config lost
	grep -h '^CONFIG_' "$configs/base.config" "$configs/$3.config" >"$wanted"
	grep -h '^# CONFIG_.* is not set' "$configs/$3.config" >>"$wanted" || :
	kmake "$src" "$dir" -s KCONFIG_ALLCONFIG="$wanted" allnoconfig
	lost=$(grep -vxFf "$dir/.config" "$wanted" || :)
	[ -z "$lost" ] || die "$dir: this kernel does not take: $lost"
}

# kcsan: the kernel's own code is not instrumented, see kcsan.config.
kmake()
{
	local src=$1 dir=$2 flags=()
	shift 2
	case $dir in
	*-kcsan) flags=(KCSAN_SANITIZE=n) ;;
	esac
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u O -u V -u W -u CC -u CFLAGS -u LDFLAGS \
		nice -n 5 make -C "$src" O="$dir" ARCH=x86_64 "${flags[@]}" "$@"
}

# What a kernel is made of, as its stamp says it: by content, for a fresh checkout is newer than any kernel.
made_of()
{
	cat "$configs/base.config" "$configs/${1##*-}.config" "$dev/debugkernel.sh" | sha256sum
}

is_built()
{
	[ "$(cat "$base/$1/.built" 2>/dev/null)" = "$(made_of "$1")" ]
}

# Modules are built against it right where it was built, so all of it stays.
build()
{
	local name=$1 dir=$base/$1 ver=${1%-*} flavour=${1##*-}
	[ -e "$configs/$flavour.config" ] && [ "$flavour" != base ] || die "no flavour $flavour"
	mkdir -p "$dir"
	exec 9>"$dir/.lock"
	flock 9
	! is_built "$name" || return 0
	unpack "$ver"
	configure "$base/src-$ver" "$dir" "$flavour"
	echo "  KERNEL  $dir (its output: build.log there)"
	{
		kmake "$base/src-$ver" "$dir" -j"$(nproc)" bzImage &&
			cp "$dir/vmlinux.symvers" "$dir/Module.symvers" &&
			kmake "$base/src-$ver" "$dir" modules_prepare
	} >"$dir/build.log" 2>&1 || { tail -n 20 "$dir/build.log" >&2; die "$dir: see build.log"; }
	made_of "$name" >"$dir/.built"
}

print_only=''
if [ "${1:-}" = -p ]; then
	print_only=1
	shift
fi
[ $# -gt 0 ] || { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
[ -n "$print_only" ] || check_tools
for name; do
	if [ -z "$print_only" ]; then
		build "$name"
	else
		is_built "$name" || die "$name is not built, or its configuration has changed: make debugkernel"
	fi
	echo "$base/$name"
done
