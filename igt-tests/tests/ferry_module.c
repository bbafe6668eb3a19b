// SPDX-License-Identifier: MIT
/**
 * TEST: ferry module
 * Category: Core
 * Description: Loading, unloading, binding and unbinding, with clients in the middle of everything
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_module.h"

IGT_TEST_DESCRIPTION(
	"Loading, unloading, binding and unbinding, with clients at work");

#define CYCLES 20
#define WARM_UP 3

/*
 * What all cycles together may cost. Free memory goes up and down by some
 * megabytes by itself; a BO or a shadow buffer lost in each cycle is more.
 */
#define LEAK_KIB 16384
#define LEAK_SLAB_KIB 1024

#define DRIVER_DIR "/sys/bus/pci/drivers/ferry"

static void unbind_device(void)
{
	igt_assert_eq(igt_ferry_module_unbind(), 0);
	igt_assert(!igt_ferry_module_is_bound());
}

static void bind_device(void)
{
	igt_assert_eq(igt_ferry_module_bind(), 0);
	igt_assert(igt_ferry_module_is_bound());
}

static int reopen(void)
{
	int fd;

	igt_assert(igt_ferry_module_is_bound());
	fd = igt_ferry_open();
	igt_assert_fd(fd);
	return fd;
}

/* A bit of everything. */
static void use(int fd)
{
	const struct igt_ferry_kind *kind;
	struct igt_ferry_bo bo;

	for (kind = igt_ferry_movable_kinds; kind->name; kind++) {
		igt_ferry_bo_init(&bo, fd, 300 * PAGE, kind);
		igt_ferry_bo_fill(&bo);
		ferry_bo_migrate(fd, bo.handle, APERTURE);
		igt_ferry_bo_check(&bo);
		ferry_bo_migrate(fd, bo.handle, SYSTEM);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
	}
}

static unsigned long count_lines(const char *path, const char *needle)
{
	FILE *file = fopen(path, "r");
	unsigned long count = 0;
	char line[512];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!needle || strstr(line, needle))
			count++;
	fclose(file);
	return count;
}

static unsigned long count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned long count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* What a driver leaves behind when it leaks, exactly or roughly countable */
static const struct {
	const char *path;
	const char *needle;
} traces[] = {
	{ "/proc/vmallocinfo", "[ferry]" },
	{ "/proc/vmallocinfo", "ioremap" },
	{ "/proc/iomem", "ferry" },
	{ "/proc/interrupts", NULL },
	{ "/proc/mtrr", NULL },
	{ "/sys/kernel/debug/x86/pat_memtype_list", NULL },
};

static const char *const directories[] = {
	"/sys/class/drm",	 "/sys/class/graphics", "/dev/dri",
	"/sys/kernel/debug/dri", "/sys/class/i2c-dev",	"/sys/class/vtconsole",
};

struct footprint {
	unsigned long traces[ARRAY_SIZE(traces)];
	unsigned long directories[ARRAY_SIZE(directories)];
	long available;
	long slab;
};

static void footprint_get(struct footprint *fp)
{
	igt_ferry_module_memory(&fp->available, &fp->slab);
	for (unsigned int i = 0; i < ARRAY_SIZE(traces); i++)
		fp->traces[i] = count_lines(traces[i].path, traces[i].needle);
	for (unsigned int i = 0; i < ARRAY_SIZE(directories); i++)
		fp->directories[i] = count_entries(directories[i]);
}

static void footprint_check(const struct footprint *before,
			    const struct footprint *after)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(traces); i++)
		igt_assert_f(before->traces[i] == after->traces[i],
			     "%s: %lu lines%s%s, and %lu before\n",
			     traces[i].path, after->traces[i],
			     traces[i].needle ? " with " : "",
			     traces[i].needle ?: "", before->traces[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(directories); i++)
		igt_assert_f(before->directories[i] == after->directories[i],
			     "%s: %lu entries, and %lu before\n",
			     directories[i], after->directories[i],
			     before->directories[i]);
	igt_info("%+ld KiB available, %+ld KiB of slabs\n",
		 after->available - before->available,
		 after->slab - before->slab);
	igt_assert_lt(before->available - after->available, LEAK_KIB);
	/*
	 * The sanitizers keep what was freed, and notes about it, in slabs. There
	 * the leak detector names each object that is lost, after the test.
	 */
	if (access("/sys/kernel/debug/kmemleak", F_OK))
		igt_assert_lt(after->slab - before->slab, LEAK_SLAB_KIB);
}

