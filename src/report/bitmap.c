/* SPDX-License-Identifier: Apache-2.0
 *
 * bitmap - pixels as an <img> with its data inside: a BMP of 24 bits in base64, which every browser shows and which needs no compression.
 */
#include "report/bitmap.h"
#include "report/report.h"

#include <math.h>

enum { HEAD = 54, SMALL = 96 }; /* pictures of at most so many pixels are shown with their pixels as squares */

/* ---- the file ---- */

static void put(uint8_t *to, uint32_t v, int bytes)
{
	for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(v >> 8 * i);
}

static void head(uint8_t out[HEAD], int32_t w, int32_t h, uint32_t size)
{
	memset(out, 0, HEAD);
	out[0] = 'B', out[1] = 'M';
	put(out + 2, HEAD + size, 4);
	put(out + 10, HEAD, 4); /* where the pixels begin */
	put(out + 14, 40, 4);   /* of the second header */
	put(out + 18, (uint32_t)w, 4);
	put(out + 22, (uint32_t)h, 4);
	put(out + 26, 1, 2);
	put(out + 28, 24, 2);
	put(out + 34, size, 4);
}

static void base64(cop_text *t, const uint8_t *p, size_t n)
{
	static const char letter[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
		const char four[] = {letter[v >> 18], letter[v >> 12 & 63], i + 1 < n ? letter[v >> 6 & 63] : '=', i + 2 < n ? letter[v & 63] : '='};
		cop__text_bytes(t, four, sizeof four);
	}
}

/* Rows from below, blue first, each padded to four bytes. */
static void pixels(uint8_t *to, const cop_bitmap *b, bool turned, size_t row)
{
	for (int32_t y = 0; y < b->h; y++)
		for (int32_t x = 0; x < b->w; x++) {
			const size_t line = (size_t)(turned ? x : b->h - 1 - y), place = (size_t)(turned ? y : x);
			for (int c = 0; c < 3; c++) to[line * row + 3 * place + (size_t)c] = b->rgb[3 * (y * b->w + x) + 2 - c];
		}
}

void cop__html_bitmap(cop_text *t, const cop_bitmap *b, int32_t side, const char *alt)
{
	const bool turned = cop__bitmap_turned(b->h, b->w);
	const int32_t h = turned ? b->w : b->h, w = turned ? b->h : b->w, longer = COP_MAX(w, h);
	const size_t row = ((size_t)w * 3 + 3) / 4 * 4, size = row * (size_t)h;
	uint8_t *file = cop__alloc(t->cx, HEAD + size);

	if (!file) {
		t->status = COP_NOMEM;
		return;
	}
	head(file, w, h, (uint32_t)size);
	pixels(file + HEAD, b, turned, row);
	cop__text_add(t, "<img%s alt=\"%s\" width=\"%d\" height=\"%d\" src=\"data:image/bmp;base64,", longer <= SMALL ? " class=\"px\"" : "", alt,
		COP_MAX((int32_t)((int64_t)side * w / longer), 1), COP_MAX((int32_t)((int64_t)side * h / longer), 1));
	base64(t, file, HEAD + size);
	cop__text_add(t, "\">");
	cop__free(t->cx, file);
}

/* ---- colours ---- */

void cop__map_colour(uint8_t rgb[3], float v)
{
	static const uint8_t stop[][3] = {{10, 8, 40}, {87, 16, 110}, {188, 55, 84}, {249, 142, 9}, {252, 255, 164}};
	float at = fminf(fmaxf(v, 0), 1) * (LEN(stop) - 1);
	int k = COP_MIN((int)at, LEN(stop) - 2);

	for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)lroundf((float)stop[k][c] + (at - (float)k) * (float)(stop[k + 1][c] - stop[k][c]));
}

static uint8_t level(float v) { return (uint8_t)lroundf(255 * fminf(fmaxf(v, 0), 1)); }

void cop__bitmap_picture(cop_bitmap *b, const float *picture, int32_t channels, float lo, float hi)
{
	for (int32_t i = 0; i < b->h * b->w; i++) {
		float mean = 0;
		for (int32_t c = 0; c < channels; c++) mean += picture[i * channels + c] / (float)channels;
		for (int c = 0; c < 3; c++) b->rgb[3 * i + c] = level(((channels == 3 ? picture[3 * i + c] : mean) - lo) / (hi - lo));
	}
}

void cop__bitmap_overlay(cop_bitmap *b, const float *map, float most)
{
	for (int32_t i = 0; i < b->h * b->w; i++) {
		uint8_t *p = b->rgb + 3 * i, colour[3];
		float v = most > 0 ? fminf(fmaxf(map[i] / most, 0), 1) : 0, part = 0.9f * powf(v, 0.6f);
		float grey = 20 + 0.6f * (0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2]);
		cop__map_colour(colour, v);
		for (int c = 0; c < 3; c++) p[c] = (uint8_t)lroundf(grey * (1 - part) + (float)colour[c] * part);
	}
}
