# SPDX-License-Identifier: GPL-2.0-only
# kmod.mk - the tests of gmp.ko: what there is and how it is built. Include it, or run it on its own:
#
#   make -f selftests/kmod/kmod.mk O=build kmod-tests
#
# In:  O (build folder), CC, CFLAGS, V; from the top of the tree or anywhere.
# Out: KMOD_TESTS, the programs; the target kmod-tests builds them. They run in a guest, as root, with
#      the module loaded, and leave it loaded.
#
# kselftest.h and kselftest_harness.h are taken from Debian's linux-source-6.1, never copied into the
# tree: unpacked once (some ten seconds) and kept in $(O)/kselftest.

kmod_tests_dir := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
O ?= $(abspath $(kmod_tests_dir)/../../build)
CC ?= gcc
CFLAGS ?= -O2 -g
KSELFTEST_SOURCE ?= /usr/src/linux-source-6.1.tar.xz
V ?= 0
kmod_say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(patsubst $(O)/%,%,$@);)

KMOD_TEST_NAMES := dev_test handoff_abi_test handoff_signal_test lifetime_test proc_test cause_test gtable_test trace_test
KMOD_TEST_NAMES += stress_test rmmod_test limits_test throttle_test safety_test soak_test fuzz kfunc_test peek_test
KMOD_TESTS := $(addprefix $(O)/selftests/kmod/,$(KMOD_TEST_NAMES))

# What a program is made of besides its main file.
kmod_more_fuzz := fuzz_victim.c fuzz_table.c fuzz_handoff.c fuzz_reader.c fuzz_world.c
kmod_more = $(addprefix $(kmod_tests_dir)/,$(kmod_more_$(notdir $1)))

kmod_libs_kfunc_test := -lbpf -lelf -lz

kselftest_headers := $(addprefix $(O)/kselftest/,kselftest.h kselftest_harness.h)

kmod-tests: $(KMOD_TESTS)

$(O)/kselftest/.unpacked: $(KSELFTEST_SOURCE)
	$(call kmod_say,UNPACK)mkdir -p $(@D) && tar -C $(@D) --strip-components=4 -xf $< \
		linux-source-6.1/tools/testing/selftests/kselftest.h \
		linux-source-6.1/tools/testing/selftests/kselftest_harness.h && touch $@

$(kselftest_headers): $(O)/kselftest/.unpacked

.SECONDEXPANSION:
$(KMOD_TESTS): $(O)/selftests/kmod/%: $(kmod_tests_dir)/%.c $$(call kmod_more,%) $(wildcard $(kmod_tests_dir)/*.h) \
		$(kmod_tests_dir)/../../kmod/uapi/gmp_abi.h $(kselftest_headers)
	$(call kmod_say,CC)mkdir -p $(@D) && $(CC) -std=gnu11 -Wall -Wextra $(CFLAGS) \
		-I$(kmod_tests_dir)/../../kmod/uapi -isystem $(O)/kselftest -o $@ $(filter %.c,$^) -pthread $(kmod_libs_$*)

# The BPF program beside the one that loads it; any kernel's types will do: it names all it uses.
$(O)/selftests/kmod/kfunc_test: $(O)/selftests/kmod/kfunc.bpf.o
$(O)/selftests/kmod/kfunc.bpf.o: $(kmod_tests_dir)/kfunc.bpf.c $(kmod_tests_dir)/kfunc.h
	$(call kmod_say,BPF)mkdir -p $(@D) && clang -target bpf -D__TARGET_ARCH_x86 -g -O2 -Wall -Wextra \
		-Wno-unused-parameter -I/usr/include/$(shell $(CC) -dumpmachine) -c -o $@ $<

.PHONY: kmod-tests
