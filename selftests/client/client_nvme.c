// SPDX-License-Identifier: GPL-2.0
/* An NVMe drive behind the IOMMU keeps every byte, through every path. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "clients.h"

#define MOUNT_POINT	"/tmp/viommu-data"
#define FILE_SIZE	(8 * MIB)

FIXTURE(files) {
	struct block block;
	bool mounted;
};

FIXTURE_SETUP(files)
{
	const char *missing = nvme_missing(&self->block, BLOCK_DATA);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_LE(0, pci_group(self->block.pci));
	module_probe("ext4");
	mkdir(MOUNT_POINT, 0700);
	ASSERT_EQ(0, mount(self->block.path, MOUNT_POINT, "ext4", MS_NOATIME, NULL));
	self->mounted = true;
}

FIXTURE_TEARDOWN(files)
{
	if (self->mounted)
		EXPECT_EQ(0, umount(MOUNT_POINT));
}

TEST_F_TIMEOUT(files, known_files_have_their_checksums, 100)
{
	char *const argv[] = { "sh", "-c", "cd " MOUNT_POINT " && sha256sum -c SHA256SUMS", NULL };

	EXPECT_EQ(0, run_program(argv));
}

/* Through the page cache, so that the kernel chooses the requests. */
TEST_F_TIMEOUT(files, written_file_comes_back_from_the_drive, 100)
{
	const char *path = MOUNT_POINT "/written";
	char *buf = malloc(FILE_SIZE);
	int fd;

	ASSERT_NE(NULL, buf);
	pattern_fill(buf, FILE_SIZE, 1);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)FILE_SIZE, write(fd, buf, FILE_SIZE));
	ASSERT_EQ(0, fsync(fd));
	/* Forget the cached pages; what is read now is what the drive has. */
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	memset(buf, 0, FILE_SIZE);
	ASSERT_EQ((ssize_t)FILE_SIZE, pread(fd, buf, FILE_SIZE, 0));
	EXPECT_TRUE(pattern_matches(buf, FILE_SIZE, 1));
	close(fd);
	unlink(path);
	free(buf);
}

FIXTURE(scratch) {
	struct block block;
};

FIXTURE_SETUP(scratch)
{
	const char *missing = nvme_missing(&self->block, BLOCK_SCRATCH);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_LE(0, pci_group(self->block.pci));
}

FIXTURE_TEARDOWN(scratch)
{
}

TEST_F_TIMEOUT(scratch, random_writes_of_several_threads_read_back_right, 100)
{
	struct block_load load = { .threads = 4, .operations = 200 };

	load.path = self->block.path;
	load.size = self->block.size;
	EXPECT_EQ(0, block_load_run(&load));
	TH_LOG("%llu MiB verified", load.bytes / MIB);
	EXPECT_LT(16 * MIB, load.bytes);
}

/* After the random writes, so that no two pieces of the drive are alike. */
TEST_F(scratch, whole_drive_reads_the_same_in_any_request_size)
{
	static const size_t pieces[] = { 1 * MIB, 128 * KIB, 12 * KIB };
	__u64 first, hash;
	unsigned int i;

	ASSERT_EQ(0, block_hash(self->block.path, pieces[0], &first));
	for (i = 1; i < ARRAY_SIZE(pieces); i++) {
		ASSERT_EQ(0, block_hash(self->block.path, pieces[i], &hash));
		EXPECT_EQ(first, hash) TH_LOG("pieces of %zu", pieces[i]);
	}
}

TEST_HARNESS_MAIN
