/* SPDX-License-Identifier: Apache-2.0
 *
 * bits_net.h - random networks of signs: a convolution of any sizes, padding and pools, and fully connected layers, with batch norm between them; and blocks with shortcuts.
 */
#ifndef TESTS_PASS_BITS_NET_H
#define TESTS_PASS_BITS_NET_H

#include "help.h"
#include "pass/lower.h"

static const cop_act_attr bits_free = {COP_NO_LO, COP_NO_HI};

static inline float bits_drawn(uint64_t stream, uint64_t i) { return cop__rand_unit(11, stream, i) * 2 - 1; }

enum { NOWHERE, BEFORE, BEHIND }; /* a pool: before batch norm, or behind it */
typedef struct bits_shape {
	int32_t batch, h, w, c, o, k, stride, pad, fill; /* fill 0: the convolution's own padding, of zeros */
	int pool;
	bool scale, bias, fixed;                         /* fixed: a gamma of 0 and below 0 among them */
} bits_shape;

static const bits_shape bits_nets[] = {
        {1, 7, 6, 5, 3, 3, 1, 0, 0, NOWHERE, false, false, true},
        {2, 8, 9, 33, 40, 3, 1, 1, -1, NOWHERE, true, false, true},
        {1, 9, 8, 64, 17, 3, 2, 1, 1, NOWHERE, true, true, true},
        {3, 6, 6, 13, 9, 2, 1, 1, 0, NOWHERE, true, false, true},
        {1, 8, 8, 32, 21, 3, 1, 1, -1, BEFORE, true, true, true},
        {2, 9, 7, 19, 32, 3, 1, 1, 0, BEFORE, false, false, true},
        {1, 8, 8, 40, 35, 3, 1, 1, -1, BEHIND, true, false, true},
        {1, 5, 5, 1, 1, 1, 1, 0, 0, BEHIND, false, true, false},
        {4, 4, 4, 100, 70, 1, 1, 0, 0, NOWHERE, true, false, true},
};

static inline cop_vid bits_constant(cop_graph *g, const char *name, int32_t rank, const int32_t *dim, const float *x)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	return cop__data(g, COP_PARAM, name, &t, x);
}

/* Plus or minus a scale by filter, of few digits, so that float sums are exact. */
static inline cop_vid bits_weight(cop_graph *g, const char *name, int32_t rank, const int32_t *dim, bool scale)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	int64_t n = cop_type_count(&t), each = n / dim[0];
	float *w = malloc(sizeof *w * (size_t)n);

	for (int64_t i = 0; i < n; i++) {
		float s = scale ? (float)(1 + cop__rand(5, 1, (uint64_t)(i / each)) % 255) / 1024 : 1;
		w[i] = cop__rand(5, cop__hash_text(name), (uint64_t)i) % 2 ? s : -s;
	}
	cop_vid v = bits_constant(g, name, rank, dim, w);
	free(w);
	return v;
}

/* As large as sums of n signs are, so that both bits come about. */
static inline cop_vid bits_norm(cop_graph *g, const char *name, cop_vid x, int32_t n, bool fixed)
{
	int32_t c = cop__t(g, x)->dim[cop__t(g, x)->rank - 1];
	float *p = malloc(sizeof *p * 4 * (size_t)c);
	cop_vid in[5] = {x};
	char part[32];

	for (int32_t i = 0; i < c; i++) {
		uint64_t at = (uint64_t)i;
		p[i] = fixed && i % 5 == 3 ? 0 : bits_drawn(cop__hash_text(name), at) * 2;
		p[c + i] = bits_drawn(1, at), p[2 * c + i] = bits_drawn(2, at) * sqrtf((float)n), p[3 * c + i] = (1.1f + bits_drawn(3, at)) * (float)n;
	}
	for (int i = 0; i < 4; i++) {
		snprintf(part, sizeof part, "%s.%d", name, i);
		in[i + 1] = bits_constant(g, part, 1, &c, p + i * c);
	}
	free(p);
	return cop__apply(g, OP_bn, &(cop_bn_attr){1e-5f, 0.1f, COP_NO_LO, COP_NO_HI}, 5, in);
}

static inline cop_vid bits_sign(cop_graph *g, cop_vid x) { return cop__apply(g, OP_sign, &(cop_sign_attr){0}, VIDS(x)); }

static inline cop_vid bits_pool(cop_graph *g, cop_vid x) { return cop__apply(g, OP_maxpool, &(cop_pool_attr){3, 2, 2, 2, 1, 0, 0, 1, 0}, VIDS(x)); }

