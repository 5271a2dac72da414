# SPDX-License-Identifier: GPL-2.0
# What every subject's Makefile includes after naming its tests: the kernel's
# own lib.mk with our small library linked in, statically, so that the
# programs run in any root file system.

COMMON_DIR := $(patsubst %/,%,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
include $(COMMON_DIR)/ksrc.mk

OUTPUT ?= $(CURDIR)
ifneq ($(realpath $(OUTPUT)),$(CURDIR))
building_out_of_srctree := 1
endif

COMMON_OUTPUT := $(OUTPUT)/../common
COMMON_LIB := $(COMMON_OUTPUT)/libviommu.a

CFLAGS += -O2 -g -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare
CFLAGS += -Wmissing-prototypes -I$(COMMON_DIR)
LDFLAGS += -static -pthread
LOCAL_HDRS += $(wildcard *.h)
EXTRA_CLEAN += $(COMMON_LIB) $(COMMON_OUTPUT)/*.o

include $(KSRC)/tools/testing/selftests/lib.mk

$(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED) $(TEST_GEN_FILES): $(COMMON_LIB)

$(COMMON_LIB): $(wildcard $(COMMON_DIR)/*.[ch])
	@mkdir -p $(COMMON_OUTPUT)
	$(Q)$(MAKE) -C $(COMMON_DIR) OUTPUT=$(abspath $(COMMON_OUTPUT))
