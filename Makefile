# SPDX-License-Identifier: GPL-2.0
#
# make builds the module for KDIR. Everything else is done by scripts/, which set up all that they need.

KDIR ?= /lib/modules/$(shell uname -r)/build

modules:
	@scripts/check-kdir $(KDIR)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

modules_install:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install

run test test-debug witness bench lint shell qemu-device rust-analyzer clean clean-cache:
	@scripts/$@

help:
	@cat scripts/help.txt

.DEFAULT_GOAL := modules
.PHONY: modules modules_install run test test-debug witness bench lint shell qemu-device \
	rust-analyzer clean clean-cache help