/* Another device that ferry has */
static bool find_other(char *device, size_t size)
{
	DIR *dir = opendir(DRIVER_DIR);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		found = strchr(entry->d_name, ':') &&
			strcmp(entry->d_name, igt_ferry_module_slot());
		if (found)
			snprintf(device, size, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Without its devices ferry has no part of their BARs, and nothing mapped. */
static void gone_without_trace(void)
{
	char other[NAME_MAX + 1];

	if (find_other(other, sizeof(other)))
		return;
	igt_assert_eq_u64(count_lines("/proc/vmallocinfo", "[ferry]"), 0);
	igt_assert_eq_u64(count_lines("/proc/iomem", "ferry"), 0);
}

/**
 * SUBTEST: reload
 * Description: the module is loaded, used and unloaded many times, and nothing leaks
 */
static void test_reload(void)
{
	unsigned int cycles = igt_ferry_module_cycles(CYCLES);
	struct footprint before, after;
	int fd;

	for (unsigned int i = 0; i < cycles + WARM_UP; i++) {
		fd = reopen();

		use(fd);
		close(fd);
		if (i == WARM_UP)
			footprint_get(&before);
		igt_ferry_module_unload();
		gone_without_trace();
		igt_ferry_module_load("");
	}
	fd = reopen();
	use(fd);
	close(fd);
	footprint_get(&after);
	footprint_check(&before, &after);
}

/**
 * SUBTEST: rebind
 * Description: the device is unbound, bound and used many times, and nothing leaks
 */
static void test_rebind(void)
{
	unsigned int cycles = igt_ferry_module_cycles(CYCLES);
	struct footprint before, after;
	int fd;

	for (unsigned int i = 0; i < cycles + WARM_UP; i++) {
		fd = reopen();
		use(fd);
		close(fd);
		if (i == WARM_UP)
			footprint_get(&before);
		unbind_device();
		gone_without_trace();
		bind_device();
	}
	fd = reopen();
	use(fd);
	close(fd);
	footprint_get(&after);
	footprint_check(&before, &after);
}

static void dirty_aperture(int fd, bool check)
{
	const size_t size = 64 * PAGE;
	unsigned int count;
	uint32_t *handles;

	count = igt_ferry_aperture_fill(fd, size, &handles);
	igt_assert_lt(0, count);
	for (unsigned int i = 0; i < count; i++) {
		void *map = ferry_bo_mmap(fd, handles[i], size);

		if (check)
			igt_ferry_check_zero(map, size);
		memset(map, 0xc3, size);
		munmap(map, size);
	}
	free(handles);
}

/**
 * SUBTEST: aperture-zero-reload
 * Description: after unloading and loading the aperture shows nothing of what was in it
 */
static void test_aperture_zero_reload(void)
{
	for (int i = 0; i < 3; i++) {
		int fd = reopen();

		dirty_aperture(fd, i);
		close(fd);
		igt_ferry_module_unload();
		igt_ferry_module_load("");
	}
}

/**
 * SUBTEST: aperture-zero-rebind
 * Description: after unbinding with BOs in it and binding the aperture is zero
 */
static void test_aperture_zero_rebind(void)
{
	for (int i = 0; i < 3; i++) {
		int fd = reopen();

		dirty_aperture(fd, i);
		unbind_device();
		close(fd);
		bind_device();
	}
}

/**
 * SUBTEST: unbound-ioctls
 * Description: after the device is gone every ioctl and mmap() of an open file gives ENODEV
 */
static void test_unbound_ioctls(void)
{
	struct drm_ferry_device_query device = {};
	struct drm_mode_card_res res = {};
	struct drm_ferry_bo_query query;
	int fd = reopen(), prime = -1;
	struct igt_ferry_bo bo;
	uint64_t offset;
	uint32_t handle;

	igt_ferry_bo_init(&bo, fd, PAGE, igt_ferry_movable_kinds);
	offset = ferry_bo_mmap_offset(fd, bo.handle);
	unbind_device();

	igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_FERRY_DEVICE_QUERY, &device),
		      -ENODEV);
	igt_assert_eq(__ferry_bo_create(fd, PAGE, SYSTEM, 0, 0, 0, &handle),
		      -ENODEV);
	igt_assert_eq(__ferry_bo_create(fd, 0, 0, 0, 0, 0, &handle), -ENODEV);
	igt_assert_eq(__ferry_bo_mmap_offset(fd, bo.handle, &offset), -ENODEV);
	igt_assert_eq(__ferry_bo_query(fd, bo.handle, &query), -ENODEV);
	igt_assert_eq(__ferry_bo_migrate(fd, bo.handle, APERTURE), -ENODEV);
	igt_assert_eq(__ferry_bo_close(fd, bo.handle), -ENODEV);
	igt_assert_eq(__ferry_ioctl(fd, DRM_IOCTL_MODE_GETRESOURCES, &res),
		      -ENODEV);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_CLOEXEC, &prime),
		      -1);
	igt_assert_eq(errno, ENODEV);
	igt_assert(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, offset) ==
		   MAP_FAILED);
	igt_assert_eq(errno, ENODEV);

	munmap(bo.map, bo.size);
	close(fd);
	bind_device();
	fd = reopen();
	use(fd);
	close(fd);
	errno = 0;
}

