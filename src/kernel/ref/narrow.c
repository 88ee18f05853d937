/* SPDX-License-Identifier: Apache-2.0
 *
 * narrow - fc and conv that read their weights in place from a BYTES or HALF blob (layouts in blob.h). Sums run as in fc.c and
 * conv.c, so that the result is that of the dense kernels on the same weights.
 */
#include "kernel/blob.h"
#include "kernel/kernel.h"
#include "kernel/math.h"

typedef struct narrow {
	cop_bytes_blob bytes; /* scale 0: half floats */
	const uint16_t *half;
} narrow;

static narrow narrow_of(const void *blob, int32_t rows)
{
	narrow w = {cop_bytes_of(blob, rows), 0};
	return w;
}

static narrow halves_of(const void *blob)
{
	narrow w = {{0, 0}, blob};
	return w;
}

/* Weight i of all, in row o. */
static inline float weight(const narrow *w, int32_t o, int32_t i)
{
	return w->bytes.scale ? w->bytes.scale[o] * (float)w->bytes.code[i] : cop_from_half(w->half[i]);
}

static void fc(const cop_call *c, narrow w)
{
	const int32_t *k = c->k;
	float *y = c->buf[0];
	const float *x = c->buf[1], *b = c->buf[3];
	int32_t in = k[FK_IN], out = k[FK_OUT], from = cop_from(c, out, 1), to = cop_to(c, out, 1);

	for (int32_t n = 0; n < k[FK_N]; n++)
		for (int32_t o = from; o < to; o++) {
			float s = b ? b[o] : 0;
			for (int32_t i = 0; i < in; i++) s += x[n * in + i] * weight(&w, o, o * in + i);
			y[n * out + o] = cop_clampf(s, cop_f(k[FK_LO]), cop_f(k[FK_HI]));
		}
}

/* One output element; x: the image, from the group's first channel on. */
static float dot(const int32_t *k, const float *x, const narrow *w, int32_t o, int32_t oh, int32_t ow, float s)
{
	int32_t cg = k[CK_C] / k[CK_G], taps = k[CK_KH] * k[CK_KW];

	for (int32_t t = 0; t < taps; t++) {
		int32_t h = oh * k[CK_SH] - k[CK_PT] + t / k[CK_KW] * k[CK_DH], v = ow * k[CK_SW] - k[CK_PL] + t % k[CK_KW] * k[CK_DW];
		if (h < 0 || h >= k[CK_H] || v < 0 || v >= k[CK_W]) continue;
		const float *a = x + (h * k[CK_W] + v) * k[CK_C];
		for (int32_t c = 0; c < cg; c++) s += a[c] * weight(w, o, (o * taps + t) * cg + c);
	}
	return s;
}

static void conv(const cop_call *call, narrow w)
{
	const int32_t *k = call->k;
	const float *b = call->buf[3];
	int32_t rows = k[CK_N] * k[CK_OH], from = cop_from(call, rows, 1), to = cop_to(call, rows, 1), og = k[CK_O] / k[CK_G], cg = k[CK_C] / k[CK_G];
	float *y = (float *)call->buf[0] + (size_t)from * (size_t)k[CK_OW] * (size_t)k[CK_O];

	for (int32_t r = from; r < to; r++)
		for (int32_t ow = 0; ow < k[CK_OW]; ow++)
			for (int32_t o = 0; o < k[CK_O]; o++) {
				const float *x = (const float *)call->buf[1] + (size_t)(r / k[CK_OH]) * (size_t)(k[CK_H] * k[CK_W] * k[CK_C]) + o / og * cg;
				*y++ = cop_clampf(dot(k, x, &w, o, r % k[CK_OH], ow, b ? b[o] : 0), cop_f(k[CK_LO]), cop_f(k[CK_HI]));
			}
}

void cop_fc_bytes(const cop_call *c) { fc(c, narrow_of(c->buf[2], c->k[FK_OUT])); }
void cop_fc_half(const cop_call *c) { fc(c, halves_of(c->buf[2])); }
void cop_conv_bytes(const cop_call *c) { conv(c, narrow_of(c->buf[2], c->k[CK_O])); }
void cop_conv_half(const cop_call *c) { conv(c, halves_of(c->buf[2])); }
