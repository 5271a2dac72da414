/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hardware model as C sees it; src/interface.rs is the other side. Functions
 * may be called by any thread. A sentence goes to @error when one returns false.
 */
#ifndef AMD_VIOMMU_MODEL_H
#define AMD_VIOMMU_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct viommu_model;

/*
 * What the model may ask of the machine. The functions for memory return false
 * where an address is not RAM, and never call the model.
 */
struct viommu_machine {
	void *opaque;
	bool (*read)(void *opaque, uint64_t addr, void *buf, size_t len);
	bool (*write)(void *opaque, uint64_t addr, const void *buf, size_t len);
	bool (*compare_exchange)(void *opaque, uint64_t addr, uint64_t old,
				 uint64_t new, uint64_t *found);
	uint64_t (*now)(void *opaque);
	void (*wake)(void *opaque, uint64_t time);
};

enum viommu_window {
	VIOMMU_MMIO,
	VIOMMU_VF,
	VIOMMU_VF_CONTROL,
	VIOMMU_WINDOWS,
};

enum viommu_access {
	VIOMMU_READ,
	VIOMMU_WRITE,
	VIOMMU_READ_WRITE,
	VIOMMU_EXECUTE,
};

struct viommu_request {
	uint64_t address;
	uint32_t pasid;
	uint16_t requester;
	uint8_t access;
	bool has_pasid;
	bool privileged;
};

/* Holds for the range of @mask + 1 bytes around the request's address. */
struct viommu_translation {
	uint64_t address;
	uint64_t mask;
	bool read;
	bool write;
};

/* A write of a device to FEE0_0000h-FEEF_FFFFh. */
struct viommu_message {
	uint64_t address;
	uint32_t data;
	uint32_t pasid;
	uint16_t requester;
	bool has_pasid;
};

/* A message of its own, or that with this number of the MSI capability. */
struct viommu_interrupt {
	uint64_t address;
	uint32_t data;
	uint8_t number;
	bool is_message;
};

struct viommu_model *viommu_model_new(void);
bool viommu_model_setting(size_t n, char *name, size_t size);
bool viommu_model_set(struct viommu_model *model, const char *name,
		      const char *value, char *error, size_t size);
uint64_t viommu_model_aperture(struct viommu_model *model, uint32_t window);
bool viommu_model_power_on(struct viommu_model *model,
			   const struct viommu_machine *machine,
			   uint16_t device_id, char *error, size_t size);
void viommu_model_reset(struct viommu_model *model);
void viommu_model_capability(struct viommu_model *model, uint64_t mmio,
			     uint32_t words[6]);
bool viommu_model_vendor_specific(struct viommu_model *model, uint32_t words[6]);
uint64_t viommu_model_read(struct viommu_model *model, uint32_t window,
			   uint64_t offset, uint8_t size);
void viommu_model_write(struct viommu_model *model, uint32_t window,
			uint64_t offset, uint8_t size, uint64_t value);
bool viommu_model_translate(struct viommu_model *model,
			    const struct viommu_request *request,
			    struct viommu_translation *out);
/* Replaces address and data by those of the message to be sent; false: abort. */
bool viommu_model_remap(struct viommu_model *model, struct viommu_message *message);
void viommu_model_run(struct viommu_model *model);
bool viommu_model_interrupt(struct viommu_model *model,
			    struct viommu_interrupt *out);
bool viommu_model_dump(struct viommu_model *model, char *error, size_t size);

#endif