/**
 * SUBTEST: unbound-mapping-%s
 * Description: a mapping outlives the device: touching it raises no signal, and pages of system
 *		memory keep their contents
 *
 * arg[1].values: system, system-wc, aperture, aperture-contiguous
 */
static void check_survivor(const struct igt_ferry_bo *bo, bool kept)
{
	uint8_t *map = bo->map;

	for (size_t page = 0; page < bo->size / PAGE; page++)
		igt_assert_eq(igt_ferry_read_signal(map + page * PAGE), 0);
	if (kept)
		igt_ferry_bo_check(bo);
	for (size_t page = 0; page < bo->size / PAGE; page++) {
		igt_assert_eq(igt_ferry_write_signal(map + page * PAGE + 77,
						     page + 1),
			      0);
		igt_assert_eq(map[page * PAGE + 77], (uint8_t)(page + 1));
	}
}

static void test_unbound_mapping(const struct igt_ferry_kind *kind)
{
	bool kept = kind->allowed_placements == SYSTEM;
	struct igt_ferry_bo touched, fresh, closed;
	int fd = reopen();

	igt_ferry_bo_init(&touched, fd, 1100 * PAGE, kind);
	igt_ferry_bo_fill(&touched);
	igt_ferry_bo_init(&fresh, fd, 40 * PAGE, kind);
	igt_ferry_bo_fill(&fresh);
	munmap(fresh.map, fresh.size);
	fresh.map = ferry_bo_mmap(fd, fresh.handle, fresh.size);
	igt_ferry_bo_init(&closed, fd, 40 * PAGE, kind);
	igt_ferry_bo_fill(&closed);
	gem_close(fd, closed.handle);

	unbind_device();
	check_survivor(&touched, kept);
	igt_fork(child, 1)
	{
		check_survivor(&fresh, kept);
	}
	igt_waitchildren();
	igt_assert_eq(igt_ferry_read_signal(fresh.map), 0);
	close(fd);
	check_survivor(&closed, kept);

	/* and on while another incarnation of the device works */
	bind_device();
	fd = reopen();
	use(fd);
	for (size_t page = 0; page < 40; page++)
		igt_assert_eq(igt_ferry_write_signal(
				      (char *)touched.map + page * PAGE, 1),
			      0);
	munmap(touched.map, touched.size);
	munmap(fresh.map, fresh.size);
	munmap(closed.map, closed.size);
	close(fd);
}

