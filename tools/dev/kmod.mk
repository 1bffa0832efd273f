# Builds the module for one kernel: $(O)/kmod-<full version>/gmp.ko. Used by the Makefile:
#	make -f tools/dev/kmod.mk O=/abs/build KVER=6.1
#
# kbuild insists on building where the sources are, so it is given a farm of symbolic links to
# kmod/: the source tree stays clean and the modules of several kernels exist side by side.

TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))../..)
include $(TOP)/tools/dev/builddir.mk
VER := $(shell $(TOP)/tools/dev/kver.sh $(KVER))
ifeq ($(VER),)
$(error no kernel to build the module for)
endif

KDIR := $(if $(findstring /,$(KVER)),$(KVER),/lib/modules/$(VER)/build)
FARM := $(O)/kmod-$(VER)
SRCS := $(patsubst $(TOP)/kmod/%,%,$(shell find $(TOP)/kmod -name '*.[chS]' -o -name Kbuild))
BTF  := $(O)/btf/$(VER).btf

.DELETE_ON_ERROR:

all: $(FARM)/.built
	@:

# The folders are there for files that were added or removed, the kernel for one that changed
# under an unchanged version. kbuild itself decides what to compile, so the stamp, not gmp.ko,
# is what is newer than the sources afterwards; it is as old as the start of the build, for
# the sources may be edited meanwhile.
$(FARM)/.built: $(addprefix $(TOP)/kmod/,$(SRCS)) $(sort $(dir $(addprefix $(TOP)/kmod/,$(SRCS)))) \
		$(KDIR)/Module.symvers $(TOP)/tools/dev/kmod.mk $(TOP)/tools/dev/kmod-build.sh \
		$(FARM)/.flags $(if $(wildcard $(FARM)/gmp.ko),,FORCE)
	@mkdir -p $(FARM) && start=$$(mktemp $(FARM)/.started.XXXXXX) && \
		if $(TOP)/tools/dev/kmod-build.sh $(VER) $(KDIR) $(FARM) $(BTF) $(SRCS); then \
			mv $$start $@; \
		else \
			rm -f $$start; exit 1; \
		fi

# what may come from the command line or the environment into kbuild
$(FARM)/.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(GMP_DEBUG) $(W)' | cmp -s - $@ || echo '$(GMP_DEBUG) $(W)' >$@

# Where depmod looks before the kernel's own folder. With DESTDIR the image's own depmod is to run.
MODDIR = $(DESTDIR)/lib/modules/$(VER)/updates
install: all
	install -d $(MODDIR)
	install -m 644 $(FARM)/gmp.ko $(MODDIR)
	$(if $(DESTDIR),,depmod $(VER))

uninstall:
	rm -f $(MODDIR)/gmp.ko
	$(if $(DESTDIR),,depmod $(VER))

FORCE:
.PHONY: all install uninstall FORCE
