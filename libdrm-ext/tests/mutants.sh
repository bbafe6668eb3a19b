#!/bin/bash
# SPDX-License-Identifier: MIT
# Prove that the tests with a device can fail: build the library with one mistake at a time,
# and check that a test detects each of them.
#
# usage: mutants.sh build BUILD_DIR OUT_DIR [TEXT]   (after ninja -C BUILD_DIR)
#        mutants.sh run BUILD_DIR OUT_DIR            (where there is a device)
#
# With TEXT only those whose line below contains it, such as the name of a file.
set -euo pipefail

mode=$1 build=$(realpath "$2") out=$3 text=${4:-}
source=$(realpath "$(dirname "$0")/..")

# file | sed script | the mistake
mutants()
{
	cat <<-'EOF'
	ferry_sync.c|s/if (!atomic_load(&bo->shared))/if (1)/|the access to shared BOs is not bracketed
	ferry_sync.c|s/if (!atomic_load(&bo->shared))/if (0)/|an access exports a BO that is not shared
	ferry_sync.c|s/if (!flags || flags & ~FERRY_CPU_FLAGS)/if (0)/|unknown flags of an access are accepted
	ferry_sync.c|s/\.flags = phase | flags/.flags = phase | FERRY_CPU_FLAGS/|reads wait for reads
	ferry_sync.c|s/err = ferry_ioctl_fd_once(prime.fd/err = drmIoctl(prime.fd/|no signal ends ferry_bo_cpu_begin()
	ferry_sync.c|s/\tferry_close(prime.fd);/;/|an access leaks a descriptor
	ferry_sync.c|s/DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL | flags/flags/|a wait ends with the first syncobj
	ferry_sync.c|s/if (flags & ~FERRY_WAIT_FOR_FENCE/if (0/|unknown flags of a wait are accepted
	ferry_sync.c|s/\.timeout_nsec = timeout_ns,/.timeout_nsec = INT64_MAX,/|a wait for syncobjs has no timeout
	ferry_sync.c|s/if (syncs\[i\].flags)/if (0)/|unknown flags of a sync are accepted
	ferry_sync.c|s/if (!sync->point)/if (1)/|the fence of a point is that of the syncobj
	ferry_sync.c|s/in, in_count, &out, 1,/NULL, 0, \&out, 1,/|a move with a fence ignores in-syncs
	ferry_bo.c|s/atomic_init(&bo->shared, query.flags.*;/;/|a handle of an imported BO is taken for one that is not shared
	ferry_bo.c|s/atomic_init(&bo->shared, true);/;/|an imported BO is taken for one that is not shared
	ferry_display.c|s/display->mode.hdisplay == width &&/1 \&\&/|a mode of another width is chosen
	ferry_display.c|s/if (!width ||/if (/|the preferred mode is not chosen
	ferry_display.c|s/if (flags || !width != !height)/if (0)/|wrong arguments of a display are accepted
	ferry_display.c|s/if (x > mode->hdisplay.*/if (0 \&\&/|a damage can leave the picture
	ferry_display.c|s/offset = (uint64_t)y .*/offset = 0;/|a damage begins at the first pixel
	ferry_display.c|s/.pixels = display->maps\[!display->shown\]/.pixels = display->maps[display->shown]/|the program draws on the screen
	ferry_display.c|s/display->shown = i;/;/|the buffers are not exchanged
	ferry_display.c|s/drmModeRmFB(.*/;/|framebuffers are leaked
	ferry_display.c|s/ferry_bo_del(display->bos.*/;/|buffers of a display are leaked
	ferry_table.c|s/if (bo->handle == handle)/if (0)/|a lookup never finds a handle
	ferry_bo.c|s/return bo ? ferry_bo_ref(bo) : NULL;/return bo;/|a lookup takes no reference to the BO
	ferry_bo.c|/^ferry_public void ferry_bo_del/,/^}/s/ferry_close_handle(dev, bo->handle);/;/|the handle is never closed
	ferry_bo.c|s/!ferry_refs_dec_unless_last(&bo->refs)/0/;/^ferry_public void ferry_bo_del/,/^}/s/fetch_sub(&bo->refs, 1) != 1/load(\&bo->refs) == 0/|the first drop of a reference frees the BO
	ferry_bo.c|/^ferry_public void ferry_bo_del/,/^}/s/ != 1)/ == 99)/|a BO that a lookup found before its last drop is freed
	ferry_bo.c|/int ferry_bo_from_dmabuf/,/^}/s/pthread_mutex_.*lock(.*//|an import does not take the lock
	ferry_bo.c|s/!existing->closing/1/|an import returns a BO that is being closed
	ferry_bo.c|s/bo->closing = true;/&ferry_close_handle(dev, bo->handle);/|a handle is closed with the lock held
	ferry_bo.c|s/atomic_store(&old->handle, 0);/;/|a handle that somebody else closed is closed again
	ferry_bo.c|s/bo->size = create.size/bo->size = size/|the size is not rounded up
	ferry_bo.c|s/bo->size = size < 0 ? 0 : size/bo->size = 4096/|an imported BO has another size
	ferry_bo.c|s/create.caching = .*;/;/|FERRY_BO_WC is ignored
	ferry_bo.c|s/\.flags = flags & FERRY_BO_KERNEL_FLAGS,//|FERRY_BO_CONTIGUOUS is ignored
	ferry_bo.c|s/create.placement |= DRM_FERRY_PLACEMENT_APERTURE;/;/|FERRY_BO_START_APERTURE is ignored
	ferry_bo.c|s/if (flags & ~FERRY_BO_FLAGS)/if (0)/|unknown flags are accepted
	ferry_bo.c|/int ferry_bo_from_dmabuf/,/^}/s/if (flags)/if (0)/|unknown flags of an import are accepted
	ferry_bo.c|s/if (flags & ~FERRY_EXPORT_READ_ONLY)/if (0)/|unknown flags of an export are accepted
	ferry_bo.c|s/read_only ? 0 : DRM_RDWR/DRM_RDWR/|FERRY_EXPORT_READ_ONLY is ignored
	ferry_bo.c|s/if (mode != .*/if (0) {/|an export can have another access than requested
	ferry_bo_copy.c|s/if (!ferry_in_bo(bo, offset, size))/if (0)/|a copy can leave the BO
	ferry_bo_copy.c|s/if (width > pitch)/if (0)/|rows can be longer than the pitch
	ferry_bo_copy.c|s/bool backwards = .*;/bool backwards = false;/|overlapping rectangles are copied forwards
	ferry_bo_copy.c|s/ && dst_pitch != src_pitch)/ \&\& 0)/|one BO can have two pitches
	ferry_bo_copy.c|s/munmap(window->map.*;/;/|the mapping of a copy is leaked
	ferry_bo_copy.c|s/write ? 0 : FERRY_MAP_READ_ONLY/0/|a read requires a writable mapping
	ferry_cache.c|s/memset(map, 0, bo->size);/;/|a BO of the cache is not cleared
	ferry_cache.c|s/(.link)->size != size/0/|a BO of the cache has another size
	ferry_cache.c|s/(.link)->flags != flags/0/|a BO of the cache has other flags
	ferry_cache.c|s/(.link)->allowed_placements != allowed_placements/0/|a BO of the cache has other placements
	ferry_cache.c|s/query.placement == DRM_FERRY_PLACEMENT_SYSTEM/1/|a BO in the aperture is kept
	ferry_migrate.c|s/atomic_store(&bo->moved, true);/;/|the cache does not know of ferry_bo_migrate()
	ferry_migrate.c|s/atomic_store(&moves\[i\].bo->moved, true);/;/|the cache does not know of ferry_bo_migrate_many()
	ferry_cache.c|s/if (!atomic_load(&bo->moved))/if (1)/|the cache does not ask where a BO is
	ferry_cache.c|s/bo->map_count = 0;/ferry_bo_map_fini(bo);/|the cache does not keep mappings
	ferry_cache.c|s/cached_at <= FERRY_CACHE_AGE/cached_at >= 0/|BOs of the cache are kept for ever
	ferry_cache.c|s/<= FERRY_CACHE_MAX_BYTES &&/> 0 \&\&/|the cache has no limit
	ferry_cache.c|s/cache->unmarked + bo->size <= .*/1);/|the kernel cannot purge any small BO of the cache
	ferry_cache.c|s/bo->size <= FERRY_CACHE_SMALL/1/|the kernel cannot purge a large BO of the cache
	ferry_cache.c|s/cache->enabled = .*/cache->enabled = true ||/|nothing switches the cache off
	ferry_bo_map.c|s/atomic_store(&bo->cacheable, false);/;/|a BO with a mapping of the program is kept
	ferry_copy.c|s/memcpy(dst, src, size); .*/;  \\/|the end of a write is left out
	ferry_copy.c|s/block + skip, part/block, part/|a read ignores the alignment of its source
	ferry_migrate.c|s/\.placement = placement,/.placement = DRM_FERRY_PLACEMENT_SYSTEM,/|ferry_bo_migrate() always moves to system memory
	ferry_migrate.c|s/args->count = count;/args->count = count > 1 ? count - 1 : 1;/|the last of several moves is left out
	ferry_migrate.c|s/moves\[i\].bo->dev != dev/0/|BOs of another device are accepted
	ferry_migrate.c|s/ || moves\[i\].flags//|unknown flags of a move are accepted
	ferry_migrate.c|s/if (!count && !args->in_count/if (0 \&\& !args->in_count/|a call without moves fails
	ferry_migrate.c|s/\*failed = args->failed_entry;/*failed = count;/|the failing entry is not reported
	ferry_migrate.c|s/args->failed_entry = i;/;/|an entry that the library rejects is not reported
	ferry_migrate.c|s/\.in_count = in_count,/.in_count = 0,/|in-syncs are ignored
	ferry_migrate.c|s/\.out_count = out_count,/.out_count = 0,/|out-syncs are ignored
	ferry_migrate.c|s/err = ferry_ioctl_once(/err = ferry_ioctl(/|no signal ends a wait for in-syncs
	ferry_migrate.c|s/return ferry_ioctl_once(/return ferry_ioctl(/|no signal ends ferry_bo_wait()
	ferry_migrate.c|s/\.timeout_ns = timeout_ns,/.timeout_ns = 0,/|the timeout of a wait is ignored
	ferry_migrate.c|s/\.timeout_ns = timeout_ns,/.timeout_ns = INT64_MAX,/|a wait has no timeout
	ferry_migrate.c|s/\.madv = madv,/.madv = DRM_FERRY_MADV_WILLNEED,/|madvise always passes WILLNEED
	ferry_migrate.c|s/\*retained = args.retained;/*retained = 1;/|madvise always reports that the contents are retained
	ferry_migrate.c|s/if (!err && retained)/if (!err)/|madvise stores through NULL
	ferry_bo_map.c|s/if (!bo->map_count)$/if (1)/|each ferry_bo_map() creates a mapping
	ferry_bo_map.c|s/else if (!--bo->map_count)/else if (bo->map_count--)/|the first ferry_bo_unmap() removes the mapping
	ferry_bo_map.c|/^void ferry_bo_map_fini/,/^}/s/munmap.*;/;/|the mapping is not removed with the BO
	ferry_bo_map.c|s/if (!err) {/{/|a failed ferry_bo_map() is counted
	ferry_bo_map.c|s/if (flags & ~FERRY_MAP_POPULATE)/if (0)/|unknown flags of a mapping are accepted
	ferry_bo_map.c|s/if (flags & ~(DRM/if (0 \& (DRM/|unknown flags of a mapping of a part are accepted
	ferry_bo_map.c|s/flags & DRM_FERRY_MMAP_POPULATE,/0,/|FERRY_MAP_POPULATE is ignored
	ferry_bo_map.c|s/protection = PROT_READ;/;/|FERRY_MAP_READ_ONLY is ignored
	ferry_bo_map.c|s/offset + from/offset/|a mapping of a part begins at the first byte
	ferry_device.c|s/return order == 1;/return false;/|one open file has two devices
	ferry_device.c|/^static int ferry_same_file/,/^}/s/return -EPERM;/return 0;/|one open file has two devices, where files cannot be compared
	ferry_device.c|s/long order = fcntl.*/long order = -1;/|open files are compared with kcmp() alone
	ferry_device.c|s/pthread_mutex_init(&ferry_devices_lock, NULL);/;/|after fork() the mutex of the list stays locked
	ferry_device.c|s/return dev->generation == .*/return 0;/|a child can use the devices of its parent
	ferry_device.c|/^int ferry_close/,/^}/s/ferry_cancel_disable();/0;/|a thread can be cancelled in close()
	ferry_device.c|s/if (!is_new)/if (0)/|the duplicate of a known descriptor is leaked
	ferry_device.c|/^ferry_public void ferry_device_del/,/^}/s/ferry_close(dev->fd);//|the descriptor is leaked
	ferry_device.c|s/memset((char .)dst + known.*;/;/|unknown fields of a query are not cleared
	ferry_open.c|s/F_DUPFD_CLOEXEC/F_DUPFD/|the descriptor is not close-on-exec
	ferry_open.c|s/int own;/int own = fd;/;s/own = fcntl.*/;/|the caller's descriptor is not duplicated
	ferry_open.c|s/"renderD", path/"card", path/|the primary node is preferred
	ferry_open.c|s/fd < 0 .. fd > 2/1/|the descriptor can be that of standard input
	ferry_open.c|s/drmDropMaster(fd);/;/|the library keeps DRM master
	ferry_open.c|s/if (!(flags & FERRY_OPEN_DISPLAY))$/if (1)/|FERRY_OPEN_DISPLAY is ignored
	EOF
}

build_all()
{
	local number=0 line file script mistake dir flags

	flags="-Wno-all -O2 -g -fPIC -pthread -fvisibility=hidden -shared
		-D_FILE_OFFSET_BITS=64 -I$build/include -I$source/include
		$(pkg-config --cflags libdrm)"
	while IFS= read -r line; do
		[[ $line == *"$text"* ]] || continue
		file=${line%%|*}
		mistake=${line##*|}
		script=${line#*|}
		script=${script%|*}
		number=$((number + 1))
		dir=$out/$(printf %02d "$number")
		mkdir -p "$dir"
		cp "$source"/*.[ch] "$dir"
		sed -i "$script" "$dir/$file"
		if cmp -s "$source/$file" "$dir/$file"; then
			echo "mutants: no line of $file matches the mistake: $mistake" >&2
			exit 1
		fi
		echo "$mistake" >"$dir/mistake"
		# shellcheck disable=SC2086 # flags are meant to be split
		${CC:-cc} $flags -o "$dir/libdrm_ferry.so.1" "$dir"/ferry_*.c \
			-Wl,--version-script="$source/libdrm_ferry.map" \
			-Wl,-soname,libdrm_ferry.so.1 -ldrm
	done < <(mutants)
	echo "mutants: $number built in $out"
}

run_all()
{
	local survivors=0 dir name found

	for dir in "$out"/[0-9]*; do
		found=
		for name in open bo copy cache errors fork share display sync twins map threads; do
			if ! LD_LIBRARY_PATH=$dir timeout 60 \
				"$build/tests/device-$name" >/dev/null 2>&1; then
				found=device-$name
				break
			fi
		done
		if [ -n "$found" ]; then
			echo "detected by $found: $(cat "$dir/mistake")"
		else
			echo "NOT DETECTED: $(cat "$dir/mistake")"
			survivors=$((survivors + 1))
		fi
	done
	echo "mutants: $survivors not detected"
	[ "$survivors" -eq 0 ]
}

case $mode in
build) build_all ;;
run) run_all ;;
*) exit 2 ;;
esac
