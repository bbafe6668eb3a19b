// SPDX-License-Identifier: MIT
/* Opening devices, queries, references; no descriptor may be left open. */

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <xf86drm.h>

#include "check.h"

static void getters_agree_with_query(void)
{
	struct ferry_device *dev = open_or_skip();
	struct drm_ferry_device_query info;

	memset(&info, 0xff, sizeof(info));
	CHECK_OK(ferry_device_query(dev, &info, sizeof(info)));

	CHECK(info.version >= 1);
	CHECK(info.aperture_size >= PAGE);
	CHECK_EQ(info.aperture_size % PAGE, 0);
	CHECK(info.aperture_free <= info.aperture_size);
	CHECK(info.page_sizes & PAGE);
	CHECK(info.max_bo_size >= PAGE);
	CHECK(info.aperture_memtype <= DRM_FERRY_MEMTYPE_WB);
	CHECK(info.aperture_memtype_requested <= DRM_FERRY_MEMTYPE_WB);
	CHECK_EQ(info.flags | info.pad | info.pad2, 0);

	CHECK_EQ(ferry_device_aperture_size(dev), info.aperture_size);
	CHECK_EQ(ferry_device_aperture_memtype(dev), info.aperture_memtype);
	CHECK_EQ(ferry_device_page_sizes(dev), info.page_sizes);
	CHECK_EQ(ferry_device_max_bo_size(dev), info.max_bo_size);
	CHECK_EQ(ferry_device_features(dev), info.features);
	ferry_device_del(dev);
}

/* Queries of programs that are compiled with an older and with a newer header. */
static void query_of_other_sizes(void)
{
	struct ferry_device *dev = open_or_skip();
	struct {
		struct drm_ferry_device_query info;
		uint64_t future;
		uint64_t guard;
	} newer;

	memset(&newer, 0xff, sizeof(newer));
	CHECK_OK(ferry_device_query(dev, &newer.info,
				    offsetof(__typeof__(newer), guard)));
	CHECK_EQ(newer.info.aperture_size, ferry_device_aperture_size(dev));
	CHECK_EQ(newer.future, 0);
	CHECK_EQ(newer.guard, -1);

	memset(&newer, 0xff, sizeof(newer));
	CHECK_OK(ferry_device_query(dev, &newer.info, 12));
	CHECK(newer.info.version >= 1 && newer.info.version != UINT32_MAX);
	CHECK_EQ(newer.info.aperture_memtype, UINT32_MAX);
	ferry_device_del(dev);
}

static void every_node(void)
{
	struct ferry_device *dev = open_or_skip();
	drmDevicePtr nodes;
	int opened = 0;

	CHECK_OK(drmGetDevice2(ferry_device_fd(dev), 0, &nodes));
	/* ferry_device_open() prefers the render node. */
	if (nodes->available_nodes & (1 << DRM_NODE_RENDER))
		CHECK_EQ(drmGetNodeTypeFromFd(ferry_device_fd(dev)),
			 DRM_NODE_RENDER);

	for (int kind = 0; kind < DRM_NODE_MAX; kind++) {
		struct ferry_device *other;

		if (!(nodes->available_nodes & (1 << kind)))
			continue;
		CHECK_OK(ferry_device_open_node(nodes->nodes[kind], 0, &other));
		CHECK(other != dev);
		CHECK_EQ(ferry_device_aperture_size(other),
			 ferry_device_aperture_size(dev));
		ferry_device_del(other);
		opened++;
	}
	CHECK(opened >= 1);
	drmFreeDevice(&nodes);
	ferry_device_del(dev);
}

