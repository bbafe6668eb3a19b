// SPDX-License-Identifier: MIT
/**
 * TEST: ferry probe
 * Category: Core
 * Description: Probing: BARs and devices that ferry cannot use, ids added at run time, and two devices
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#include "igt.h"
#include "igt_kmod.h"

#include "igt_ferry.h"
#include "igt_ferry_footprint.h"
#include "igt_ferry_module.h"
#include "igt_ferry_pci.h"

IGT_TEST_DESCRIPTION(
	"Probing: BARs and devices that ferry cannot use, ids added at run time, and two devices");

/**
 * SUBTEST: no-memory
 * Description: Probe fails for a device without a prefetchable memory BAR and leaks nothing
 */
static void test_no_memory(int fd)
{
	char device[NAME_MAX + 1], path[PATH_MAX];
	unsigned long vmalloc, iomem;
	int err;

	close(fd);
	vmalloc = igt_ferry_count_lines("/proc/vmallocinfo", "[ferry]");
	iomem = igt_ferry_count_lines("/proc/iomem", "ferry");
	igt_require_f(
		igt_ferry_pci_find(IGT_FERRY_PCI_WITHOUT_BAR, device,
				   sizeof(device)),
		"every PCI device has a driver or a prefetchable memory BAR\n");
	igt_info("trying %s\n", device);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override",
		 device);
	igt_assert_eq(igt_ferry_write_file(path, "ferry"), 0);
	err = igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/bind", device);
	igt_ferry_write_file(path, "\n");
	igt_assert_f(err < 0,
		     "ferry is bound to a device without a memory BAR\n");
	igt_assert(igt_ferry_pci_has_no_driver(device));
	igt_assert_eq_u64(igt_ferry_count_lines("/proc/vmallocinfo", "[ferry]"),
			  vmalloc);
	igt_assert_eq_u64(igt_ferry_count_lines("/proc/iomem", "ferry"), iomem);
	igt_ferry_module_check_works();
}

/* Read the vendor and device id of a PCI device. */
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

/* driver_data in ferry's PCI id table for a device with a display, and its register BAR */
#define DISPLAY "1"
#define DISPLAY_BAR 2