static inline cop_vid bits_convolved(cop_graph *g, const bits_shape *t, cop_vid x)
{
	int32_t p = t->fill ? 0 : t->pad;
	cop_conv_attr a = {t->stride, t->stride, p, p, p, p, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	cop_pad_attr border = {{0, t->pad, t->pad, 0}, {0, t->pad, t->pad, 0}, (float)t->fill};
	cop_vid w = bits_weight(g, "conv.w", 4, DIMS(t->o, t->k, t->k, t->c), t->scale), b = 0;
	float *bias = malloc(sizeof *bias * (size_t)t->o);

	for (int32_t i = 0; i < t->o; i++) bias[i] = bits_drawn(8, (uint64_t)i) * 3;
	if (t->bias) b = bits_constant(g, "conv.b", 1, &t->o, bias);
	free(bias);
	if (t->fill) x = cop__apply(g, OP_pad, &border, VIDS(x));
	x = cop__apply(g, OP_conv, &a, b ? 3 : 2, (const cop_vid[]){x, w, b});
	if (t->pool == BEFORE) x = bits_pool(g, x);
	x = bits_norm(g, "conv.bn", x, t->k * t->k * t->c, t->fixed);
	return t->pool == BEHIND ? bits_pool(g, x) : x;
}

/* Signs of x, a convolution, a fully connected layer between signs, and one whose sums are the answer. */
static inline cop_graph *bits_network(cop_ctx *cx, const bits_shape *t)
{
	cop_graph *g;
	cop_type xt = cop__type(COP_F32, 4, DIMS(t->batch, t->h, t->w, t->c));

	OK(cx, cop__graph_new(&g, cx, "signs"));
	cop_vid x = cop__input(g, "x", &xt);
	x = bits_sign(g, bits_convolved(g, t, bits_sign(g, x)));
	x = cop__apply(g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x));
	int32_t n = cop__t(g, x)->dim[1];
	x = cop__apply(g, OP_fc, &bits_free, VIDS(x, bits_weight(g, "fc1.w", 2, DIMS(37, n), t->scale)));
	x = bits_sign(g, bits_norm(g, "fc1.bn", x, n, t->fixed));
	x = cop__apply(g, OP_fc, &bits_free, VIDS(x, bits_weight(g, "fc2.w", 2, DIMS(11, 37), t->scale)));
	OK(cx, cop__output(g, bits_norm(g, "fc2.bn", x, 37, false), "y"));
	return g;
}

/* ---- blocks with shortcuts ---- */

enum { BITS_SIDE = 6, BITS_C = 24 };

static inline cop_vid bits_vector(cop_graph *g, const char *name, float size, float middle)
{
	float v[BITS_C];

	for (int i = 0; i < BITS_C; i++) v[i] = middle + size * bits_drawn(cop__hash_text(name), (uint64_t)i);
	return bits_constant(g, name, 1, DIMS(BITS_C), v);
}

/* ReActNet's block. */
static inline cop_vid bits_block(cop_graph *g, cop_vid x, const char *name)
{
	const cop_conv_attr a = {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	const cop_pad_attr border = {{0, 1, 1, 0}, {0, 1, 1, 0}, -1};
	char part[6][32];

	for (int i = 0; i < 6; i++) snprintf(part[i], sizeof part[i], "%s.%s", name, ((const char *const[]){"shift", "w", "bn", "slope", "knee", "lift"})[i]);
	cop_vid y = cop__apply(g, OP_add, &bits_free, VIDS(x, bits_vector(g, part[0], 0.5f, 0)));
	y = cop__apply(g, OP_conv, &a, VIDS(cop__apply(g, OP_pad, &border, VIDS(bits_sign(g, y))), bits_weight(g, part[1], 4, DIMS(BITS_C, 3, 3, BITS_C), true)));
	y = cop__apply(g, OP_add, &bits_free, VIDS(x, bits_norm(g, part[2], y, 9 * BITS_C, true)));
	return cop__apply(g, OP_rprelu, NULL, VIDS(y, bits_vector(g, part[3], 0.6f, 0.3f), bits_vector(g, part[4], 0.5f, 0), bits_vector(g, part[5], 0.5f, 0)));
}

static inline cop_graph *bits_blocks(cop_ctx *cx, const char *first, const char *second)
{
	cop_graph *g;
	cop_type t = cop__type(COP_F32, 4, DIMS(1, BITS_SIDE, BITS_SIDE, BITS_C));

	OK(cx, cop__graph_new(&g, cx, "blocks"));
	cop_vid x = bits_block(g, cop__input(g, "x", &t), first);
	OK(cx, cop__output(g, second ? bits_block(g, x, second) : x, "y"));
	return g;
}

/* Of bytes: x with one range, every other value with another. */
static inline cop_graph *bits_lowered(cop_ctx *cx, const cop_graph *bits, cop_qrange rx, cop_qrange ry)
{
	cop_qrange *act = calloc((size_t)bits->n_value + 1, sizeof *act);
	cop_qlayer *layer = calloc((size_t)bits->n_node + 1, sizeof *layer);
	cop_graph *out;

	for (int32_t v = 1; v <= bits->n_value; v++)
		if (cop__t(bits, v)->dtype == COP_F32 && !cop__floats(bits, v)) act[v] = (cop_vid)v == bits->input[0] ? rx : ry;
	OK(cx, cop__lower(&out, &(cop_lowering){.g = bits, .act = act, .layer = layer}));
	OK(cx, cop_graph_verify(out));
	free(act), free(layer);
	return out;
}

#endif
