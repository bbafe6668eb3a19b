// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-fence.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_file.h>

#include <kunit/visibility.h>

#include "ferry_client.h"

/**
 * DOC: Clients
 *
 * A move is charged to the client that asked for it, or for the BO that it makes room
 * for. TTM does not hand down who wants room, so it is looked up by task: who places BOs
 * for a client is noted for as long as that lasts. Moves for the display, for another
 * driver or for a suspend are charged to nobody.
 */

static LIST_HEAD(ferry_client_calls);
static DEFINE_SPINLOCK(ferry_client_calls_lock);

/**
 * ferry_client_begin - charge the moves that come to a client
 * @call: the caller's, until ferry_client_end()
 * @file: the client's file
 */
void ferry_client_begin(struct ferry_client_call *call, struct drm_file *file)
{
	call->task = current;
	call->client = file->driver_priv;
	spin_lock(&ferry_client_calls_lock);
	list_add(&call->node, &ferry_client_calls);
	spin_unlock(&ferry_client_calls_lock);
}

/**
 * ferry_client_end - undo ferry_client_begin()
 * @call: the call
 */
void ferry_client_end(struct ferry_client_call *call)
{
	spin_lock(&ferry_client_calls_lock);
	list_del(&call->node);
	spin_unlock(&ferry_client_calls_lock);
}

/**
 * ferry_client_calling - for whom does this task place BOs?
 *
 * Return: the client, there until ferry_client_end(); or NULL.
 */
struct ferry_client *ferry_client_calling(void)
{
	struct ferry_client *client = NULL;
	struct ferry_client_call *call;

	spin_lock(&ferry_client_calls_lock);
	list_for_each_entry(call, &ferry_client_calls, node) {
		if (call->task == current) {
			client = call->client;
			break;
		}
	}
	spin_unlock(&ferry_client_calls_lock);

	return client;
}

/**
 * ferry_client_open - begin a client
 * @drm: the device
 * @file: its file
 *
 * Return: 0 or -ENOMEM.
 */
int ferry_client_open(struct drm_device *drm, struct drm_file *file)
{
	struct ferry_client *client;

	client = kzalloc(sizeof(*client), GFP_KERNEL);
	if (!client)
		return -ENOMEM;

	kref_init(&client->ref);
	file->driver_priv = client;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(ferry_client_open);

/**
 * ferry_client_close - end a client; its jobs go on
 * @drm: the device
 * @file: its file
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
 * ferry_client_get - take a reference, for what outlives a call
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
 * ferry_client_charge - note what a move has cost
 * @client: whose call caused it, or NULL if none did
 * @ns: nanoseconds
 */
void ferry_client_charge(struct ferry_client *client, u64 ns)
{
	if (client)
		atomic64_add(ns, &client->copy_ns);
}