static void check_no_display(bool with_memory)
{
	unsigned long vmalloc =
		igt_ferry_count_lines("/proc/vmallocinfo", "[ferry]");
	unsigned long iomem = igt_ferry_count_lines("/proc/iomem", "ferry");
	unsigned int vendor = 0, product = 0;
	char device[NAME_MAX + 1], id[128];
	struct igt_ferry_pci_bars bars;
	int kmsg;

	igt_require_f(igt_ferry_pci_find(with_memory ?
						 IGT_FERRY_PCI_WITH_BAR :
						 IGT_FERRY_PCI_WITHOUT_BAR,
					 device, sizeof(device)),
		      "every PCI device %s has a driver\n",
		      with_memory ? "with 1 MiB of prefetchable memory" :
				    "without prefetchable memory");
	igt_ferry_pci_get_bars(device, &bars);
	read_id(device, &vendor, &product);
	snprintf(id, sizeof(id), "%04x %04x ffffffff ffffffff 0 0 " DISPLAY,
		 vendor, product);
	igt_info("trying %s, %04x:%04x\n", device, vendor, product);
	kmsg = igt_ferry_kmsg_open();
	igt_assert_eq(igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/new_id", id),
		      0);
	id[strlen("vvvv pppp")] = '\0';
	igt_assert_eq(
		igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/remove_id", id), 0);
	igt_assert(igt_ferry_pci_has_no_driver(device));
	igt_assert(igt_ferry_kmsg_has(
		kmsg, bars.none & 1u << DISPLAY_BAR ?
			      "BAR 2 with the display registers is missing" :
			      "no Bochs display behind BAR 2"));
	close(kmsg);
	igt_assert_eq_u64(igt_ferry_count_lines("/proc/vmallocinfo", "[ferry]"),
			  vmalloc);
	igt_assert_eq_u64(igt_ferry_count_lines("/proc/iomem", "ferry"), iomem);
}

/**
 * SUBTEST: no-display
 * Description: Probe fails for a device that the id table wrongly gives a display, and leaks nothing
 */
static void test_no_display(int fd)
{
	close(fd);
	check_no_display(true);
	check_no_display(false);
	igt_ferry_module_check_works();
}

/**
 * SUBTEST: bar-in-use
 * Description: Probe fails with EBUSY while another driver holds a BAR that ferry needs, and works after that
 */
static void test_bar_in_use(int fd)
{
	unsigned int tried = 0;
	struct igt_ferry_pci_bars bars;

	close(fd);
	igt_ferry_pci_get_bars(igt_ferry_module_slot(), &bars);
	for (int bar = 0; bar < 6; bar++) {
		char options[128];
		int kmsg;

		/* ferry does not use other BARs */
		if (bar != bars.best &&
		    (bar != DISPLAY_BAR || bars.none & 1u << bar))
			continue;
		igt_ferry_module_unbind_consoles();
		igt_ferry_module_must_unbind();
		snprintf(options, sizeof(options), "pci=%s bar=%d claim=1",
			 igt_ferry_module_slot(), bar);
		igt_ferry_break_load(options);
		kmsg = igt_ferry_kmsg_open();
		igt_assert_eq(igt_ferry_module_bind(), -EBUSY);
		igt_assert(!igt_ferry_module_is_bound());
		igt_assert(igt_ferry_kmsg_has(kmsg, "is in use by another"));
		close(kmsg);
		igt_ferry_break_unload();
		igt_ferry_footprint_check_none();
		igt_ferry_module_must_bind();
		igt_ferry_module_check_works();
		tried++;
	}
	igt_info("%u BARs were in use\n", tried);
	igt_assert_lt(0, tried);
}

/**
 * SUBTEST: firmware-claim
 * Description: A BAR that a driver of the firmware's framebuffer still holds is shared, with a warning
 */
static void test_firmware_claim(int fd)
{
	struct igt_ferry_pci_bars bars;
	char options[128];
	int kmsg;

	close(fd);
	igt_ferry_pci_get_bars(igt_ferry_module_slot(), &bars);
	igt_ferry_module_unbind_consoles();
	igt_ferry_module_must_unbind();
	snprintf(options, sizeof(options), "pci=%s bar=%d claim=1 name=efifb",
		 igt_ferry_module_slot(), bars.best);
	igt_ferry_break_load(options);
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_module_must_bind();
	igt_assert(igt_ferry_kmsg_has(
		kmsg, "is shared with the firmware's framebuffer"));
	close(kmsg);
	igt_ferry_module_check_works();
	igt_ferry_break_unload();
	igt_ferry_module_check_works();
	igt_ferry_module_unbind_consoles();
	igt_ferry_module_must_unbind();
	igt_ferry_footprint_check_none();
	igt_ferry_module_must_bind();
	igt_ferry_module_check_works();
}

/**
 * SUBTEST: dead-bar
 * Description: Probe fails with EIO and a message if the BAR does not store what is written to it
 */
static void test_dead_bar(int fd)
{
	char device[NAME_MAX + 1], path[PATH_MAX];
	unsigned long vmalloc, iomem;
	int kmsg, err;

	close(fd);
	vmalloc = igt_ferry_count_lines("/proc/vmallocinfo", "[ferry]");
	iomem = igt_ferry_count_lines("/proc/iomem", "ferry");
	igt_require_f(
		igt_ferry_pci_find(IGT_FERRY_PCI_WITH_DEAD_BAR, device,
				   sizeof(device)),
		"no PCI device without a driver has a prefetchable BAR without memory: "
		"add one, such as QEMU's pci-testdev,membar=16M\n");
	igt_info("trying %s\n", device);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override",
		 device);
	igt_assert_eq(igt_ferry_write_file(path, "ferry"), 0);
	kmsg = igt_ferry_kmsg_open();
	err = igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/bind", device);
	igt_ferry_write_file(path, "\n");
	if (!err)
		igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/unbind", device);
	igt_assert_eq(err, -EIO);
	igt_assert(igt_ferry_pci_has_no_driver(device));
	igt_assert(igt_ferry_kmsg_has(kmsg, "aperture_bar= can name another"));
	close(kmsg);
	igt_assert_eq_u64(igt_ferry_count_lines("/proc/vmallocinfo", "[ferry]"),
			  vmalloc);
	igt_assert_eq_u64(igt_ferry_count_lines("/proc/iomem", "ferry"), iomem);
	igt_ferry_module_check_works();
}