/* Works until the device is gone, and touches its mappings on after that. */
static void hammer(int fd, int child)
{
	struct timespec after = {};
	struct igt_ferry_bo bo[4];
	bool gone = false;

	for (unsigned int i = 0; i < ARRAY_SIZE(bo); i++)
		igt_ferry_bo_init(&bo[i], fd, (16 + 16 * child) * PAGE,
				  &igt_ferry_movable_kinds[i]);
	for (unsigned int n = 0; !gone || igt_nsec_elapsed(&after) < 300000000;
	     n++) {
		struct igt_ferry_bo *b = &bo[n % ARRAY_SIZE(bo)];
		uint32_t handle;
		int err = 0;

		for (size_t page = n % 3; page < b->size / PAGE; page += 3) {
			volatile char *p = (char *)b->map + page * PAGE;

			*p = *p + 1;
		}
		if (child & 1)
			err = __ferry_bo_migrate(fd, b->handle,
						 n / 4 & 1 ? SYSTEM : APERTURE);
		else
			err = __ferry_bo_create(fd, 5 * PAGE,
						FERRY_PLACEMENT_BOTH,
						n & 1 ? APERTURE : SYSTEM, 0, 0,
						&handle);
		if (err) {
			igt_assert_eq(err, -ENODEV);
			if (!gone)
				igt_nsec_elapsed(&after);
			gone = true;
		} else if (!(child & 1)) {
			igt_assert(!gone);
			err = __ferry_bo_close(fd, handle);
			igt_assert(!err || err == -ENODEV);
		}
	}
}

/**
 * SUBTEST: unbind-hammer
 * Description: the device goes away while several processes touch, create and migrate
 */
static void test_unbind_hammer(void)
{
	int fd;

	for (int round = 0; round < 5; round++) {
		fd = reopen();

		igt_fork(child, 4)
		{
			hammer(igt_ferry_reopen(fd, O_RDWR), child);
		}
		usleep(300000 + round * 50000);
		unbind_device();
		igt_waitchildren_timeout(60,
					 "clients of a device that is gone");
		close(fd);
		bind_device();
	}
	fd = reopen();
	use(fd);
	close(fd);
}

/**
 * SUBTEST: rebind-open-file
 * Description: a file of the device that is gone stays dead when the device is bound again
 */
static void test_rebind_open_file(void)
{
	int old = reopen(), fd;
	struct igt_ferry_bo bo;

	igt_ferry_bo_init(&bo, old, 8 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	unbind_device();
	bind_device();
	fd = reopen();
	use(fd);
	igt_assert_eq(__ferry_bo_migrate(old, bo.handle, APERTURE), -ENODEV);
	igt_ferry_bo_check(&bo);
	munmap(bo.map, bo.size);
	close(old);
	use(fd);
	close(fd);
}

/**
 * SUBTEST: unbind-dma-buf
 * Description: a dma-buf and its mapping outlive the device, and then let the module go
 */
static void test_unbind_dma_buf(void)
{
	int fd = reopen(), prime;
	struct igt_ferry_bo bo;
	void *map;

	igt_ferry_bo_init(&bo, fd, 8 * PAGE, igt_ferry_movable_kinds);
	igt_ferry_bo_fill(&bo);
	igt_assert_eq(drmPrimeHandleToFD(fd, bo.handle, DRM_RDWR | DRM_CLOEXEC,
					 &prime),
		      0);
	map = mmap(NULL, bo.size, PROT_READ | PROT_WRITE, MAP_SHARED, prime, 0);
	unbind_device();
	munmap(bo.map, bo.size);
	close(fd);
	if (map != MAP_FAILED) {
		bo.map = map;
		check_survivor(&bo, true);
		munmap(map, bo.size);
	}
	close(prime);
	bind_device();
	igt_ferry_module_unload();
	igt_ferry_module_load("");
	fd = reopen();
	use(fd);
	close(fd);
	errno = 0;
}

/**
 * SUBTEST: unload-busy
 * Description: the module cannot be unloaded while a client has the device open
 */
static void test_unload_busy(void)
{
	int fd = reopen();

	igt_ferry_module_unbind_consoles();
	igt_assert_lt(igt_kmod_unload("ferry", 0), 0);
	igt_assert(igt_ferry_module_is_bound());
	use(fd);
	close(fd);
	igt_ferry_module_unload();
	igt_ferry_module_load("");
}

static bool no_driver(const char *device)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", device);
	return access(path, F_OK) != 0;
}

