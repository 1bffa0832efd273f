# The front door: `make help` describes every target; the work is done in the sub-makefiles,
# which can be run on their own as well (make -C lib).

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

TOP := $(CURDIR)
include tools/dev/builddir.mk
V ?= 0
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
export V CC CFLAGS PREFIX

# The demo boots 6.1 unless KVER says otherwise; check runs on both of Debian's kernels.
DEMO_KVER := $(or $(KVER),6.1)
CHECK_KVERS := $(or $(KVER),6.1 6.12)
DEBUGKERNELS ?= 6.1-kasan 6.1-kcsan
KMOD := $(MAKE) -f tools/dev/kmod.mk

help:
	@echo 'libgmprt, gmp.ko and the gmp command'
	@echo
	@echo '  make deps        install the Debian packages needed (root), or say which are missing'
	@echo '  make all         library, module, BPF programs, gmp command, samples'
	@echo '  make lib         build/lib/libgmprt.a and libgmprt.so.0'
	@echo '  make kmod        build/kmod-<version>/gmp.ko, for the newest installed headers'
	@echo '  make bpf         the BPF objects and their skeletons'
	@echo '  make tools       build/tools/gmp and the samples'
	@echo '  make demo        a web server in a guest, its threads as the kernel sees them'
	@echo '  make check       all tests: on this machine, in a 6.1 guest, in a 6.12 guest'
	@echo '  make check-host  the tests that need no module'
	@echo '  make check-vm    the tests with the module, in QEMU guests'
	@echo '  make check-fuzz  the fuzzer of gmp.ko in each guest; T=300 seconds, SEED= repeats a run'
	@echo '  make check-soak  10,000 attaches, 1,000 loads, 100 storms of kill -9: what stays behind?'
	@echo '                   and /proc/gmp/<tgid>/goroutines with a million of them'
	@echo '  make debugkernel kernels that find bugs, built outside the tree: $(DEBUGKERNELS)'
	@echo '  make check-debugkernel  all tests with the module, the fuzzer and the soak test on these'
	@echo '  make sparse      the module through sparse and W=1, for each kernel'
	@echo '  make checkpatch  the module through checkpatch.pl and kernel-doc'
	@echo '  make check-asan  check-tsan  check-valgrind   the tests of the library under these'
	@echo '  make torture     random goroutines for T=60 seconds, SEED= repeats a run'
	@echo '  make vm          a shell in a guest with gmp.ko loaded'
	@echo '  make bench       our benchmarks and the same in Go, by turns; BENCH="yield chanpp" ROUNDS=5'
	@echo '  make coverage    line coverage of the library by the tests of this machine'
	@echo '  make style       the checks in tools/dev/check-*.sh'
	@echo '  make install     library, headers, command, manuals; PREFIX=/usr/local DESTDIR='
	@echo '  make install-lib   the library alone: needs no clang, no bpftool'
	@echo '  make install-kmod  the module, for KVER= (default: the running kernel); then modprobe gmp'
	@echo '  make uninstall   what install put there; uninstall-kmod likewise'
	@echo '  make tags        an index of all names, by ctags'
	@echo '  make clean       what make built'
	@echo
	@echo '  V=1      shows the commands       O=DIR   builds in DIR, not in build/'
	@echo '  CC=clang CFLAGS=...               KVER=   the kernel: 6.1, 6.12 or all of `uname -r`'

all: lib kmod bpf tools

lib:
	@$(MAKE) -C lib

kmod:
	+@$(KMOD) KVER=$(KVER)

# the modules of the kernels that the tests boot
kmods:
	+@for k in $(CHECK_KVERS); do $(KMOD) KVER=$$k || exit; done

bpf:
	@$(MAKE) -C tools/bpf

tools: lib bpf
	@$(MAKE) -C tools

tests: lib tools
	@$(MAKE) -C tools/bench
	@$(MAKE) -C selftests

deps:
	@tools/dev/deps.sh

check: tests kmods
	@selftests/check.sh host $(CHECK_KVERS)

check-host: tests
	@selftests/check.sh host

check-vm: tests kmods
	@selftests/check.sh $(CHECK_KVERS)

check-fuzz: tests kmods
	@T=$(or $(T),300); selftests/alone.sh -t $$((T * 3 + 300)) -e T=$$T -e SEED=$(SEED) fuzz $(CHECK_KVERS)

check-soak: tests kmods
	@selftests/alone.sh -t 3600 -e GMP_SOAK=10 soak_test $(CHECK_KVERS)
	@selftests/alone.sh -t 1800 -m 3072 -e GMP_CROWD=1000000 -e GMPTEST_TIMEOUT=1500 kern/crowd_test $(CHECK_KVERS)

debugkernel:
	@tools/dev/debugkernel.sh $(DEBUGKERNELS)

check-debugkernel: tests
	@T="$(T)" SEED="$(SEED)" selftests/debugkernel.sh $(DEBUGKERNELS)

sparse:
	@tools/dev/sparse.sh $(CHECK_KVERS)

checkpatch:
	@tools/dev/checkpatch.sh

check-asan check-tsan check-valgrind:
	@selftests/san/san.sh $(@:check-%=%)

torture:
	@$(MAKE) -C selftests torture
	@TORTURE_T=$(or $(T),60) $(if $(SEED),GMP_SEED=$(SEED)) $(O)/selftests/torture/torture_test

demo: lib tools
	+@$(KMOD) KVER=$(DEMO_KVER)
	@tools/demo/demo.sh $(DEMO_KVER)

vm: kmod tools
	@selftests/vm/run.sh -k "$(if $(findstring /,$(KVER)),$(KVER),$$(tools/dev/kver.sh $(KVER)))" -i -- \
		sh -c 'insmod $$O/kmod-$$(uname -r)/gmp.ko; PATH=$$O/tools:$$PATH bash; :'

# ends by itself within ten minutes
bench: lib
	@$(MAKE) -C tools/bench
	@tools/bench/run.py -b $(if $(V:0=),-v) -n $(or $(ROUNDS),5) -w "$(BENCH)"

coverage:
	@tools/dev/coverage.sh

style:
	@rc=0; for f in tools/dev/check-*.sh; do $$f || rc=1; done; exit $$rc

install: lib tools install-lib
	@$(MAKE) -C tools install

install-lib: lib
	@$(MAKE) -C lib install

# Not part of install: a module is for one kernel, and needs root and that kernel's headers.
install-kmod uninstall-kmod:
	+@$(KMOD) KVER=$(or $(KVER),$(shell uname -r)) $(@:-kmod=)

uninstall:
	@$(MAKE) -C lib uninstall
	@$(MAKE) -C tools uninstall

tags:
	@command -v ctags >/dev/null || { echo 'no ctags: the package universal-ctags has it' >&2; exit 1; }
	@git ls-files '*.[chS]' '*.py' '*.go' | ctags -L -

# by name: O= may be a folder that holds other things too
clean:
	@rm -rf $(addprefix $(O)/,lib tools selftests kselftest btf vm coverage inject asan tsan valgrind) $(O)/kmod-*
	@rmdir $(O) 2>/dev/null || :

# a line a group, so that branches that add targets do not meet
.PHONY: help all lib kmod kmods bpf tools tests deps demo vm bench torture coverage style tags clean
.PHONY: check check-host check-vm
.PHONY: check-fuzz check-soak debugkernel check-debugkernel sparse checkpatch
.PHONY: check-asan check-tsan check-valgrind
.PHONY: install install-lib uninstall install-kmod uninstall-kmod
