/* SPDX-License-Identifier: Apache-2.0
 *
 * unary - functions of one number. Of int8 they are tables, filled as TFLite's reference kernels compute: in fixed
 * point where those do (relu, leaky relu, hard swish, abs, rsqrt), in float where those do.
 */
#include "io/tflite/tflite.h"
#include "op/qscale.h"

#include <math.h>

typedef struct scales { float x, y; int32_t zx, zy; } scales;

static double relu_lo(int32_t code) { return code == TFL_RELU_N1_TO_1 ? -1 : 0; }
static double relu_hi(int32_t code) { return code == TFL_RELU6 ? 6 : code == TFL_RELU_N1_TO_1 ? 1 : HUGE_VAL; }
static bool is_relu(int32_t code) { return code == TFL_RELU || code == TFL_RELU6 || code == TFL_RELU_N1_TO_1; }

static void relu_table(int8_t *table, const scales *s, int32_t code)
{
	double hi = relu_hi(code);
	int32_t mult, shift, low = relu_lo(code) > -1000 * (double)s->y ? s->zy + (int32_t)roundf((float)relu_lo(code) / s->y) : -128;
	int32_t high = hi < 1000 * (double)s->y ? s->zy + (int32_t)roundf((float)hi / s->y) : 127;

	cop__multiplier_double(&mult, &shift, (double)(s->x / s->y));
	for (int q = -128; q < 128; q++)
		table[(uint8_t)q] = (int8_t)cop_clampi(cop__rescale_byte(q - s->zx, s->zy, mult, shift), COP_MAX(low, -128), COP_MIN(high, 127));
}

static void leaky_table(int8_t *table, const scales *s, float alpha)
{
	int32_t mult[2], shift[2];

	cop__multiplier_double(&mult[0], &shift[0], (double)(s->x / s->y));
	cop__multiplier_double(&mult[1], &shift[1], (double)(s->x * alpha / s->y));
	for (int q = -128; q < 128; q++) {
		int32_t d = q - s->zx, neg = d < 0;
		table[(uint8_t)q] = cop__rescale_byte(d, s->zy, mult[neg], shift[neg]);
	}
}

/* ---- hard swish in 16 bits ---- */

static int32_t sat16(int64_t v)
{
	return (int32_t)COP_MIN(32767, COP_MAX(-32768, v));
}

static int32_t high_mul16(int32_t a, int32_t b) /* (2ab + half) >> 16 */
{
	int32_t ab = a * b;
	return sat16((ab + (ab >= 0 ? 1 << 14 : 1 - (1 << 14))) / (1 << 15));
}

/* The upper half of a multiplier, rounded. */
static int32_t to16(int32_t m)
{
	return m >= INT32_MAX - (1 << 15) ? 32767 : (m + (1 << 15)) >> 16;
}

/* x times relu6(x + 3) / 6: `out` is x on the output's scale but for a shift; `part` becomes the second factor in Q15. */
static bool hard_swish_table(int8_t *table, const scales *s)
{
	float fine = 1.0f / 128 * s->x, unit = 3.0f / 32768;
	int32_t my, sy, mp, sp;

	cop__multiplier_double(&my, &sy, (double)(fine / s->y));
	cop__multiplier_double(&mp, &sp, (double)(fine / unit));
	if (sy > 0 || sp > 30) return false;
	for (int q = -128; q < 128; q++) {
		int32_t x = (q - s->zx) * 128, out = high_mul16(x, to16(my)), part = x;
		if (sp > 0) part = sat16((int64_t)part * ((int64_t)1 << (sp - 1)));
		part = high_mul16(part, to16(mp));
		if (sp > 0) part = sat16((int64_t)part * 2);
		if (sp < 0) part = cop_round_shift(part, -sp);
		part = (part + (1 << 15)) >> 1;
		int32_t y = cop_round_shift(part * out / (1 << 15), -sy);
		table[(uint8_t)q] = (int8_t)cop_clampi(y + s->zy, -128, 127);
	}
	return true;
}

/* ---- roots ---- */

/* 1 / sqrt(n) as m 2^(shift - 31), 0 < n < 2^28, by five steps of Newton in Q3 (gemmlowp's fixed-point arithmetic). */
static void inverse_root(int32_t *m, int32_t *shift, int32_t n)
{
	int32_t bits = 0, x = 1 << 28; /* 1 */

	*m = INT32_MAX, *shift = 0;
	if (n == 1) return;
	while (n << bits < 1 << 29) bits++;
	const int32_t fours = (bits + 1) / 2 - 1, in = (n << (2 * fours)) >> 1, half = cop_round_shift(in, 1), three_halves = (1 << 28) + (1 << 27);
	for (int i = 0; i < 5; i++) {
		int32_t cube = cop_high_mul(cop_high_mul(x, x), x) * (1 << 6);
		x = (cop_high_mul(three_halves, x) - cop_high_mul(half, cube)) * (1 << 3);
	}
	x = cop_high_mul(x, 1518500250); /* sqrt(1/2) */
	*m = fours > 11 ? x << (fours - 11) : x;
	*shift = COP_MIN(0, fours - 11);
}