/**
 * struct bars - the memory BARs of a PCI device
 * @best: number of the largest prefetchable one, or -1
 * @best_size: its bytes
 * @none: mask of those that are not memory at all
 */
struct bars {
	int best;
	uint64_t best_size;
	unsigned int none;
};

static void bars_get(const char *device, struct bars *bars)
{
	const unsigned long long memory = 0x200, prefetch = 0x2000;
	unsigned long long start, end, flags;
	char path[PATH_MAX];
	FILE *file;

	*bars = (struct bars){ .best = -1 };
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource",
		 device);
	file = fopen(path, "r");
	for (int i = 0; file && i < 6; i++) {
		if (fscanf(file, "%llx %llx %llx", &start, &end, &flags) != 3)
			break;
		if (!(flags & memory))
			bars->none |= 1u << i;
		else if (flags & prefetch &&
			 end - start + 1 > bars->best_size) {
			bars->best = i;
			bars->best_size = end - start + 1;
		}
	}
	if (file)
		fclose(file);
}

/* A device that nobody drives, with or without memory that ferry could use */
static bool find_device(bool with_memory, char *device, size_t size)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	bool found = false;

	igt_assert(dir);
	while (!found && (entry = readdir(dir))) {
		struct bars bars;

		if (entry->d_name[0] == '.' || !no_driver(entry->d_name) ||
		    !strcmp(entry->d_name, igt_ferry_module_slot()))
			continue;
		bars_get(entry->d_name, &bars);
		found = with_memory ? bars.best_size >= 1 << 20 : bars.best < 0;
		if (found)
			snprintf(device, size, "%s", entry->d_name);
	}
	closedir(dir);
	return found;
}

/**
 * SUBTEST: probe-no-memory
 * Description: a device without a prefetchable memory BAR is refused, and nothing is left of it
 */
static void test_probe_no_memory(void)
{
	unsigned long vmalloc = count_lines("/proc/vmallocinfo", "[ferry]");
	unsigned long iomem = count_lines("/proc/iomem", "ferry");
	char device[NAME_MAX + 1], path[PATH_MAX];
	int err, fd;

	igt_require_f(
		find_device(false, device, sizeof(device)),
		"every PCI device has a driver or a prefetchable memory BAR\n");
	igt_info("trying %s\n", device);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override",
		 device);
	igt_assert_eq(igt_ferry_write_file(path, "ferry"), 0);
	err = igt_ferry_write_file(DRIVER_DIR "/bind", device);
	igt_ferry_write_file(path, "\n");
	igt_assert_f(err < 0, "ferry has taken a device without memory\n");
	igt_assert(no_driver(device));
	igt_assert_eq_u64(count_lines("/proc/vmallocinfo", "[ferry]"), vmalloc);
	igt_assert_eq_u64(count_lines("/proc/iomem", "ferry"), iomem);
	fd = reopen();
	use(fd);
	close(fd);
}

/* The card of one PCI device, or -1 */
static int open_device(const char *device)
{
	for (int i = 0; i < 16; i++) {
		char path[64], its_slot[64];
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		igt_ferry_pci_slot(fd, its_slot, sizeof(its_slot));
		if (!strcmp(its_slot, device))
			return fd;
		close(fd);
	}
	return -1;
}

/* Numbers that sysfs knows the kind of device by */
static void read_id(const char *device, unsigned int *vendor,
		    unsigned int *product)
{
	char path[PATH_MAX], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/uevent", device);
	file = fopen(path, "r");
	igt_assert(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "PCI_ID=%x:%x", vendor, product);
	fclose(file);
}

