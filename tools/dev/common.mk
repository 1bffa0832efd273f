# What every sub-makefile includes first (its first target is `all`):
#	include ../tools/dev/common.mk
#
# Gives:  TOP, O      the tree and the build folder, both absolute
#         OBJ         the build folder of this makefile's folder: $(O)/lib for lib/
#         CC CFLAGS   the user's; ALL_CFLAGS is what the rules compile with. A makefile adds its
#                     own flags to CPPFLAGS_LOCAL and CFLAGS_LOCAL, for one file with
#                     $(OBJ)/x.o: CFLAGS_LOCAL += -fno-inline
#         rules       $(OBJ)/%.o and $(OBJ)/%.pic.o from %.c and %.S, header dependencies known
#         $(call msg,WHAT,FILE)   a short message line, nothing with V=1
#         $(Q)        put before a command: silent unless V=1

.DEFAULT_GOAL := all

TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))../..)
include $(TOP)/tools/dev/builddir.mk
OBJ := $(O)$(patsubst $(TOP)%,%,$(CURDIR))

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
CLANG ?= clang
CFLAGS ?= -O2 -g

WARNINGS := -Wall -Wextra -Wmissing-prototypes -Wshadow



ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(CPPFLAGS_LOCAL) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_LOCAL)

V ?= 0
ifeq ($(V),1)
Q :=
msg = @:
else
Q := @
msg = @printf '  %-7s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))'
MAKEFLAGS += --no-print-directory
endif

.DELETE_ON_ERROR:
.SUFFIXES:

# All is built anew when these change.
FLAGS = $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
FLAGS_SEEN := $(OBJ)/.flags
$(FLAGS_SEEN): FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' >$@
FORCE:
.PHONY: FORCE

$(OBJ)/%.o: %.c $(FLAGS_SEEN)
	$(call msg,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/%.pic.o: %.c $(FLAGS_SEEN)
	$(call msg,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<

$(OBJ)/%.o: %.S $(FLAGS_SEEN)
	$(call msg,AS,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/%.pic.o: %.S $(FLAGS_SEEN)
	$(call msg,AS,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<

-include $(shell find $(OBJ) -name '*.d' -type f 2>/dev/null)