static void rsqrt_table(int8_t *table, const scales *s)
{
	enum { FINE = 20 };
	int32_t mult, shift, m, up;

	cop__multiplier_double(&mult, &shift, 1 / (double)(sqrtf(s->x) * s->y));
	for (int q = -128; q < 128; q++) {
		int32_t d = q - s->zx;
		table[(uint8_t)q] = (int8_t)(d ? -128 : 127); /* below 0 there is no root */
		if (d < 1) continue;
		inverse_root(&m, &up, d);
		int32_t root = cop_scale_double(1, m, up + FINE);
		table[(uint8_t)q] = (int8_t)cop_clampi(cop_wrap_add(cop_scale_double(root, mult, COP_MAX(-31, shift - FINE)), s->zy), -128, 127);
	}
}

/* Cut, not rounded. */
static void sqrt_table(int8_t *table, const scales *s)
{
	for (int q = -128; q < 128; q++) {
		float y = q < s->zx ? -256 : sqrtf(s->x * (float)(q - s->zx)) / s->y;
		table[(uint8_t)q] = (int8_t)cop_clampi((int32_t)fminf(y, 512) + s->zy, -128, 127);
	}
}

static void abs_table(int8_t *table, const scales *s)
{
	int32_t mult, shift;

	cop__multiplier_double(&mult, &shift, (double)(s->x / s->y));
	for (int q = -128; q < 128; q++) {
		int32_t d = q < s->zx ? s->zx - q : q - s->zx;
		bool same = !(s->x < s->y) && !(s->x > s->y);
		table[(uint8_t)q] = same ? (int8_t)COP_MIN(127, d + s->zy) : cop__rescale_byte(d, s->zy, mult, shift);
	}
}

/* ---- through floats ---- */

static float function(int32_t code, float x)
{
	switch (code) {
	case TFL_LOGISTIC: return 1.0f / (1.0f + expf(-x));
	case TFL_TANH: return tanhf(x);
	case TFL_ELU: return x < 0 ? expm1f(x) : x;
	case TFL_EXP: return expf(x);
	case TFL_LOG: return logf(x);
	case TFL_SQUARE: return x * x;
	case TFL_HARD_SWISH: return x * fminf(fmaxf(x + 3, 0), 6) / 6; /* of scales that 16 bits don't carry, and TFLite doesn't take */
	default: return -x; /* neg */
	}
}

static void float_table(int8_t *table, const scales *s, int32_t code)
{
	float inverse = 1 / s->y;

	for (int q = -128; q < 128; q++) {
		float y = roundf(function(code, s->x * (float)(q - s->zx)) * inverse) + (float)s->zy;
		table[(uint8_t)q] = (int8_t)(y >= 127 ? 127 : y >= -128 ? (int32_t)y : -128); /* not a number: the least */
	}
}

static cop_status int_unary(cop_tfl *m, const cop_tfl_node *n, cop_vid x)
{
	int8_t table[256];
	scales s;

	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &s.x, &s.zx));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &s.y, &s.zy));
	float alpha = cop__fb_float(&n->options, LEAKY_RELU_ALPHA, 0);
	if (is_relu(n->code)) relu_table(table, &s, n->code);
	else if (n->code == TFL_LEAKY_RELU) leaky_table(table, &s, alpha);
	else if (n->code == TFL_ABS) abs_table(table, &s);
	else if (n->code == TFL_SQRT) sqrt_table(table, &s);
	else if (n->code == TFL_RSQRT) rsqrt_table(table, &s);
	else if (n->code != TFL_HARD_SWISH || !hard_swish_table(table, &s)) float_table(table, &s, n->code);
	return cop__tfl_set(m, n, 0, cop__tfl_lut(m, n, "table", x, table, COP_I8));
}

/* x of at least 0 by a table, below it times alpha: TFLite rescales the two by multipliers of their own. */
static cop_status int_prelu(cop_tfl *m, const cop_tfl_node *n)
{
	cop_qmul_attr q = {.qlo = -128, .qhi = 127};
	int8_t up[256], which[256];
	int32_t mult, shift;
	float sx, sa, sy;
	cop_vid v[2];

	COP_TRY(cop__tfl_bytes_pair(m, n, v));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &sx, &q.za));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 1), &sa, &q.zb));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &sy, &q.zy));
	cop__multiplier_double(&mult, &shift, (double)(sx / sy));
	cop__multiplier_bytes(&q.my, &q.sy, (double)(sx * sa / sy));
	for (int i = -128; i < 128; i++) {
		up[(uint8_t)i] = cop__rescale_byte(i - q.za, q.zy, mult, shift);
		which[(uint8_t)i] = i >= q.za;
	}
	cop_vid positive = cop__tfl_lut(m, n, "positive", v[0], up, COP_I8), first = cop__tfl_lut(m, n, "which", v[0], which, COP_U8);
	cop_vid low = cop__apply(m->g, OP_qmul, &q, VIDS(v[0], v[1]));
	return cop__tfl_set(m, n, 0, positive && first && low ? cop__apply(m->g, OP_where, NULL, VIDS(first, positive, low)) : 0);
}