/* ferry's driver_data for a device with a display */
#define DISPLAY "1"
#define DISPLAY_BAR 2

static void check_no_display(bool with_memory)
{
	unsigned long vmalloc = count_lines("/proc/vmallocinfo", "[ferry]");
	unsigned long iomem = count_lines("/proc/iomem", "ferry");
	unsigned int vendor = 0, product = 0;
	char device[NAME_MAX + 1], id[128];
	struct bars bars;
	int kmsg;

	igt_require_f(find_device(with_memory, device, sizeof(device)),
		      "every PCI device %s has a driver\n",
		      with_memory ? "with 1 MiB of prefetchable memory" :
				    "without prefetchable memory");
	bars_get(device, &bars);
	read_id(device, &vendor, &product);
	snprintf(id, sizeof(id), "%04x %04x ffffffff ffffffff 0 0 " DISPLAY,
		 vendor, product);
	igt_info("trying %s, %04x:%04x\n", device, vendor, product);
	kmsg = igt_ferry_kmsg_open();
	igt_assert_eq(igt_ferry_write_file(DRIVER_DIR "/new_id", id), 0);
	id[strlen("vvvv pppp")] = '\0';
	igt_assert_eq(igt_ferry_write_file(DRIVER_DIR "/remove_id", id), 0);
	igt_assert(no_driver(device));
	igt_assert(igt_ferry_kmsg_has(
		kmsg, bars.none & 1u << DISPLAY_BAR ?
			      "BAR 2 with the display registers is missing" :
			      "no Bochs display behind BAR 2"));
	close(kmsg);
	igt_assert_eq_u64(count_lines("/proc/vmallocinfo", "[ferry]"), vmalloc);
	igt_assert_eq_u64(count_lines("/proc/iomem", "ferry"), iomem);
}

/**
 * SUBTEST: no-display
 * Description: a device that is said to have a display, and has none, is refused, and nothing is left of it
 */
static void test_no_display(void)
{
	int fd;

	check_no_display(true);
	check_no_display(false);
	fd = reopen();
	use(fd);
	close(fd);
}

/**
 * SUBTEST: bar-in-use
 * Description: a BAR that another driver holds is left to it, and taken when it is free
 */
static void test_bar_in_use(void)
{
	unsigned int tried = 0;
	struct bars bars;

	bars_get(igt_ferry_module_slot(), &bars);
	for (int bar = 0; bar < 6; bar++) {
		char options[128];
		int kmsg, fd;

		/* other BARs are nothing to ferry */
		if (bar != bars.best &&
		    (bar != DISPLAY_BAR || bars.none & 1u << bar))
			continue;
		igt_ferry_module_unbind_consoles();
		unbind_device();
		snprintf(options, sizeof(options), "pci=%s bar=%d claim=1",
			 igt_ferry_module_slot(), bar);
		igt_ferry_break_load(options);
		kmsg = igt_ferry_kmsg_open();
		igt_assert_eq(igt_ferry_module_bind(), -EBUSY);
		igt_assert(!igt_ferry_module_is_bound());
		igt_assert(igt_ferry_kmsg_has(kmsg, "is in use by another"));
		close(kmsg);
		igt_ferry_break_unload();
		gone_without_trace();
		bind_device();
		fd = reopen();
		use(fd);
		close(fd);
		tried++;
	}
	igt_info("%u BARs\n", tried);
	igt_assert_lt(0, tried);
}

static void drop_bochs(int sig)
{
	(void)sig;
	igt_ferry_module_unbind_consoles();
	igt_kmod_unload("bochs", 0);
}

/**
 * SUBTEST: other-driver
 * Description: while bochs has the device ferry says so and leaves it alone, and gets it afterwards
 */
