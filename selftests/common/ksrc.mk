# SPDX-License-Identifier: GPL-2.0
# Where kselftest itself comes from: a kernel source tree, given as KSRC or
# found in the places where distributions put one.

KSRC ?= $(firstword $(patsubst %/tools/testing/selftests/lib.mk,%,$(wildcard \
	$(addsuffix /tools/testing/selftests/lib.mk, \
	/lib/modules/$(shell uname -r)/source \
	/lib/modules/$(shell uname -r)/build/source \
	/lib/modules/$(shell uname -r)/build \
	$(sort $(wildcard /usr/src/linux-source-* /usr/src/linux))))))

ifneq ($(MAKECMDGOALS),clean)
ifeq ($(wildcard $(KSRC)/tools/testing/selftests/kselftest_harness.h),)
$(error No kselftest found: give a kernel source tree, make KSRC=/path/to/linux)
endif
endif
export KSRC
