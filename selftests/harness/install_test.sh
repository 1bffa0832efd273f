#!/bin/bash
# TAP: make install: a program is built with what was installed and nothing else; make uninstall
# leaves nothing behind.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/*/*}
export O=${O:-$top/build}
. "$here/tap.sh"

dest=$tmp/dest
prefix=/opt/gmp
make="env -u MAKEFLAGS -u MAKELEVEL make -s -C $top O=$O PREFIX=$prefix DESTDIR=$dest"

files() { find "$dest" ! -type d -printf '%P\n' | sort; }
has() { [ -e "$dest$prefix/$1" ] || { echo "no $prefix/$1 among:"; files; return 1; }; }

# The paths in gmprt.pc are those without DESTDIR: pkg-config is told where the root is.
pc() { PKG_CONFIG_SYSROOT_DIR=$dest PKG_CONFIG_PATH=$dest$prefix/lib/pkgconfig pkg-config "$@" gmprt; }

# build HOW FLAGS...: the sample, outside of the tree
build()
{
	local how=$1
	shift
	cp "$top/tools/samples/hello.c" "$tmp/"
	${CC:-gcc} -std=gnu11 -Wall -Wextra -Werror -o "$tmp/hello-$how" "$tmp/hello.c" "$@"
}

runs() { LD_LIBRARY_PATH=$dest$prefix/lib "$tmp/hello-$1" | grep -qx '1 + 4 + 9 + ... + 100 = 385'; }

check "make install" $make install
for f in bin/gmp lib/libgmprt.a lib/libgmprt.so lib/libgmprt.so.0 lib/pkgconfig/gmprt.pc include/gmprt.h \
	include/gmprt/proc.h include/gmprt/gmp_abi.h share/man/man8/gmp.8 \
	share/man/man3/gmp_go.3 share/man/man3/gmp_chan_try_recv.3 share/man/man4/gmp.4 share/man/man7/gmprt.7; do
	check "installs $f" has "$f"
done
check "the program, with the shared library" build shared $(pc --cflags --libs)
check "it runs" runs shared
check "it needs libgmprt.so.0" sh -c "readelf -d '$tmp/hello-shared' | grep -q 'NEEDED.*libgmprt.so.0'"
check "the program, with the archive" build static $(pc --cflags) "$dest$prefix/lib/libgmprt.a" \
	$(pc --static --libs-only-l | sed 's/-lgmprt//') -pthread
check "it runs" runs static
check "the command runs" sh -c "'$dest$prefix/bin/gmp' --version | grep -q '^gmp '"
check "make uninstall" $make uninstall
check "nothing is left" equal "$(files)" ""

# The module, if one was built: make check does, before this.
for ko in "$O"/kmod-*/gmp.ko; do
	[ -e "$ko" ] || continue
	ver=${ko%/gmp.ko} ver=${ver##*/kmod-}
	check "make install-kmod, for $ver" $make KVER="$ver" install-kmod
	check "depmod will find it" equal "$(files)" "lib/modules/$ver/updates/gmp.ko"
	check "make uninstall-kmod" $make KVER="$ver" uninstall-kmod
	check "nothing is left" equal "$(files)" ""
done

done_testing
