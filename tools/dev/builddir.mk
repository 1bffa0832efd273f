# The build folder: $(O), absolute; TOP is set. A folder that holds something else is refused, for what
# is built lies in O/lib, O/tools and O/selftests, and `make clean` removes these: with O=/ or O=. that
# would be the system's, or the sources. An empty O is none at all.

override O := $(or $(strip $(O)),$(TOP)/build)
ifneq ($(words $(O)),1)
$(error O=$(O): a folder without blanks in its name, please)
endif
override O := $(abspath $(O))
# lib/.flags is the first file of a build.
ifneq ($(or $(filter /,$(O)),$(if $(wildcard $(O)/lib/.),$(if $(wildcard $(O)/lib/.flags),,1))),)
$(error O=$(O): this folder has a lib/ that was not built here; choose another, or leave O= out)
endif
export O
