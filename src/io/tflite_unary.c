/* SPDX-License-Identifier: Apache-2.0
 *
 * tflite_unary - functions of one number. Of int8 they are tables, filled as TFLite's reference kernels compute: in fixed
 * point where those do (relu, leaky relu, hard swish), in float where those do.
 */
#include "io/tflite.h"
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

/* ---- through floats ---- */

static float function(int32_t code, float x)
{
	switch (code) {
	case TFL_LOGISTIC: return 1.0f / (1.0f + expf(-x));
	case TFL_TANH: return tanhf(x);
	case TFL_ELU: return x < 0 ? expm1f(x) : x;
	case TFL_EXP: return expf(x);
	case TFL_LOG: return logf(x);
	case TFL_SQRT: return sqrtf(x);
	case TFL_RSQRT: return 1 / sqrtf(x);
	case TFL_SQUARE: return x * x;
	case TFL_ABS: return fabsf(x);
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
	if (!(s.x / s.y < 1 << 10) || (n->code == TFL_LEAKY_RELU && !(fabsf(s.x * alpha / s.y) < 1 << 10)))
		return cop__tfl_fail(m, n, "the input's scale is %g of the output's, which is beyond what integers carry", (double)(s.x / s.y));
	if (is_relu(n->code)) relu_table(table, &s, n->code);
	else if (n->code == TFL_LEAKY_RELU) leaky_table(table, &s, alpha);
	else if (n->code != TFL_HARD_SWISH) float_table(table, &s, n->code);
	else if (!hard_swish_table(table, &s)) return cop__tfl_fail(m, n, "scales %g and %g are not supported", (double)s.x, (double)s.y);
	return cop__tfl_set(m, n, 0, cop__tfl_lut(m, n, "table", x, table, COP_I8));
}

/* max(x, 0) + alpha min(x, 0) */
cop_status cop__tfl_prelu(cop_tfl *m, const cop_tfl_node *n)
{
	static const cop_act_attr open = {COP_NO_LO, COP_NO_HI}, up = {0, COP_NO_HI}, down = {COP_NO_LO, 0};
	cop_vid x = cop__tfl_value(m, n, 0), alpha = x ? cop__tfl_value(m, n, 1) : 0;

	if (!alpha) return m->cx->code;
	if (cop__t(m->g, x)->dtype == COP_I8) return cop__tfl_fail(m, n, "is supported for floats only");
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

cop_status cop__tfl_unary(cop_tfl *m, const cop_tfl_node *n)
{
	cop_vid x = cop__tfl_value(m, n, 0);

	if (!x) return m->cx->code;
	return cop__t(m->g, x)->dtype == COP_I8 ? int_unary(m, n, x) : cop__tfl_set(m, n, 0, float_unary(m, n, x));
}
