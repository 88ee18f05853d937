/* SPDX-License-Identifier: Apache-2.0
 *
 * unpack - whole files into memory: gzip by zlib, xz by liblzma, tar by ourselves. Every unpacked length is
 * capped, so that a small hostile file cannot fill the memory.
 */
#include "data/data.h"

#include <stdio.h>
#ifdef COP_HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef COP_HAVE_LZMA
#include <lzma.h>
#endif

enum { TAR_BLOCK = 512, COP_UNPACK_FREE = 64 << 20 /* bytes that any archive may hold */ };

void cop__blob_view(cop_blob *out, cop_ctx *cx, const char *path, const void *bytes, size_t size)
{
	*out = (cop_blob){.cx = cx, .bytes = bytes, .size = size};
	snprintf(out->path, sizeof out->path, "%s", path);
}

void cop__blob_free(cop_blob *b)
{
	if (b->cx) cop__free(b->cx, b->own);
	*b = (cop_blob){0};
}

#if defined(COP_HAVE_ZLIB) || defined(COP_HAVE_LZMA)
static void take(cop_blob *b, void *bytes, size_t size)
{
	cop__free(b->cx, b->own);
	b->own = bytes;
	b->bytes = bytes;
	b->size = size;
}

/* Room for the next piece of output: doubles, up to max. The byte beyond max tells "more than max". */
static cop_status more_room(cop_blob *b, uint8_t **out, size_t *cap, size_t used, size_t max)
{
	if (used < *cap) return COP_OK;
	if (used > max) return cop__error(b->cx, COP_FORMAT, "%s: unpacks to more than %zu bytes", b->path, max);
	size_t want = COP_MIN(COP_MAX(*cap * 2, COP_MAX(b->size * 4, (size_t)65536)), max + 1);
	uint8_t *p = cop__realloc(b->cx, *out, *cap, want);
	if (!p) return COP_NOMEM;
	*out = p;
	*cap = want;
	return COP_OK;
}
#endif

#ifdef COP_HAVE_ZLIB
static cop_status gzip_run(z_stream *z, uint8_t **out, size_t *used, cop_blob *b, size_t max)
{
	size_t cap = 0, in = 0;
	int rc = Z_OK;

	while (rc != Z_STREAM_END) {
		COP_TRY(more_room(b, out, &cap, *used, max));
		uInt room = (uInt)COP_MIN(cap - *used, (size_t)1 << 30),
		     feed = (uInt)COP_MIN(b->size - in, (size_t)1 << 30);
		z->next_in = (Bytef *)(uintptr_t)(b->bytes + in);
		z->avail_in = feed;
		z->next_out = *out + *used;
		z->avail_out = room;
		rc = inflate(z, Z_NO_FLUSH);
		in += feed - z->avail_in;
		*used += room - z->avail_out;
		if (rc == Z_MEM_ERROR)
			return cop__error(b->cx, COP_NOMEM, "%s: out of memory while it is unpacked", b->path);
		if (rc == Z_BUF_ERROR || (rc == Z_OK && in == b->size && z->avail_out))
			return cop__error(
			        b->cx, COP_FORMAT, "%s: the gzip stream ends at byte %zu, it is cut off", b->path, in);
		if (rc != Z_OK && rc != Z_STREAM_END)
			return cop__error(b->cx, COP_FORMAT, "%s: byte %zu: not a valid gzip stream", b->path, in);
	}
	if (*used > max) return cop__error(b->cx, COP_FORMAT, "%s: unpacks to more than %zu bytes", b->path, max);
	return COP_OK;
}

static cop_status gunzip(cop_blob *b, size_t max)
{
	z_stream z = {0};
	uint8_t *out = NULL;
	size_t used = 0;

	if (inflateInit2(&z, 15 + 16) != Z_OK) return cop__error(b->cx, COP_NOMEM, "%s: zlib does not start", b->path);
	cop_status st = gzip_run(&z, &out, &used, b, max);
	inflateEnd(&z);
	if (st) cop__free(b->cx, out);
	else take(b, out, used);
	return st;
}
#else
static cop_status gunzip(cop_blob *b, size_t max)
{
	(void)max;
	return cop__error(b->cx, COP_FORMAT, "%s is gzip, but this build has no zlib", b->path);
}
#endif

#ifdef COP_HAVE_LZMA
static cop_status xz_run(lzma_stream *z, uint8_t **out, size_t *used, cop_blob *b, size_t max)
{
	size_t cap = 0;
	lzma_ret rc = LZMA_OK;

	z->next_in = b->bytes;
	z->avail_in = b->size;
	while (rc != LZMA_STREAM_END) {
		COP_TRY(more_room(b, out, &cap, *used, max));
		z->next_out = *out + *used;
		z->avail_out = cap - *used;
		rc = lzma_code(z, LZMA_FINISH);
		*used = cap - z->avail_out;
		if (rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR)
			return cop__error(b->cx, COP_NOMEM, "%s: needs too much memory to unpack", b->path);
		if (rc == LZMA_BUF_ERROR)
			return cop__error(b->cx, COP_FORMAT, "%s: the xz stream ends at byte %zu, it is cut off",
			        b->path, b->size);
		if (rc != LZMA_OK && rc != LZMA_STREAM_END)
			return cop__error(b->cx, COP_FORMAT, "%s: byte %zu: not a valid xz stream", b->path,
			        b->size - z->avail_in);
	}
	if (*used > max) return cop__error(b->cx, COP_FORMAT, "%s: unpacks to more than %zu bytes", b->path, max);
	return COP_OK;
}

