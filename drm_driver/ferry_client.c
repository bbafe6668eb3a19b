// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-fence.h>
#include <linux/slab.h>

#include <drm/drm_file.h>

#include <kunit/visibility.h>

#include "ferry_client.h"

/**
 * DOC: Clients
 *
 * The time of a copy is accounted to the client whose ioctl caused it: the copy of a BO that
 * the ioctl moves or creates, and the copies of the BOs that it evicts. &struct ferry_ctx
 * passes the client through TTM. Moves for the display, for another driver and for a suspend
 * are accounted to no client.
 */

/**
 * ferry_client_open - create the client of an open file
 * @drm: the device
 * @file: the file
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_client_open(struct drm_device *drm, struct drm_file *file)
{
	struct ferry_client *client;

	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (!client)
		return -ENOMEM;

	kref_init(&client->ref);
	file->driver_priv = client;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_client_open);

/**
 * ferry_client_close - drop the file's reference to its client
 * @drm: the device
 * @file: the file
 *
 * Jobs that were started still run; they hold references of their own.
 */
void ferry_client_close(struct drm_device *drm, struct drm_file *file)
{
	struct ferry_client *client = file->driver_priv;

	dma_fence_put(client->last);
	ferry_client_put(client);
}
EXPORT_SYMBOL_IF_KUNIT(ferry_client_close);

static void ferry_client_release(struct kref *ref)
{
	kfree(container_of(ref, struct ferry_client, ref));
}

/**
 * ferry_client_get - take a reference
 * @client: the client, or NULL
 *
 * Return: @client.
 */
struct ferry_client *ferry_client_get(struct ferry_client *client)
{
	if (client)
		kref_get(&client->ref);

	return client;
}

/**
 * ferry_client_put - drop a reference
 * @client: the client, or NULL
 */
void ferry_client_put(struct ferry_client *client)
{
	if (client)
		kref_put(&client->ref, ferry_client_release);
}

/**
 * ferry_client_account - account the time of a copy to a client
 * @client: client whose ioctl caused the copy, or NULL
 * @ns: duration of the copy in nanoseconds
 */
void ferry_client_account(struct ferry_client *client, u64 ns)
{
	if (client)
		atomic64_add(ns, &client->copy_ns);
}