static void test_other_driver(void)
{
	int kmsg, fd, err;

	igt_require_f(!igt_kmod_is_loaded("bochs"), "bochs is in use\n");
	igt_ferry_module_unload();
	err = igt_kmod_load("bochs", "");
	igt_require_f(!err, "this kernel has no bochs: %s\n", strerror(-err));
	igt_install_exit_handler(drop_bochs);
	igt_require_f(!no_driver(igt_ferry_module_slot()),
		      "bochs does not drive this device\n");
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_module_load("");
	igt_assert(!igt_ferry_module_is_bound());
	igt_assert(igt_ferry_kmsg_has(
		kmsg, "ferry could drive this device, but bochs"));
	close(kmsg);
	igt_assert(!no_driver(igt_ferry_module_slot()));
	gone_without_trace();
	drop_bochs(0);
	igt_assert(!igt_kmod_is_loaded("bochs"));
	bind_device();
	fd = reopen();
	use(fd);
	close(fd);
}

/**
 * SUBTEST: new-id
 * Description: a device with a prefetchable memory BAR is driven after its id was added
 */
static void test_new_id(void)
{
	unsigned long cards = count_entries("/dev/dri");
	char device[NAME_MAX + 1], id[128];
	unsigned int vendor = 0, product = 0;
	struct drm_ferry_device_query query;
	struct bars bars;
	int fd;

	igt_require_f(
		find_device(true, device, sizeof(device)),
		"no PCI device without a driver has 1 MiB of prefetchable memory: "
		"add one, such as QEMU's pci-testdev,membar=16M\n");
	read_id(device, &vendor, &product);
	snprintf(id, sizeof(id), "%04x %04x", vendor, product);
	bars_get(device, &bars);

	igt_assert_eq(igt_ferry_write_file(DRIVER_DIR "/new_id", id), 0);
	igt_assert(!no_driver(device));
	igt_assert_lt(cards, count_entries("/dev/dri"));
	fd = open_device(device);
	igt_assert_fd(fd);
	igt_assert(igt_ferry_is_device(fd));
	ferry_device_query(fd, &query);
	igt_assert_eq_u64(query.aperture_size, bars.best_size);
	igt_assert_eq_u64(query.aperture_free, bars.best_size);
	igt_assert_eq_u64(query.features, 0);
	/* no contents: there need not be memory behind the BAR of any device */
	gem_close(fd, ferry_bo_create(fd, 1 << 20, APERTURE, 0, 0, 0));
	close(fd);

	igt_assert_eq(igt_ferry_write_file(DRIVER_DIR "/unbind", device), 0);
	igt_assert_eq(igt_ferry_write_file(DRIVER_DIR "/remove_id", id), 0);
	igt_assert_eq_u64(count_entries("/dev/dri"), cards);
}

static void work_beside(int fd, volatile bool *stop)
{
	igt_fork(child, 2)
	{
		int client = igt_ferry_reopen(fd, O_RDWR);

		do
			use(client);
		while (!*stop);
	}
}

/**
 * SUBTEST: two-devices
 * Description: one of two devices comes and goes, and clients of the other never notice
 */
static void test_two_devices(void)
{
	char other[NAME_MAX + 1];
	const char *devices[2] = { igt_ferry_module_slot(), other };
	volatile bool *stop;

	igt_require_f(
		find_other(other, sizeof(other)),
		"ferry has one device only: "
		"vm/run --device bochs-display --device ivshmem-plain,size=64M\n");
	stop = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(stop != MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		int fd = open_device(devices[i]);
		struct igt_ferry_bo bo;
		uint64_t evictions;

		igt_assert_fd(fd);
		igt_ferry_bo_init(&bo, fd, 300 * PAGE, igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&bo);
		ferry_bo_migrate(fd, bo.handle, APERTURE);
		evictions = igt_ferry_stat(fd, "evictions");
		*stop = false;
		work_beside(fd, stop);
		for (int n = 0; n < 5; n++) {
			int gone = open_device(devices[!i]);

			igt_assert_fd(gone);
			use(gone);
			igt_assert_eq(igt_ferry_write_file(DRIVER_DIR "/unbind",
							   devices[!i]),
				      0);
			/* who is there stays where it is */
			igt_ferry_bo_check(&bo);
			igt_assert_eq(ferry_bo_placement(fd, bo.handle), APERTURE);
			igt_assert_eq_u64(igt_ferry_stat(fd, "evictions"),
					  evictions);
			close(gone);
			igt_assert_eq(igt_ferry_write_file(DRIVER_DIR "/bind",
							   devices[!i]),
				      0);
		}
		*stop = true;
		igt_waitchildren_timeout(60,
					 "clients of the device that stayed");
		use(fd);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
		close(fd);
	}
	munmap((void *)stop, PAGE);
}

