/* SPDX-License-Identifier: Apache-2.0
 *
 * make.h - files for the tests of data, made by hand: temporary folders, gzip and PNG without compression, WAV, tar.
 */
#ifndef COP_TEST_DATA_MAKE_H
#define COP_TEST_DATA_MAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct bytes { uint8_t *at; size_t n, cap; } bytes;

static inline void add(bytes *b, const void *p, size_t n)
{
	while (b->n + n > b->cap) b->at = realloc(b->at, b->cap = b->cap * 2 + n + 64);
	if (n) memcpy(b->at + b->n, p, n);
	b->n += n;
}
static inline void add_be32(bytes *b, uint32_t v)
{
	uint8_t p[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	add(b, p, 4);
}
static inline void add_le(bytes *b, uint32_t v, int n)
{
	for (int i = 0; i < n; i++, v >>= 8) add(b, &(uint8_t){(uint8_t)v}, 1);
}
static inline void drop(bytes *b)
{
	free(b->at);
	*b = (bytes){0};
}

static inline uint32_t crc32_of(const void *p, size_t n)
{
	uint32_t c = ~0u;
	for (size_t i = 0; i < n; i++) {
		c ^= ((const uint8_t *)p)[i];
		for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
	}
	return ~c;
}

/* deflate blocks that are stored as they are */
static inline void add_stored(bytes *b, const uint8_t *p, size_t n)
{
	do {
		size_t k = n < 60000 ? n : 60000;
		add(b, &(uint8_t){k == n}, 1);
		add_le(b, (uint32_t)k, 2);
		add_le(b, ~(uint32_t)k, 2);
		add(b, p, k);
		p += k, n -= k;
	} while (n);
}
static inline bytes gzip_of(const void *p, size_t n)
{
	bytes b = {0};
	add(&b, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	add_stored(&b, p, n);
	add_le(&b, crc32_of(p, n), 4);
	add_le(&b, (uint32_t)n, 4);
	return b;
}
static inline void add_chunk(bytes *b, const char *type, const void *p, size_t n)
{
	bytes c = {0};
	add_be32(b, (uint32_t)n);
	add(&c, type, 4);
	add(&c, p, n);
	add(b, c.at, c.n);
	add_be32(b, crc32_of(c.at, c.n));
	drop(&c);
}
/* 8-bit PNG, channels 1, 3 */
static inline bytes png_of(const uint8_t *pixels, uint32_t h, uint32_t w, int channels)
{
	bytes b = {0}, head = {0}, raw = {0}, z = {0};
	uint32_t s1 = 1, s2 = 0;

	for (uint32_t y = 0; y < h; y++) {
		add(&raw, "", 1);
		add(&raw, pixels + y * w * channels, w * channels);
	}
	for (size_t i = 0; i < raw.n; i++) s1 = (s1 + raw.at[i]) % 65521, s2 = (s2 + s1) % 65521;
	add(&z, "\x78\x01", 2);
	add_stored(&z, raw.at, raw.n);
	add_be32(&z, s2 << 16 | s1);
	add_be32(&head, w), add_be32(&head, h);
	add(&head, (uint8_t[]){8, channels == 1 ? 0 : 2, 0, 0, 0}, 5);
	add(&b, "\x89PNG\r\n\x1a\n", 8);
	add_chunk(&b, "IHDR", head.at, head.n);
	add_chunk(&b, "IDAT", z.at, z.n);
	add_chunk(&b, "IEND", "", 0);
	drop(&head), drop(&raw), drop(&z);
	return b;
}
/* 16-bit PCM */
static inline bytes wav_of(const int16_t *v, uint32_t frames, uint32_t rate, uint32_t channels)
{
	bytes b = {0};
	uint32_t n = frames * channels * 2;

	add(&b, "RIFF", 4), add_le(&b, 36 + n, 4), add(&b, "WAVEfmt ", 8), add_le(&b, 16, 4), add_le(&b, 1, 2),
	        add_le(&b, channels, 2);
	add_le(&b, rate, 4), add_le(&b, rate * channels * 2, 4), add_le(&b, channels * 2, 2), add_le(&b, 16, 2);
	add(&b, "data", 4), add_le(&b, n, 4), add(&b, v, n);
	return b;
}
static inline void add_tar(bytes *b, const char *name, const void *p, size_t n)
{
	uint8_t h[512] = {0};
	unsigned sum = 0;

	snprintf((char *)h, 100, "%s", name);
	snprintf((char *)h + 124, 12, "%011o", (unsigned)n);
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++) sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	add(b, h, 512);
	add(b, p, n);
	memset(h, 0, 512);
	add(b, h, (512 - n % 512) % 512);
}

static inline void write_at(const char *folder, const char *name, const void *p, size_t n)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	for (char *s = path + 1; *s; s++)
		if (*s == '/') {
			*s = 0;
			mkdir(path, 0777);
			*s = '/';
		}
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}
static inline void write_bytes(const char *folder, const char *name, bytes b)
{
	write_at(folder, name, b.at, b.n);
	drop(&b);
}

static inline char *temp_folder(void)
{
	const char *t = getenv("TMPDIR");
	char text[512];
	snprintf(text, sizeof text, "%s/cop-data-XXXXXX", t && *t ? t : "/tmp");
	char *p = strdup(text);
	assert_non_null(mkdtemp(p));
	return p;
}
/* Only what lies below a folder of temp_folder. */
static inline void remove_folder(char *p)
{
	char cmd[600];
	assert_non_null(strstr(p, "/cop-data-"));
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", p);
	assert_int_equal(system(cmd), 0);
	free(p);
}

/* A reader that the build lacks is no failure of the reader. */
static inline bool lacking(cop_ctx *cx)
{
	return strstr(cop_error_text(cx), "this build has no") != NULL;
}
static inline void assert_says(cop_ctx *cx, const char *part)
{
	if (!strstr(cop_error_text(cx), part)) fail_msg("'%s' does not say '%s'", cop_error_text(cx), part);
}

#endif
