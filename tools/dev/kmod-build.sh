#!/bin/bash
# usage: kmod-build.sh VERSION KDIR FARM BTF SOURCE...
# Run kbuild for kernel VERSION, whose build folder is KDIR, in FARM, a folder of links to
# kmod/SOURCE..., then see to it that gmp.ko has BTF. BTF is where to keep the kernel's own BTF
# when it has to be extracted.
set -euo pipefail

ver=$1 kdir=$2 farm=$3 btf=$4
shift 4
dev=$(cd "$(dirname "$0")" && pwd)
kmod=${dev%/tools/dev}/kmod

say()
{
	printf '  %-7s %s\n' "$1" "$2"
}

make_farm()
{
	local f
	mkdir -p "$farm" "$(dirname "$btf")"
	find "$farm" -xtype l -delete	# links to sources that are gone
	for f in "$@"; do
		mkdir -p "$farm/$(dirname "$f")"
		[ "$farm/$f" -ef "$kmod/$f" ] || ln -sfn "$kmod/$f" "$farm/$f"
	done
}

# kbuild reads O=, CC= and CFLAGS= from make's command line as its own, and they mean other
# things there: it gets a clean environment. "Skipping BTF" is not the last word, see below.
run_kbuild()
{
	local btf=()
	# where kbuild itself makes BTF it fails without pahole; the module works without
	command -v pahole >/dev/null || btf=(CONFIG_DEBUG_INFO_BTF_MODULES=)
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u O -u CC -u CFLAGS -u LDFLAGS \
		make --no-print-directory -C "$kdir" M="$farm" V="${V:-0}" W="${W:-}" C="${C:-}" -j"$(nproc)" "${btf[@]}" modules \
		2> >(grep -v '^Skipping BTF generation' >&2)
}

# resolve_btfids comes with 6.12's linux-kbuild and works for 6.1's BTF as well.
find_resolve_btfids()
{
	local f
	for f in "$kdir"/tools/bpf/resolve_btfids/resolve_btfids \
		/usr/lib/linux-kbuild-*/tools/bpf/resolve_btfids/resolve_btfids; do
		if [ -x "$f" ]; then
			echo "$f"
			return
		fi
	done
	echo "no resolve_btfids (linux-kbuild-6.12 has it)" >&2
	return 1
}

has_section()
{
	# not -q: that ends at the first match, and readelf may die of a closed pipe, which pipefail takes for "no"
	readelf -SW "$1" | grep " \.$2 " >/dev/null
}

# 6.1's headers have no vmlinux, so kbuild leaves the module without BTF; then do what it would have done.
add_btf()
{
	local ko=$farm/gmp.ko tmp=$farm/gmp.ko.btf resolve
	has_section "$ko" BTF && return
	command -v pahole >/dev/null || { echo "no pahole (package dwarves)" >&2; return 1; }
	resolve=$(find_resolve_btfids) || return 1
	if [ ! -e "$btf" ] || [ "/boot/vmlinuz-$ver" -nt "$btf" ]; then
		"$dev/kernel-btf.sh" "$ver" "$btf" || return 1
		touch "$btf"
	fi
	say BTF "[M] $ko"
	cp "$ko" "$tmp"
	pahole -J --btf_gen_floats --lang_exclude=rust --btf_base "$btf" "$tmp" || return 1
	# without a .BTF_ids section there are no kfuncs to resolve, and resolve_btfids says so at length
	if has_section "$tmp" BTF_ids; then
		"$resolve" -b "$btf" "$tmp" || return 1
	fi
	mv "$tmp" "$ko"
}

# Two `make` in one build folder (two shells, a guest's test run) take turns.
mkdir -p "$farm"
exec 9>"$farm/.lock"
flock 9

if [ ! -e "$kdir/Makefile" ]; then
	echo "kmod: no headers of $ver" >&2
	exit 1
fi
make_farm "$@"
run_kbuild
if ! add_btf 2>"$farm/btf.log"; then
	rm -f "$farm/gmp.ko.btf"
	echo "kmod: gmp.ko for $ver has no BTF, so BPF programs cannot call its kfuncs: $(tail -n 1 "$farm/btf.log")"
fi