/* max(x, 0) + alpha min(x, 0) */
cop_status cop__tfl_prelu(cop_tfl *m, const cop_tfl_node *n)
{
	static const cop_act_attr open = {COP_NO_LO, COP_NO_HI}, up = {0, COP_NO_HI}, down = {COP_NO_LO, 0};
	cop_vid x = cop__tfl_value(m, n, 0), alpha = x ? cop__tfl_value(m, n, 1) : 0;

	if (!alpha) return m->cx->code;
	if (cop__t(m->g, x)->dtype == COP_I8) return int_prelu(m, n);
	cop_vid low = cop__apply(m->g, OP_mul, &open, VIDS(cop__apply(m->g, OP_clip, &down, VIDS(x)), alpha));
	return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_add, &open, VIDS(cop__apply(m->g, OP_clip, &up, VIDS(x)), low)));
}

/* The function of one float as nodes. */
static cop_vid float_unary(cop_tfl *m, const cop_tfl_node *n, cop_vid x)
{
	static const cop_act_attr open = {COP_NO_LO, COP_NO_HI};
	const cop_act_attr act = {(float)relu_lo(n->code), (float)relu_hi(n->code)};
	cop_map_attr map = {MAP_NEG, n->code == TFL_LEAKY_RELU ? cop__fb_float(&n->options, LEAKY_RELU_ALPHA, 0) : 1, 0};

	switch (n->code) {
	case TFL_RELU: case TFL_RELU6: case TFL_RELU_N1_TO_1: return cop__apply(m->g, OP_clip, &act, VIDS(x));
	case TFL_LOGISTIC: return cop__apply(m->g, OP_sigmoid, NULL, VIDS(x));
	case TFL_TANH: return cop__apply(m->g, OP_tanh, NULL, VIDS(x));
	case TFL_HARD_SWISH: return cop__apply(m->g, OP_hswish, NULL, VIDS(x));
	case TFL_SQUARE: return cop__apply(m->g, OP_mul, &open, VIDS(x, x));
	case TFL_LEAKY_RELU: map.fn = MAP_LEAKYRELU; break;
	case TFL_ELU: map.fn = MAP_ELU; break;
	case TFL_EXP: map.fn = MAP_EXP; break;
	case TFL_LOG: map.fn = MAP_LOG; break;
	case TFL_SQRT: case TFL_RSQRT: map.fn = MAP_SQRT; break;
	case TFL_ABS: map.fn = MAP_ABS; break;
	default: break; /* neg */
	}
	x = cop__apply(m->g, OP_map, &map, VIDS(x));
	return n->code == TFL_RSQRT ? cop__apply(m->g, OP_map, &(cop_map_attr){MAP_RECIPROCAL, 0, 0}, VIDS(x)) : x;
}

/* ---- int16 ---- */

static cop_status wide_relu(cop_tfl *m, const cop_tfl_node *n, cop_vid x)
{
	cop_qrescale_attr a = {.to = COP_I16};
	scales s;

	COP_TRY(cop__tfl_scale(m, n, cop__tfl_in(m, n, 0), &s.x, &s.zx));
	COP_TRY(cop__tfl_scale(m, n, cop__tfl_out(m, n, 0), &s.y, &s.zy));
	double low = round(relu_lo(n->code) / (double)s.y), high = round(relu_hi(n->code) / (double)s.y);
	a.qlo = (int32_t)fmax(low, -32768), a.qhi = (int32_t)fmin(high, 32767);
	cop__multiplier_double(&a.mult, &a.shift, (double)(s.x / s.y));
	return cop__tfl_set(m, n, 0, cop__apply(m->g, OP_qrescale, &a, VIDS(x)));
}

static cop_status wide_unary(cop_tfl *m, const cop_tfl_node *n, cop_vid x)
{
	x = cop__tfl_to_floats(m, n, x);
	return cop__tfl_from_floats(m, n, x ? float_unary(m, n, x) : 0);
}

cop_status cop__tfl_unary(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	if (cop__t(m->g, x)->dtype == COP_I16) return is_relu(n->code) ? wide_relu(m, n, x) : wide_unary(m, n, x);
	return cop__t(m->g, x)->dtype == COP_I8 ? int_unary(m, n, x) : cop__tfl_set(m, n, 0, float_unary(m, n, x));
}