/**
 * SUBTEST: aperture-bar
 * Description: the parameter chooses the BAR, and a BAR that cannot be used leaves the device alone
 */
static void test_aperture_bar(void)
{
	char option[32];
	struct bars bars;
	int fd;

	bars_get(igt_ferry_module_slot(), &bars);
	igt_assert(bars.best >= 0);
	igt_ferry_module_unload();
	snprintf(option, sizeof(option), "aperture_bar=%d", bars.best);
	igt_ferry_module_load(option);
	fd = reopen();
	use(fd);
	close(fd);
	for (int i = 0; i < 6; i++) {
		if (!(bars.none & 1u << i))
			continue;
		igt_ferry_module_unload();
		snprintf(option, sizeof(option), "aperture_bar=%d", i);
		igt_ferry_module_load(option);
		igt_assert_f(!igt_ferry_module_is_bound(),
			     "%s: the device has no such BAR\n", option);
		gone_without_trace();
	}
	igt_ferry_module_unload();
	igt_ferry_module_load("");
	fd = reopen();
	use(fd);
	close(fd);
}

static const struct {
	const char *name;
	const char *describe;
	void (*run)(void);
} tests[] = {
	{ "reload",
	  "The module is loaded, used and unloaded many times, and nothing leaks",
	  test_reload },
	{ "rebind",
	  "The device is unbound, bound and used many times, and nothing leaks",
	  test_rebind },
	{ "aperture-zero-reload",
	  "After unloading and loading the aperture is zero",
	  test_aperture_zero_reload },
	{ "aperture-zero-rebind",
	  "After unbinding with BOs in it and binding the aperture is zero",
	  test_aperture_zero_rebind },
	{ "unbound-ioctls", "After the device is gone every ioctl gives ENODEV",
	  test_unbound_ioctls },
	{ "unbind-hammer", "The device goes away while several processes work",
	  test_unbind_hammer },
	{ "rebind-open-file", "A file of the device that is gone stays dead",
	  test_rebind_open_file },
	{ "unbind-dma-buf", "A dma-buf and its mapping outlive the device",
	  test_unbind_dma_buf },
	{ "unload-busy", "The module stays while a client has the device open",
	  test_unload_busy },
	{ "probe-no-memory",
	  "A device without a prefetchable memory BAR is refused",
	  test_probe_no_memory },
	{ "no-display",
	  "A device that is said to have a display, and has none, is refused",
	  test_no_display },
	{ "bar-in-use", "A BAR that another driver holds is left to it",
	  test_bar_in_use },
	{ "other-driver",
	  "While bochs has the device ferry says so and leaves it alone",
	  test_other_driver },
	{ "new-id", "A device is driven after its id was added", test_new_id },
	{ "two-devices",
	  "Clients of one device do not notice that another goes",
	  test_two_devices },
	{ "aperture-bar", "The parameter chooses the BAR", test_aperture_bar },
};

igt_main
{
	const struct igt_ferry_kind *kind;

	igt_fixture
	{
		int fd = igt_ferry_open();

		igt_ferry_module_begin(fd);
		close(fd);
		igt_ferry_module_require();
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		igt_describe(tests[i].describe);
		igt_subtest(tests[i].name)
		{
			igt_ferry_clean(-1);
			igt_ferry_module_restore();
			tests[i].run();
		}
	}

	for (kind = igt_ferry_fixed_kinds; kind->name; kind++) {
		igt_describe(
			"A mapping outlives the device, and no touch raises a signal");
		igt_subtest_f("unbound-mapping-%s", kind->name)
		{
			igt_ferry_clean(-1);
			igt_ferry_module_restore();
			test_unbound_mapping(kind);
		}
	}
}