static void descriptor_stays_the_callers(void)
{
	struct ferry_device *first = open_or_skip();
	char *path = drmGetDeviceNameFromFd2(ferry_device_fd(first));
	struct ferry_device *dev;
	struct ferry_bo *bo;
	int fd;

	CHECK(path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_OK(ferry_device_new(fd, 0, &dev));
	CHECK(dev != first);
	CHECK(ferry_device_fd(dev) != fd);
	CHECK(fcntl(ferry_device_fd(dev), F_GETFD) & FD_CLOEXEC);

	/* The library has its own descriptor: the device still works. */
	CHECK_EQ(close(fd), 0);
	bo = new_bo(dev, PAGE, 0);
	ferry_bo_del(bo);

	ferry_device_del(dev);
	ferry_device_del(first);
	free(path);
}

static void one_device_per_open_file(void)
{
	struct ferry_device *dev = open_or_skip();
	struct ferry_device *same, *other;
	int fd = dup(ferry_device_fd(dev));

	CHECK(fd >= 0);
	CHECK_OK(ferry_device_new(fd, 0, &same));
	CHECK(same == dev);
	CHECK_EQ(close(fd), 0);

	other = open_or_skip();
	CHECK(other != dev);

	/* After one of two references is dropped the device is still open. */
	ferry_device_del(dev);
	CHECK_EQ(fcntl(ferry_device_fd(same), F_GETFD), FD_CLOEXEC);
	ferry_device_del(same);
	ferry_device_del(other);
}

static void bo_keeps_the_device(void)
{
	struct ferry_device *dev = open_or_skip();
	struct ferry_bo *bo = new_bo(dev, PAGE, 0);

	CHECK(ferry_bo_device(bo) == dev);
	CHECK(ferry_device_ref(dev) == dev);
	ferry_device_del(dev);
	ferry_device_del(dev);
	fill(map_bo(bo), PAGE, 1);
	CHECK_OK(ferry_bo_migrate(bo, APERTURE));
	check_filled(map_bo(bo), PAGE, 1);
	ferry_bo_del(bo);
}

/* Open every device of the driver; none has a lower address than @first. */
static int for_each_bound(const char *first)
{
	DIR *dir = opendir("/sys/bus/pci/drivers/ferry");
	struct dirent *entry;
	int count = 0;

	CHECK(dir);
	while ((entry = readdir(dir))) {
		struct ferry_device *dev;

		if (!strchr(entry->d_name, ':'))
			continue;
		CHECK(strcmp(first, entry->d_name) <= 0);
		CHECK_OK(ferry_device_open_pci(entry->d_name, 0, &dev));
		CHECK(!strcmp(ferry_device_address(dev), entry->d_name));
		ferry_device_del(dev);
		count++;
	}
	closedir(dir);
	return count;
}

static void by_address(void)
{
	struct ferry_device *first = open_or_skip();
	const char *address = ferry_device_address(first);
	struct ferry_device *dev;

	CHECK_EQ(ferry_device_uapi_version(first), DRM_FERRY_UAPI_VERSION);
	CHECK_OK(ferry_device_open_pci(address, 0, &dev));
	CHECK(dev != first);
	CHECK(!strcmp(ferry_device_address(dev), address));
	CHECK_EQ(drmGetNodeTypeFromFd(ferry_device_fd(dev)),
		 drmGetNodeTypeFromFd(ferry_device_fd(first)));
	ferry_device_del(dev);

	/* Every bound device can be opened, and none is before the first. */
	CHECK(for_each_bound(address) >= 1);

	/* A device of another driver. */
	CHECK_EQ(ferry_device_open_pci("0000:00:00.0", 0, &dev), -ENODEV);
	ferry_device_del(first);
}

static bool has_display(const struct ferry_device *dev)
{
	return ferry_device_features(dev) & DRM_FERRY_FEATURE_DISPLAY;
}

/* Only who asks for the display takes the role of DRM master. */
static void display(void)
{
	struct ferry_device *dev = open_or_skip(), *other;
	char *primary = drmGetPrimaryDeviceNameFromFd(ferry_device_fd(dev));

	CHECK(primary);
	if (!has_display(dev)) {
		CHECK_EQ(ferry_device_open_pci(ferry_device_address(dev),
					       FERRY_OPEN_DISPLAY, &other),
			 -EOPNOTSUPP);
		CHECK_EQ(ferry_device_open_node(primary, FERRY_OPEN_DISPLAY,
						&other),
			 -EOPNOTSUPP);
		ferry_device_del(dev);
		free(primary);
		return;
	}
	CHECK_OK(ferry_device_open_node(primary, 0, &other));
	CHECK(!drmIsMaster(ferry_device_fd(other)));
	ferry_device_del(dev);

	CHECK_OK(ferry_device_open(FERRY_OPEN_DISPLAY, &dev));
	CHECK_EQ(drmGetNodeTypeFromFd(ferry_device_fd(dev)), DRM_NODE_PRIMARY);
	CHECK(drmIsMaster(ferry_device_fd(dev)));
	/* The other one works without that role. */
	ferry_bo_del(new_bo(other, PAGE, FERRY_BO_START_APERTURE));
	ferry_device_del(other);
	ferry_device_del(dev);
	free(primary);
}

/* A descriptor of 0, 1 or 2 would be written to as standard output or error. */
static void closed_standard_input(void)
{
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
	struct ferry_device *dev, *other;
	char *path;

	CHECK(saved >= 0);
	close(0);
	dev = open_or_skip();
	path = drmGetDeviceNameFromFd2(ferry_device_fd(dev));
	CHECK(path);
	CHECK_OK(ferry_device_open_node(path, 0, &other));
	CHECK(ferry_device_fd(dev) > 2);
	CHECK(ferry_device_fd(other) > 2);
	CHECK(fcntl(ferry_device_fd(other), F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(fcntl(0, F_GETFD), -1);
	ferry_device_del(other);
	ferry_device_del(dev);
	free(path);
	CHECK_EQ(dup2(saved, 0), 0);
	close(saved);
}

/* The state of an ended thread, whose process lives on, is Z. */
static bool main_has_ended(void)
{
	FILE *stat = fopen("/proc/self/stat", "r");
	char state = 0;

	CHECK(stat);
	CHECK_EQ(fscanf(stat, "%*d (%*[^)]) %c", &state), 1);
	fclose(stat);
	return state == 'Z';
}

static void *after_the_main_thread(void *arg)
{
	struct ferry_device *dev = open_or_skip(), *same, *other;

	/* kcmp() does not find a process whose main thread has ended. */
	while (!main_has_ended())
		usleep(1000);
	CHECK_OK(ferry_device_new(ferry_device_fd(dev), 0, &same));
	CHECK(same == dev);
	other = open_or_skip();
	CHECK(other != dev);
	ferry_device_del(other);
	ferry_device_del(same);
	ferry_device_del(dev);
	/* With exit() the status would be that of the main thread's stack. */
	_exit(arg ? 1 : 0);
}

static void ended_main_thread(void)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		pthread_t thread;

		alarm(20);
		CHECK_EQ(pthread_create(&thread, NULL, after_the_main_thread,
					NULL),
			 0);
		pthread_exit(NULL);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(value, count) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count)

/* kcmp() and fcntl(F_DUPFD_QUERY) fail with EPERM from now on, if the kernel has filters. */
static bool forbid_to_compare(void)
{
	struct sock_filter filter[] = {
		LOAD(nr),
		SKIP_UNLESS(SYS_kcmp, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		SKIP_UNLESS(SYS_fcntl, 3),
		LOAD(args[1]),
		SKIP_UNLESS(1027 /* F_DUPFD_QUERY */, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* With two devices of one open file each would close handles of the other. */
static void forbidden_to_compare(void)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		struct ferry_device *const unchanged = (void *)0x1234;
		struct ferry_device *dev = open_or_skip(), *same = unchanged;

		if (forbid_to_compare()) {
			CHECK_EQ(ferry_device_new(ferry_device_fd(dev), 0,
						  &same),
				 -EPERM);
			CHECK(same == unchanged);
		} else {
			fprintf(stderr,
				"note: the kernel has no seccomp filters\n");
		}
		ferry_device_del(dev);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

int main(void)
{
	int fds = count_fds();

	RUN(getters_agree_with_query);
	RUN(query_of_other_sizes);
	RUN(every_node);
	RUN(descriptor_stays_the_callers);
	RUN(one_device_per_open_file);
	RUN(bo_keeps_the_device);
	RUN(by_address);
	RUN(display);
	RUN(closed_standard_input);
	RUN(ended_main_thread);
	RUN(forbidden_to_compare);

	/* Every device was closed. */
	CHECK_EQ(count_fds(), fds);
	return 0;
}