static cop_status unxz(cop_blob *b, size_t max)
{
	lzma_stream z = LZMA_STREAM_INIT;
	uint8_t *out = NULL;
	size_t used = 0;

	if (lzma_stream_decoder(&z, (uint64_t)256 << 20, 0) != LZMA_OK)
		return cop__error(b->cx, COP_NOMEM, "%s: liblzma does not start", b->path);
	cop_status st = xz_run(&z, &out, &used, b, max);
	lzma_end(&z);
	if (st) cop__free(b->cx, out);
	else take(b, out, used);
	return st;
}
#else
static cop_status unxz(cop_blob *b, size_t max)
{
	(void)max;
	return cop__error(b->cx, COP_FORMAT, "%s is xz, but this build has no liblzma", b->path);
}
#endif

cop_status cop__blob_unpack(cop_blob *b, size_t max)
{
	static const uint8_t xz[6] = {0xfd, '7', 'z', 'X', 'Z', 0};

	/* Tables, pictures and sounds shrink 2 to 20 times; a file that grows more than that was made to fill the memory. */
	max = COP_MIN(max ? max : (size_t)1 << 30, COP_MAX((size_t)COP_UNPACK_FREE, b->size < SIZE_MAX / 100 ? 100 * b->size : SIZE_MAX));
	if (b->size >= 2 && b->bytes[0] == 0x1f && b->bytes[1] == 0x8b) return gunzip(b, max);
	if (b->size >= 6 && !memcmp(b->bytes, xz, 6)) return unxz(b, max);
	return COP_OK;
}

cop_status cop__blob_load(cop_blob *out, cop_ctx *cx, const char *path, size_t max)
{
	*out = (cop_blob){.cx = cx};
	snprintf(out->path, sizeof out->path, "%s", path);
	COP_TRY(cop_file_read(&out->own, &out->size, cx, path, max));
	out->bytes = out->own;
	cop_status st = out->size ? cop__blob_unpack(out, max) : cop__error(cx, COP_FORMAT, "%s: is empty; a download or a copy was cut short; make it again", path);
	if (st) cop__blob_free(out);
	return st;
}

/* ---- tar: 512-byte headers, numbers in octal text (POSIX.1-1988 ustar) ---- */

static bool octal(size_t *out, const uint8_t *p, int n)
{
	size_t v = 0;
	int i = 0;

	while (i < n && p[i] == ' ') i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) v = v * 8 + (size_t)(p[i] - '0');
	*out = v;
	return i == n || p[i] == ' ' || p[i] == 0;
}

static bool header_sum_fits(const uint8_t *h)
{
	size_t want, sum = 0;

	for (int i = 0; i < TAR_BLOCK; i++)
		sum += i >= 148 && i < 156 ? (size_t)' ' : h[i]; /* the field counts as blanks */
	return octal(&want, h + 148, 8) && want == sum;
}

static bool all_zero(const uint8_t *h)
{
	for (int i = 0; i < TAR_BLOCK; i++)
		if (h[i]) return false;
	return true;
}

cop_status cop__tar_next(cop_blob *entry, bool *more, const cop_blob *tar, size_t *at)
{
	*more = false;
	while (tar->size - *at >= TAR_BLOCK) {
		const uint8_t *h = tar->bytes + *at;
		size_t size, from = *at + TAR_BLOCK;

		if (all_zero(h)) return COP_OK;
		if (!header_sum_fits(h))
			return cop__error(tar->cx, COP_FORMAT, "%s: byte %zu: not a tar header (its sum is wrong)",
			        tar->path, *at);
		if (!octal(&size, h + 124, 12))
			return cop__error(tar->cx, COP_FORMAT, "%s: byte %zu: a tar member of unreadable length",
			        tar->path, *at + 124);
		if (size > tar->size - from)
			return cop__error(tar->cx, COP_FORMAT,
			        "%s: byte %zu: a tar member of %zu bytes, but only %zu are left", tar->path, *at, size,
			        tar->size - from);
		size_t padded = (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
		*at = padded > tar->size - from ? tar->size : from + padded;
		if (h[156] != '0' && h[156] != 0) continue;
		*entry = (cop_blob){.cx = tar->cx, .bytes = tar->bytes + from, .size = size};
		bool prefix = !memcmp(h + 257, "ustar", 5) && h[345];
		snprintf(entry->path, sizeof entry->path, "%.155s%s%.100s", prefix ? (const char *)h + 345 : "",
		        prefix ? "/" : "", (const char *)h);
		*more = true;
		return COP_OK;
	}
	return COP_OK;
}
