/* SPDX-License-Identifier: Apache-2.0
 *
 * qgrad - gradients of int8 convolutions, in floats: integers are widened, and the float kernels do the rest. A weight is widened where it is
 * packed, x in each call. What is element by element (qback, qstep, inside) has the bits of the portable kernels; sums have those of the float ones.
 */
#include "kernel/qstep.h"
#include "kernel/vec/conv.h"
#include "kernel/vec/vmath.h"

/* y = x - zx; y has room for whole vectors. */
static void widen(float *y, const int8_t *x, long n, int32_t zx)
{
	const v z = splat((float)zx);
	for (long i = 0; i < n; i += VW) ST(y + i, __builtin_convertvector(get_i8(x + i), v) - z);
}

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }
static size_t wide_bytes(long n) { return whole_lines((size_t)n * sizeof(float)) + 64; } /* floats may be read past their end */
static long weights_of(const int32_t *k) { return (long)k[CK_O] * k[CK_KH] * k[CK_KW] * (k[CK_C] / k[CK_G]); }
static long inputs_of(const int32_t *k) { return (long)k[CK_N] * k[CK_H] * k[CK_W] * k[CK_C]; }

/* ---- the float kernels: dwconv.c, dwconv_dw.c; conv_dx.c, conv_dw.c ---- */

bool VN(dwconv_fits)(const int32_t *k);
#define SIZE(x) size_t VN(x)(const int32_t *k);
#define CALL(x) void VN(x)(const cop_call *c);
#define ROWS(x) void VN(x)(const cop_call *c, long *from, long *to);
SIZE(dwconv_pack_bytes) SIZE(dwconv_dw_work) CALL(dwconv_dx_pack) CALL(dwconv_dx_f32) CALL(dwconv_dw_f32) ROWS(dwconv_dw_rows)
SIZE(conv_dx_pack_bytes) SIZE(conv_dx_work) SIZE(conv_dw_work) CALL(conv_dx_pack) CALL(conv_dx_f32) CALL(conv_dw_f32) ROWS(conv_dw_rows)

typedef struct float_kernels {
	size_t (*pack_bytes)(const int32_t *k), (*dx_work)(const int32_t *k), (*dw_work)(const int32_t *k);
	void (*pack)(const cop_call *c), (*dx)(const cop_call *c), (*dw)(const cop_call *c);
	void (*dw_rows)(const cop_call *c, long *from, long *to); /* that a part computes */
} float_kernels;

static size_t none(const int32_t *k) { return (void)k, 0; }

static const float_kernels depthwise = {VN(dwconv_pack_bytes), none, VN(dwconv_dw_work), VN(dwconv_dx_pack), VN(dwconv_dx_f32), VN(dwconv_dw_f32), VN(dwconv_dw_rows)};
static const float_kernels dense = {VN(conv_dx_pack_bytes), VN(conv_dx_work), VN(conv_dw_work), VN(conv_dx_pack), VN(conv_dx_f32), VN(conv_dw_f32), VN(conv_dw_rows)};

static const float_kernels *of(const int32_t *k) { return VN(dwconv_fits)(k) ? &depthwise : &dense; }

bool VN(qgrad_fits)(const int32_t *k) { return cv_dense(k) || VN(dwconv_fits)(k); }

/* ---- the input's ---- */

static size_t packed_bytes(const int32_t *k) { return whole_lines(of(k)->pack_bytes(k)); }

size_t VN(qconv_dx_pack_bytes)(const int32_t *k) { return packed_bytes(k) + wide_bytes(weights_of(k)); }
size_t VN(qconv_dx_work)(const int32_t *k) { return of(k)->dx_work(k); }

/* What the float kernel packs, then the floats. All by the first part, since packing reads floats that others would write. */
void VN(qconv_dx_pack)(const cop_call *c)
{
	float *w = (float *)((char *)c->work + packed_bytes(c->k));
	void *buf[] = {NULL, NULL, w};
	const cop_call in = {.buf = buf, .k = c->k, .work = c->work, .parts = 1};

	if (c->part) return;
	widen(w, c->buf[2], weights_of(c->k), 0);
	of(c->k)->pack(&in);
}

void VN(qconv_dx_f32)(const cop_call *c)
{
	void *buf[] = {c->buf[0], c->buf[1], (char *)c->pack + packed_bytes(c->k)};
	const cop_call in = {.buf = buf, .k = c->k, .work = c->work, .pack = c->pack, .part = c->part, .parts = c->parts};

	of(c->k)->dx(&in);
}

/* ---- the weights' ---- */

static size_t dw_work(const int32_t *k) { return whole_lines(of(k)->dw_work(k)); }

size_t VN(qconv_dw_work)(const int32_t *k) { return dw_work(k) + wide_bytes(inputs_of(k)); }

/* The rows of this part; work: x in floats after what the float kernel needs. */
static void weights_grad(const cop_call *c, float *dw, const void *dy, const int8_t *x)
{
	float *floats = (float *)((char *)c->work + dw_work(c->k));
	void *buf[] = {dw, (void *)(uintptr_t)dy, floats, NULL};
	const cop_call in = {.buf = buf, .k = c->k, .work = c->work, .part = c->part, .parts = c->parts};

	widen(floats, x, inputs_of(c->k), c->k[QD_ZX]);
	of(c->k)->dw(&in);
}

void VN(qconv_dw_f32)(const cop_call *c) { weights_grad(c, c->buf[0], c->buf[1], c->buf[2]); }

/* ---- weights moved along it ---- */

typedef struct mover { float lr; int32_t round; uint32_t seed, step; } mover;