static void drop_bochs(int sig)
{
	(void)sig;
	igt_ferry_module_unbind_consoles();
	igt_kmod_unload("bochs", 0);
}

/**
 * SUBTEST: other-driver
 * Description: While bochs is bound to the device ferry logs that and does not probe it; after that ferry can be bound
 */
static void test_other_driver(int fd)
{
	int kmsg, err;

	close(fd);
	igt_require_f(!igt_kmod_is_loaded("bochs"), "bochs is in use\n");
	igt_ferry_module_unload();
	err = igt_kmod_load("bochs", "");
	igt_require_f(!err, "this kernel has no bochs: %s\n", strerror(-err));
	igt_install_exit_handler(drop_bochs);
	igt_require_f(!igt_ferry_pci_has_no_driver(igt_ferry_module_slot()),
		      "bochs does not drive this device\n");
	kmsg = igt_ferry_kmsg_open();
	igt_ferry_module_load("");
	igt_assert(!igt_ferry_module_is_bound());
	igt_assert(igt_ferry_kmsg_has(
		kmsg, "ferry could drive this device, but bochs"));
	close(kmsg);
	igt_assert(!igt_ferry_pci_has_no_driver(igt_ferry_module_slot()));
	igt_ferry_footprint_check_none();
	drop_bochs(0);
	igt_assert(!igt_kmod_is_loaded("bochs"));
	igt_ferry_module_must_bind();
	igt_ferry_module_check_works();
}

/**
 * SUBTEST: new-id
 * Description: A device with a prefetchable memory BAR is probed after its id was written to new_id
 */
static void test_new_id(int fd)
{
	unsigned long cards = igt_ferry_count_entries("/dev/dri");
	char device[NAME_MAX + 1], id[128];
	unsigned int vendor = 0, product = 0;
	struct drm_ferry_device_query query;
	struct igt_ferry_pci_bars bars;

	close(fd);
	igt_require_f(
		igt_ferry_pci_find(IGT_FERRY_PCI_WITH_MEMORY, device,
				   sizeof(device)),
		"no PCI device without a driver has 1 MiB of prefetchable memory: "
		"add one, such as QEMU's nvme,serial=1,cmb_size_mb=16\n");
	read_id(device, &vendor, &product);
	snprintf(id, sizeof(id), "%04x %04x", vendor, product);
	igt_ferry_pci_get_bars(device, &bars);

	igt_assert_eq(igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/new_id", id),
		      0);
	igt_assert(!igt_ferry_pci_has_no_driver(device));
	igt_assert_lt(cards, igt_ferry_count_entries("/dev/dri"));
	fd = igt_ferry_pci_open(device);
	igt_assert_fd(fd);
	igt_assert(igt_ferry_is_device(fd));
	ferry_device_query(fd, &query);
	igt_assert_eq_u64(query.aperture_size, bars.best_size);
	igt_assert_eq_u64(query.aperture_free, bars.best_size);
	igt_assert_eq_u64(query.features, 0);
	igt_ferry_module_exercise(fd);
	close(fd);

	igt_assert_eq(igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/unbind",
					   device),
		      0);
	igt_assert_eq(
		igt_ferry_write_file(IGT_FERRY_DRIVER_DIR "/remove_id", id), 0);
	igt_assert_eq_u64(igt_ferry_count_entries("/dev/dri"), cards);
}

static void work_beside(int fd, volatile bool *stop)
{
	igt_fork(child, 2)
	{
		int client = igt_ferry_reopen(fd, O_RDWR);

		do
			igt_ferry_module_exercise(client);
		while (!*stop);
	}
}

/**
 * SUBTEST: two-devices
 * Description: Unbinding and binding one of two devices does not disturb clients of the other one
 */
