// SPDX-License-Identifier: MIT
/*
 * Copies from and to write-combining memory.
 *
 * An ordinary load from write-combining memory is a bus transaction of its own, as it is with
 * uncached memory. Streaming loads (MOVNTDQA) fetch 64 bytes at once, if all loads of an aligned
 * block of 64 bytes follow each other. Stores are combined in any case; streaming stores do not
 * read the old contents where the memory is cached.
 *
 * On cached memory streaming loads are ordinary loads. So the memory type of a BO, which can
 * change with each move, does not matter for the result.
 */

#include "ferry_copy.h"

#include <stdint.h>
#include <string.h>

static void plain_copy(void *dst, const void *src, size_t size)
{
	memcpy(dst, src, size);
}

static bool plain_usable(void)
{
	return true;
}

#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>

/*
 * The same code for blocks of one register of 16 or 32 bytes. The ends of a read that are no
 * whole block pass through a block on the stack, so that all loads are aligned and streaming.
 */
#define DEFINE_COPIES(NAME, TARGET, VECTOR, STREAM_LOAD, LOAD, STREAM, STORE)   \
	TARGET static size_t NAME##_part(char *dst, const char *src,            \
					 size_t size)                           \
	{                                                                       \
		size_t skip = (uintptr_t)src % sizeof(VECTOR);                  \
		size_t part = sizeof(VECTOR) - skip;                            \
		char block[sizeof(VECTOR)];                                     \
                                                                                \
		STORE((VECTOR *)block,                                          \
		      STREAM_LOAD((const VECTOR *)(src - skip)));               \
		if (part > size)                                                \
			part = size;                                            \
		memcpy(dst, block + skip, part);                                \
		return part;                                                    \
	}                                                                       \
                                                                                \
	TARGET static void NAME##_read(void *to, const void *from,              \
				       size_t size)                             \
	{                                                                       \
		const char *src = from;                                         \
		char *dst = to;                                                 \
                                                                                \
		/* Streaming loads may pass earlier stores of other devices. */ \
		_mm_mfence();                                                   \
		if (size && (uintptr_t)src % sizeof(VECTOR)) {                  \
			size_t part = NAME##_part(dst, src, size);              \
                                                                                \
			dst += part;                                            \
			src += part;                                            \
			size -= part;                                           \
		}                                                               \
		for (; size >= 4 * sizeof(VECTOR);                              \
		     size -= 4 * sizeof(VECTOR)) {                              \
			const VECTOR *in = (const VECTOR *)src;                 \
			VECTOR a = STREAM_LOAD(in), b = STREAM_LOAD(in + 1);    \
			VECTOR c = STREAM_LOAD(in + 2);                         \
			VECTOR d = STREAM_LOAD(in + 3);                         \
			VECTOR *out = (VECTOR *)dst;                            \
                                                                                \
			STORE(out, a);                                          \
			STORE(out + 1, b);                                      \
			STORE(out + 2, c);                                      \
			STORE(out + 3, d);                                      \
			src += 4 * sizeof(VECTOR);                              \
			dst += 4 * sizeof(VECTOR);                              \
		}                                                               \
		while (size) {                                                  \
			size_t part = NAME##_part(dst, src, size);              \
                                                                                \
			dst += part;                                            \
			src += part;                                            \
			size -= part;                                           \
		}                                                               \
	}                                                                       \
                                                                                \
	TARGET static void NAME##_write(void *to, const void *from,             \
					size_t size)                            \
	{                                                                       \
		const char *src = from;                                         \
		char *dst = to;                                                 \
		size_t head = -(uintptr_t)dst % sizeof(VECTOR);                 \
                                                                                \
		if (head > size)                                                \
			head = size;                                            \
		memcpy(dst, src, head);                                         \
		dst += head;                                                    \
		src += head;                                                    \
		size -= head;                                                   \
		for (; size >= 4 * sizeof(VECTOR);                              \
		     size -= 4 * sizeof(VECTOR)) {                              \
			const VECTOR *in = (const VECTOR *)src;                 \
			VECTOR a = LOAD(in), b = LOAD(in + 1);                  \
			VECTOR c = LOAD(in + 2), d = LOAD(in + 3);              \
			VECTOR *out = (VECTOR *)dst;                            \
                                                                                \
			STREAM(out, a);                                         \
			STREAM(out + 1, b);                                     \
			STREAM(out + 2, c);                                     \
			STREAM(out + 3, d);                                     \
			src += 4 * sizeof(VECTOR);                              \
			dst += 4 * sizeof(VECTOR);                              \
		}                                                               \
		memcpy(dst, src, size);                                         \
		/* Later stores, such as a flag, must not pass these. */        \
		_mm_sfence();                                                   \
	}

/* The intrinsics of some compilers take a pointer that is not const. */
#define STREAM_LOAD_128(p) _mm_stream_load_si128((__m128i *)(uintptr_t)(p))
#define STREAM_LOAD_256(p) _mm256_stream_load_si256((__m256i *)(uintptr_t)(p))

DEFINE_COPIES(sse41, __attribute__((target("sse4.1"))), __m128i,
	      STREAM_LOAD_128, _mm_loadu_si128, _mm_stream_si128,
	      _mm_storeu_si128)
DEFINE_COPIES(avx2, __attribute__((target("avx2"))), __m256i, STREAM_LOAD_256,
	      _mm256_loadu_si256, _mm256_stream_si256, _mm256_storeu_si256)

static bool sse41_usable(void)
{
	return __builtin_cpu_supports("sse4.1");
}

static bool avx2_usable(void)
{
	return __builtin_cpu_supports("avx2");
}

#endif

const struct ferry_copier ferry_copiers[] = {
#if defined(__x86_64__) || defined(__i386__)
	{ "avx2", avx2_usable, avx2_read, avx2_write },
	{ "sse4.1", sse41_usable, sse41_read, sse41_write },
#endif
	{ "plain", plain_usable, plain_copy, plain_copy },
};

const size_t ferry_nr_copiers =
	sizeof(ferry_copiers) / sizeof(ferry_copiers[0]);

const struct ferry_copier *ferry_copier(void)
{
	const struct ferry_copier *copier = ferry_copiers;

	while (!copier->usable())
		copier++;
	return copier;
}
