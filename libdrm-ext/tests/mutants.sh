#!/bin/bash
# SPDX-License-Identifier: MIT
# Prove that the tests with a device can fail: build the library with one mistake at a time,
# and check that a test detects each of them.
#
# usage: mutants.sh build BUILD_DIR OUT_DIR    (after ninja -C BUILD_DIR)
#        mutants.sh run BUILD_DIR OUT_DIR      (where there is a device)
set -euo pipefail

mode=$1 build=$(realpath "$2") out=$3
source=$(realpath "$(dirname "$0")/..")

# file | sed script | the mistake
mutants()
{
	cat <<-'EOF'
	ferry_table.c|s/if (bo->handle == handle)/if (0)/|a lookup never finds a handle
	ferry_bo.c|s/\*out = ferry_bo_ref(bo)/*out = bo/|a lookup takes no reference to the BO
	ferry_bo.c|/ferry_table_remove/{n;d}|the handle is never closed
	ferry_bo.c|s/!ferry_refs_dec_unless_last(&bo->refs)/0/;s/fetch_sub(&bo->refs, 1) != 1/load(\&bo->refs) == 0/|the first drop of a reference frees the BO
	ferry_bo.c|/^ferry_public void ferry_bo_del/,/^}/s/ != 1)/ == 99)/|a BO that a lookup found before its last drop is freed
	ferry_bo.c|/int ferry_bo_from_dmabuf/,/^}/s/pthread_mutex_.*lock(.*//|an import does not take the lock
	ferry_bo.c|s/create.handle, create.size, bo/create.handle, size, bo/|the size is not rounded up
	ferry_bo.c|s/create.caching = .*;/;/|FERRY_BO_WC is ignored
	ferry_bo.c|s/create.flags |= .*;/;/|FERRY_BO_CONTIGUOUS is ignored
	ferry_bo.c|s/create.placement |= DRM_FERRY_PLACEMENT_APERTURE;/;/|FERRY_BO_START_APERTURE is ignored
	ferry_bo.c|s/if (flags & ~FERRY_BO_FLAGS)/if (0)/|unknown flags are accepted
	ferry_bo.c|s/\.placement = placement,/.placement = DRM_FERRY_PLACEMENT_SYSTEM,/|ferry_bo_migrate() always moves to system memory
	ferry_bo.c|s/args->count = count;/args->count = count > 1 ? count - 1 : 1;/|the last of several moves is left out
	ferry_bo.c|s/moves\[i\].bo->dev != dev/0/|BOs of another device are accepted
	ferry_bo.c|s/ || moves\[i\].flags//|unknown flags of a move are accepted
	ferry_bo.c|s/\*failed = args->failed_entry;/*failed = count;/|the failing entry is not reported
	ferry_bo.c|s/args->failed_entry = i;/;/|an entry that the library rejects is not reported
	ferry_bo.c|s/\.in_count = in_count,/.in_count = 0,/|in-syncs are ignored
	ferry_bo.c|s/\.out_count = out_count,/.out_count = 0,/|out-syncs are ignored
	ferry_bo.c|s/\.timeout_ns = timeout_ns,/.timeout_ns = 0,/|the timeout of a wait is ignored
	ferry_bo.c|s/\.timeout_ns = timeout_ns,/.timeout_ns = INT64_MAX,/|a wait has no timeout
	ferry_bo.c|s/\.madv = madv,/.madv = DRM_FERRY_MADV_WILLNEED,/|madvise always passes WILLNEED
	ferry_bo.c|s/\*retained = args.retained;/*retained = 1;/|madvise always reports that the contents are retained
	ferry_bo_map.c|s/if (!bo->map_count)/if (1)/|each ferry_bo_map() creates a mapping
	ferry_bo_map.c|s/else if (!--bo->map_count)/else if (bo->map_count--)/|the first ferry_bo_unmap() removes the mapping
	ferry_bo_map.c|/^void ferry_bo_map_fini/,/^}/s/munmap.*;/;/|the mapping is not removed with the BO
	ferry_bo_map.c|s/if (!err) {/{/|a failed ferry_bo_map() is counted
	ferry_device.c|s/order = syscall(SYS_kcmp.*;/return false;/|one open file has two devices
	ferry_device.c|s/F_DUPFD_CLOEXEC/F_DUPFD/|the descriptor is not close-on-exec
	ferry_device.c|s/int own = fcntl.*/int own = fd;/|the caller's descriptor is not duplicated
	ferry_device.c|s/DRM_NODE_RENDER, DRM_NODE_PRIMARY/DRM_NODE_PRIMARY, DRM_NODE_RENDER/|the primary node is preferred
	ferry_device.c|/^ferry_public void ferry_device_del/,/^}/s/close(dev->fd);//|the descriptor is leaked
	ferry_device.c|s/memset((char .)dst + known.*;/;/|unknown fields of a query are not cleared
	EOF
}

build_all()
{
	local number=0 line file script mistake dir flags

	flags="-Wno-all -O2 -g -fPIC -pthread -fvisibility=hidden -shared
		-D_FILE_OFFSET_BITS=64 -I$build/include -I$source/include
		$(pkg-config --cflags libdrm)"
	while IFS= read -r line; do
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
		for name in open bo errors sync twins map threads; do
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