static void test_two_devices(int fd)
{
	char other[NAME_MAX + 1];
	const char *devices[2] = { igt_ferry_module_slot(), other };
	volatile bool *stop;

	close(fd);
	igt_require_f(
		igt_ferry_module_find_other(other, sizeof(other)),
		"needs two devices: "
		"vm/run --device bochs-display --device ivshmem-plain,size=64M\n");
	stop = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	igt_assert(stop != MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		struct igt_ferry_bo bo;
		uint64_t evictions;

		fd = igt_ferry_pci_open(devices[i]);
		igt_assert_fd(fd);
		igt_ferry_bo_init(&bo, fd, 300 * PAGE, igt_ferry_movable_kinds);
		igt_ferry_bo_fill(&bo);
		ferry_bo_migrate(fd, bo.handle, APERTURE);
		evictions = igt_ferry_stat(fd, "evictions");
		*stop = false;
		work_beside(fd, stop);
		for (int n = 0; n < 5; n++) {
			int client = igt_ferry_pci_open(devices[!i]);

			igt_assert_fd(client);
			igt_ferry_module_exercise(client);
			igt_assert_eq(igt_ferry_write_file(IGT_FERRY_DRIVER_DIR
							   "/unbind",
							   devices[!i]),
				      0);
			/* the BO of the other device has not moved */
			igt_ferry_bo_check(&bo);
			igt_assert_eq(ferry_bo_placement(fd, bo.handle),
				      APERTURE);
			igt_assert_eq_u64(igt_ferry_stat(fd, "evictions"),
					  evictions);
			close(client);
			igt_assert_eq(igt_ferry_write_file(IGT_FERRY_DRIVER_DIR
							   "/bind",
							   devices[!i]),
				      0);
		}
		*stop = true;
		igt_waitchildren_timeout(
			60, "clients of the device that stayed bound");
		igt_ferry_module_exercise(fd);
		igt_ferry_bo_check(&bo);
		igt_ferry_bo_fini(&bo);
		close(fd);
	}
	munmap((void *)stop, PAGE);
}

/**
 * SUBTEST: aperture-bar
 * Description: The parameter aperture_bar selects the BAR, and probe fails for a BAR that is not memory
 */
static void test_aperture_bar(int fd)
{
	char option[32];
	struct igt_ferry_pci_bars bars;

	close(fd);
	igt_ferry_pci_get_bars(igt_ferry_module_slot(), &bars);
	igt_assert(bars.best >= 0);
	igt_ferry_module_unload();
	snprintf(option, sizeof(option), "aperture_bar=%d", bars.best);
	igt_ferry_module_load(option);
	igt_ferry_module_check_works();
	for (int i = 0; i < 6; i++) {
		if (!(bars.none & 1u << i))
			continue;
		igt_ferry_module_unload();
		snprintf(option, sizeof(option), "aperture_bar=%d", i);
		igt_ferry_module_load(option);
		igt_assert_f(
			!igt_ferry_module_is_bound(),
			"the device is bound with %s, which is no memory BAR\n",
			option);
		igt_ferry_footprint_check_none();
	}
	igt_ferry_module_unload();
	igt_ferry_module_load("");
	igt_ferry_module_check_works();
}

static const struct igt_ferry_test tests[] = {
	{ "no-memory",
	  "Probe fails for a device without a prefetchable memory BAR and leaks nothing",
	  test_no_memory },
	{ "no-display",
	  "Probe fails for a device that the id table wrongly gives a display, and leaks nothing",
	  test_no_display },
	{ "bar-in-use",
	  "Probe fails with EBUSY while another driver holds a BAR that ferry needs, and works after that",
	  test_bar_in_use },
	{ "firmware-claim",
	  "A BAR that a driver of the firmware's framebuffer still holds is shared, with a warning",
	  test_firmware_claim },
	{ "dead-bar",
	  "Probe fails with EIO and a message if the BAR does not store what is written to it",
	  test_dead_bar },
	{ "other-driver",
	  "While bochs is bound to the device ferry logs that and does not probe it; after that ferry can be bound",
	  test_other_driver },
	{ "new-id",
	  "A device with a prefetchable memory BAR is probed after its id was written to new_id",
	  test_new_id },
	{ "two-devices",
	  "Unbinding and binding one of two devices does not disturb clients of the other one",
	  test_two_devices },
	{ "aperture-bar",
	  "The parameter aperture_bar selects the BAR, and probe fails for a BAR that is not memory",
	  test_aperture_bar },
	{}
};

igt_main
{
	int fd = -1;

	igt_fixture fd = igt_ferry_open();

	igt_ferry_module_run_tests(fd, tests);
}
