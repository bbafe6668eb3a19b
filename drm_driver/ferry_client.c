// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-fence.h>
#include <linux/hashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>

#include <kunit/visibility.h>

#include "ferry_client.h"

/**
 * DOC: Clients
 *
 * A move is charged to the client whose call caused it, also if it evicts somebody
 * else's BO. TTM does not hand down who wants room, so it is looked up by task: each
 * call is noted for as long as it lasts. Moves outside of calls, such as those of a
 * suspend, are charged to nobody.
 */

/**
 * struct ferry_client_call - an ioctl that is under way
 */
struct ferry_client_call {
	/** @node: in ferry_client_calls, by @task */
	struct hlist_node node;
	/** @task: who calls */
	struct task_struct *task;
	/** @client: with which file */
	struct ferry_client *client;
};

static DEFINE_HASHTABLE(ferry_client_calls, 6);
static DEFINE_SPINLOCK(ferry_client_calls_lock);

static void ferry_client_begin(struct ferry_client_call *call, struct file *filp)
{
	struct drm_file *file = filp->private_data;

	call->task = current;
	call->client = file->driver_priv;
	spin_lock(&ferry_client_calls_lock);
	hash_add(ferry_client_calls, &call->node, (unsigned long)current);
	spin_unlock(&ferry_client_calls_lock);
}

static void ferry_client_end(struct ferry_client_call *call)
{
	spin_lock(&ferry_client_calls_lock);
	hash_del(&call->node);
	spin_unlock(&ferry_client_calls_lock);
}

/**
 * ferry_client_calling - whose call is this?
 *
 * Return: the client, there for as long as the call lasts; or NULL outside of calls.
 */
struct ferry_client *ferry_client_calling(void)
{
	struct ferry_client *client = NULL;
	struct ferry_client_call *call;

	spin_lock(&ferry_client_calls_lock);
	hash_for_each_possible(ferry_client_calls, call, node, (unsigned long)current) {
		if (call->task == current) {
			client = call->client;
			break;
		}
	}
	spin_unlock(&ferry_client_calls_lock);

	return client;
}

/**
 * ferry_client_ioctl - ioctl of the device file
 * @filp: the file
 * @cmd: which
 * @arg: its argument
 *
 * Return: as drm_ioctl().
 */
long ferry_client_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct ferry_client_call call;
	long ret;

	ferry_client_begin(&call, filp);
	ret = drm_ioctl(filp, cmd, arg);
	ferry_client_end(&call);
	return ret;
}

#ifdef CONFIG_COMPAT
/**
 * ferry_client_compat_ioctl - ioctl of the device file, of a 32 bit process
 * @filp: the file
 * @cmd: which
 * @arg: its argument
 *
 * Return: as drm_compat_ioctl().
 */
long ferry_client_compat_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct ferry_client_call call;
	long ret;

	ferry_client_begin(&call, filp);
	ret = drm_compat_ioctl(filp, cmd, arg);
	ferry_client_end(&call);
	return ret;
}
#endif

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