/* cop_floor */
AI vi floor_of(v d)
{
	d = choose(d == d, vmin(vmax(d, splat(-(1 << 30))), splat(1 << 30)), (v){0});
	const vi whole = __builtin_convertvector(d, vi);
	return whole + (__builtin_convertvector(whole, v) > d);
}

/* cop_q_move */
AI vi move_of(const mover *m, v d, vi w, vw by_chance)
{
	if (m->round == COP_Q_NEAREST) return floor_of(d + 0.5f);
	const vi down = floor_of(d);
	v back = __builtin_convertvector(down, v);
	if (m->round == COP_Q_STOCHASTIC) {
		const v part = __builtin_convertvector((vi)(by_chance >> 8), v) * (1.0f / 16777216);
		return down - (part < d - back);
	}
	return down - ((w > down) & (back != d) & (d == d));
}

/* n weights, the first the at-th of all; by: what their gradient is multiplied with. */
static void move_row(const mover *m, int8_t *w1, const int8_t *w, const float *dw, float by, long n, uint32_t at, uint32_t hash)
{
	for (long i = 0; i < n; i += VW) {
		v d = by * LD(dw + i);
		KEEP(d);
		const vi old = get_i8(w + i), to = old - move_of(m, d, old, vhash32(hash, (vw)lanes() + (at + (uint32_t)i)));
		put_i8(w1 + i, imin(-imin(-to, splati(127)), splati(127)), lmin(VW, n - i));
	}
}

/* Rows [from, to) of cols weights each; dw: of row 0. */
static void move_rows(const mover *m, int8_t *w1, const int8_t *w, const float *dw, const float *per, long from, long to, long cols)
{
	const uint32_t hash = cop_hash32_of(m->seed, m->step, 0);

	for (long r = from; r < to; r++) move_row(m, w1 + r * cols, w + r * cols, dw + r * cols, m->lr * per[r], cols, (uint32_t)(r * cols), hash);
}

static uint32_t step_in(const void *p) { return p ? *(const uint32_t *)p : 0; }

void VN(qstep_i8)(const cop_call *c)
{
	const int32_t *k = c->k;
	const mover m = {*(const float *)c->buf[3], k[QG_ROUND], (uint32_t)k[QG_SEED], step_in(c->buf[5])};

	move_rows(&m, c->buf[0], c->buf[1], c->buf[2], c->buf[4], cop_from(c, k[QG_ROWS], 1), cop_to(c, k[QG_ROWS], 1), k[QG_COLS]);
}

size_t VN(qconv_step_work)(const int32_t *k) { return VN(qconv_dw_work)(k) + wide_bytes(weights_of(k)); }

/* A part has rows of its own of the gradient, which no other part sees. */
void VN(qconv_step_i8)(const cop_call *c)
{
	const int32_t *k = c->k;
	const mover m = {*(const float *)c->buf[4], k[QE_ROUND], (uint32_t)k[QE_SEED], step_in(c->buf[6])};
	float *dw = (float *)((char *)c->work + VN(qconv_dw_work)(k));
	long from, to;

	weights_grad(c, dw, c->buf[2], c->buf[3]);
	of(k)->dw_rows(c, &from, &to);
	move_rows(&m, c->buf[0], c->buf[1], dw, c->buf[5], from, to, weights_of(k) / k[CK_O]);
}

/* ---- element by element ---- */

/* -1 in the lanes whose bits are set; i: a multiple of VW. */
AI vi lanes_in(const uint8_t *bits, long i)
{
	int32_t word = bits[i / 8];
	if (VW > 8) word |= bits[i / 8 + 1] << 8;
	const vi of = splati(VW < 8 ? word >> (i % 8) : word) & (vi)(((vw){0} + 1) << (vw)lanes());
	return of != 0;
}

void VN(qback_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long n = k[QZ_C], bytes = (n + 7) / 8;
	const float *scale = c->buf[2];

	for (long r = cop_from(c, k[QZ_ROWS], 1), to = cop_to(c, k[QZ_ROWS], 1); r < to; r++) {
		const float *dy = (const float *)c->buf[1] + r * n;
		float *dx = (float *)c->buf[0] + r * n;
		const uint8_t *in = c->buf[3] ? (const uint8_t *)c->buf[3] + r * bytes : NULL;
		for (long i = 0; i < n; i += VW) {
			v d = LD(dy + i) * (k[QZ_STEP] ? LD(scale + i) : splat(*scale));
			if (in) d = (v)((vi)d & lanes_in(in, i));
			put(dx + i, d, lmin(VW, n - i));
		}
	}
}

/* Bit i of the result: is y[i] inside? Eight bytes at a time, each of which leaves its bit, and the product adds them up in its last byte. */
static uint8_t eight(const int8_t *y, int32_t lo, int32_t hi)
{
	uint64_t bits = 0;
	int8_t is[8];

	for (int i = 0; i < 8; i++) is[i] = (int8_t)-((y[i] > lo) & (y[i] < hi));
	memcpy(&bits, is, 8);
	return (uint8_t)(((bits & 0x8040201008040201u) * 0x0101010101010101u) >> 56);
}

void VN(inside_i8)(const cop_call *c)
{
	const int32_t *k = c->k;
	const long n = k[QI_C], bytes = (n + 7) / 8;

	for (long r = cop_from(c, k[QI_ROWS], 1), to = cop_to(c, k[QI_ROWS], 1); r < to; r++) {
		const int8_t *y = (const int8_t *)c->buf[1] + r * n;
		uint8_t *in = (uint8_t *)c->buf[0] + r * bytes;
		for (long b = 0; b < bytes; b++) in[b] = eight(y + 8 * b, k[QI_LO], k[QI_HI]);
		if (n % 8) in[bytes - 1] &= (uint8_t)((1 << (n % 8)) - 1);
	}
}
