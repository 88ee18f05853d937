/* SPDX-License-Identifier: Apache-2.0
 *
 * graphs.h - small random graphs: a seed is a graph. Layers are drawn from a table and read values from a pool, so that some values
 * live long, some have several readers, and many chances come up to compute in place. Pictures are [1,h,w,c]. Names are drawn from
 * those that other parts of the program make up (v3, x_1, ...), so that they clash where they can.
 */
#ifndef TESTS_RANDOM_GRAPHS_H
#define TESTS_RANDOM_GRAPHS_H

#include "emit/int8_net.h"

enum { POOL = 24, MOST_ELEMENTS = 6000, MOST_CHANNELS = 32 };

typedef struct drawn { cop_graph *g; uint64_t seed, at; cop_vid pool[POOL], shared; int n; } drawn;

static inline uint32_t draw(drawn *z, uint32_t below) { return cop__rand(z->seed, 77, z->at++) % below; }
static inline int32_t between(drawn *z, int32_t least, int32_t most) { return least + (int32_t)draw(z, (uint32_t)(most - least + 1)); }
static inline bool chance(drawn *z, uint32_t percent) { return draw(z, 100) < percent; }
static inline float unit(drawn *z) { return (float)draw(z, 1 << 20) / (1 << 19) - 1; }

/* A name that nothing has. */
static inline const char *new_name(drawn *z, char buf[40])
{
	static const char *const stem[] = {"x", "v", "_", "y", "out", "conv", "net_input", "a.b", "w", "K", "t_v"};

	do snprintf(buf, 40, "%s%s%d", stem[draw(z, LEN(stem))], chance(z, 30) ? "_" : "", between(z, 0, 40));
	while (cop__find(z->g, buf));
	return buf;
}

/* How many of a hundred weights are zero. */
static inline int32_t draw_zeros(drawn *z) { return chance(z, 30) ? between(z, 40, 99) : 0; }

static inline cop_vid floats(drawn *z, cop_role role, int32_t rank, const int32_t *dim, float middle, float spread)
{
	cop_type t = cop__type(COP_F32, rank, dim);
	int64_t n = cop_type_count(&t);
	float *data = malloc((size_t)n * 4);
	char name[40];

	for (int64_t i = 0; i < n; i++) data[i] = middle + spread * unit(z);
	for (int64_t i = 0, zeros = rank > 1 && middle == 0 ? draw_zeros(z) : 0; i < n; i++)
		if (between(z, 0, 99) < zeros) data[i] = 0;
	cop_vid v = cop__data(z->g, role, new_name(z, name), &t, data);
	free(data);
	return v;
}

static inline const int32_t *dims(const drawn *z, cop_vid v) { return cop__t(z->g, v)->dim; }
static inline bool same_shape(const drawn *z, cop_vid a, cop_vid b) { return cop__same_shape(cop__t(z->g, a), cop__t(z->g, b)); }

/* Another value of the pool that fits, or the value itself. */
static inline cop_vid partner(drawn *z, cop_vid x)
{
	for (int i = 0; i < 2 * POOL; i++) {
		cop_vid v = z->pool[draw(z, (uint32_t)z->n)];
		if (v != x && same_shape(z, v, x)) return v;
	}
	return x;
}

/* A window that fits n: its length, stride, padding before and after, each drawn. */
typedef struct window { int32_t k, s, before, after, dil; } window;
static inline window draw_window(drawn *z, int32_t n, int32_t most, bool dilated)
{
	window w = {.k = between(z, 1, most), .s = between(z, 1, 3), .dil = dilated && chance(z, 25) ? between(z, 2, 3) : 1};

	if (chance(z, 50)) w.k = COP_MIN(3, most);
	if (chance(z, 50)) w.s = 1;
	int32_t reach = (w.k - 1) * w.dil + 1;
	if (chance(z, 60)) w.before = w.after = w.k / 2 * w.dil;
	else {
		w.before = between(z, 0, w.k - 1);
		w.after = between(z, 0, w.k - 1);
	}
	if (n + w.before + w.after < reach) w = (window){1, 1, 0, 0, 1};
	return w;
}

static inline cop_act_attr draw_act(drawn *z)
{
	static const cop_act_attr acts[] = {{COP_NO_LO, COP_NO_HI}, {COP_NO_LO, COP_NO_HI}, {0, COP_NO_HI}, {0, 6}, {-1, 1}};
	return acts[draw(z, LEN(acts))];
}

/* How many groups go into both counts. */
static inline int32_t draw_groups(drawn *z, int32_t c, int32_t *out)
{
	switch (draw(z, 4)) {
	case 0: *out = c * (chance(z, 20) ? 2 : 1); return c;
	case 1: if (c % 2 == 0) { *out += *out % 2; return 2; } return 1;
	default: return 1;
	}
}

/* ---- layers of floats; 0: does not fit ---- */

static inline cop_vid draw_conv(drawn *z, cop_vid x)
{
	const int32_t *d = dims(z, x);
	int32_t out = between(z, 1, 20), c = d[3], groups = draw_groups(z, c, &out), most = groups == c ? 7 : 5;
	window h = draw_window(z, d[1], most, true), w = chance(z, 60) ? h : draw_window(z, d[2], most, true);
	cop_act_attr act = draw_act(z);

	if (d[2] + w.before + w.after < (w.k - 1) * w.dil + 1) return 0;
	cop_conv_attr a = {h.s, w.s, h.before, w.before, h.after, w.after, h.dil, w.dil, groups, act.lo, act.hi};
	const int32_t dim[] = {out, h.k, w.k, c / groups};
	cop_vid k = z->shared;
	if (!k || memcmp(dims(z, k), dim, sizeof dim)) k = floats(z, COP_PARAM, 4, dim, 0, 1.7f / sqrtf((float)(h.k * w.k * c / groups)));
	if (chance(z, 50)) z->shared = k;
	cop_vid b = chance(z, 70) ? floats(z, COP_PARAM, 1, &out, 0, 0.3f) : 0;
	return cop__apply(z->g, OP_conv, &a, b ? 3 : 2, (const cop_vid[]){x, k, b});
}

static inline cop_vid draw_binary(drawn *z, cop_vid x)
{
	static const int ops[] = {OP_add, OP_add, OP_sub, OP_mul, OP_max, OP_min};
	const int32_t *d = dims(z, x);
	int op = ops[draw(z, LEN(ops))];
	cop_act_attr act = draw_act(z);
	cop_vid y = partner(z, x);

	if (chance(z, 25)) y = floats(z, COP_CONST, 1, &d[3], 0.5f, 1);
	if (chance(z, 10)) y = floats(z, COP_CONST, 4, DIMS(1, 1, 1, 1), 0.5f, 1);
	if (chance(z, 10)) y = floats(z, COP_CONST, 4, DIMS(1, d[1], 1, d[3]), 0.5f, 1);
	return chance(z, 50) ? cop__apply(z->g, op, &act, VIDS(x, y)) : cop__apply(z->g, op, &act, VIDS(y, x));
}

static inline cop_vid draw_unary(drawn *z, cop_vid x)
{
	static const int ops[] = {OP_sigmoid, OP_tanh, OP_gelu, OP_hswish};
	static const int maps[] = {MAP_NEG, MAP_ABS, MAP_ELU, MAP_LEAKYRELU, MAP_SOFTPLUS};
	cop_act_attr act = draw_act(z);

	if (chance(z, 40)) return cop__apply(z->g, OP_clip, act.lo == COP_NO_LO ? &(cop_act_attr){0, COP_NO_HI} : &act, VIDS(x));
	if (chance(z, 40)) return cop__apply(z->g, OP_map, &(cop_map_attr){maps[draw(z, LEN(maps))], 0.3f, 0.6f}, VIDS(x));
	return cop__apply(z->g, ops[draw(z, LEN(ops))], NULL, VIDS(x));
}

static inline cop_vid draw_pool(drawn *z, cop_vid x)
{
	const int32_t *d = dims(z, x);
	window h = draw_window(z, d[1], 4, false), w = draw_window(z, d[2], 4, false);
	cop_pool_attr a = {h.k, w.k, h.s, w.s, h.before, w.before, h.after, w.after, (int32_t)draw(z, 2)};

	if (a.pt >= a.kh || a.pb >= a.kh || a.pl >= a.kw || a.pr >= a.kw) return 0;
	/* a window that lies in padding alone has no maximum */
	if (a.kh - a.pt < 1 || (d[1] + a.pt + a.pb - a.kh) / a.sh * a.sh - a.pt >= d[1] || (d[2] + a.pl + a.pr - a.kw) / a.sw * a.sw - a.pl >= d[2]) return 0;
	return cop__apply(z->g, chance(z, 50) ? OP_maxpool : OP_avgpool, &a, VIDS(x));
}

static inline cop_vid draw_bn(drawn *z, cop_vid x)
{
	int32_t c = dims(z, x)[3];
	cop_act_attr act = draw_act(z);
	cop_bn_attr a = {1e-3f, 0.1f, act.lo, act.hi};
	cop_vid gamma = floats(z, COP_PARAM, 1, &c, 0.7f, 0.5f), beta = floats(z, COP_PARAM, 1, &c, 0, 0.5f), mean = floats(z, COP_STATE, 1, &c, 0, 0.5f);
	return cop__apply(z->g, OP_bn, &a, VIDS(x, gamma, beta, mean, floats(z, COP_STATE, 1, &c, 1, 0.6f)));
}

/* Squeeze and excite: a gate for each channel. */
static inline cop_vid draw_gate(drawn *z, cop_vid x)
{
	int32_t c = dims(z, x)[3];
	cop_conv_attr a = {1, 1, 0, 0, 0, 0, 1, 1, 1, COP_NO_LO, COP_NO_HI};
	cop_vid m = cop__apply(z->g, OP_reduce, &(cop_reduce_attr){chance(z, 70) ? REDUCE_MEAN : REDUCE_MAX, 6, 1}, VIDS(x));

	m = cop__apply(z->g, OP_conv, &a, VIDS(m, floats(z, COP_PARAM, 4, DIMS(c, 1, 1, c), 0, 0.5f)));
	return cop__apply(z->g, OP_mul, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, cop__apply(z->g, OP_sigmoid, NULL, VIDS(m))));
}

static inline cop_vid draw_rows(drawn *z, cop_vid x)
{
	int32_t c = dims(z, x)[3];

	if (chance(z, 50)) return cop__apply(z->g, OP_softmax, NULL, VIDS(x));
	return cop__apply(z->g, OP_layernorm, &(cop_layernorm_attr){1e-3f, (int32_t)draw(z, 2)}, VIDS(x, floats(z, COP_PARAM, 1, &c, 1, 0.5f)));
}

/* A recurrent layer over the rows of the picture, pixel after pixel; its states are the picture's channels then. */
static inline cop_vid draw_rnn(drawn *z, cop_vid x)
{
	static const struct { int cell, gates, act[3]; } cells[] = {{RNN_LSTM, 4, {RNN_SIGMOID, RNN_TANH, RNN_TANH}}, {RNN_GRU, 3, {RNN_SIGMOID, RNN_TANH, 0}},
		{RNN_GRU_AFTER, 3, {RNN_SIGMOID, RNN_TANH, 0}}, {RNN_PLAIN, 1, {RNN_TANH, 0, 0}}};
	int kind = (int)draw(z, LEN(cells)), g = cells[kind].gates;
	int32_t h = dims(z, x)[1], w = dims(z, x)[2], c = dims(z, x)[3], u = between(z, 1, 12), biases = (kind == 2 ? 4 : g) * u;
	cop_rnn_attr a = {.cell = cells[kind].cell, .reverse = (int32_t)draw(z, 2)};

	if (h * w > 80) return 0;
	memcpy(a.act, cells[kind].act, sizeof a.act);
	cop_vid s = cop__apply(z->g, OP_reshape, &(cop_shape_attr){3, {0, h * w, c}}, VIDS(x));
	cop_vid in = floats(z, COP_PARAM, 2, DIMS(g * u, c), 0, 1.2f / sqrtf((float)c)), r = floats(z, COP_PARAM, 2, DIMS(g * u, u), 0, 1.2f / sqrtf((float)u));
	cop_nid n = cop__node(z->g, OP_rnn, &a, VIDS(s, in, r, floats(z, COP_PARAM, 1, &biases, 0, 0.3f)));
	cop_vid y = n ? cop__want_out(z->g, n, 1) : 0;
	return y ? cop__apply(z->g, OP_reshape, &(cop_shape_attr){4, {0, h, w, -1}}, VIDS(y)) : 0;
}

/* ---- layers that move numbers, of either kind ---- */

static inline cop_vid draw_concat(drawn *z, cop_vid x)
{
	int32_t axis = between(z, 1, 3);
	cop_vid y = x;

	for (int i = 0; i < POOL && y == x; i++) {
		cop_vid v = z->pool[draw(z, (uint32_t)z->n)];
		bool fits = true;
		for (int j = 1; j < 4; j++) fits = fits && (j == axis || dims(z, v)[j] == dims(z, x)[j]);
		if (fits) y = v;
	}
	return cop__apply(z->g, OP_concat, &(cop_concat_attr){axis}, VIDS(x, y));
}

static inline cop_vid draw_slice(drawn *z, cop_vid x)
{
	cop_slice_attr a = {.step = {1, 1, 1, 1, 1, 1}, .size = {1}};

	for (int i = 1; i < 4; i++) {
		int32_t d = dims(z, x)[i];
		a.step[i] = chance(z, 25) ? 2 : 1;
		a.from[i] = between(z, 0, (d - 1) / 2);
		a.size[i] = between(z, 1, (d - a.from[i] - 1) / a.step[i] + 1);
	}
	return cop__apply(z->g, OP_slice, &a, VIDS(x));
}

static inline cop_vid draw_pad(drawn *z, cop_vid x)
{
	cop_pad_attr a = {.value = (float)between(z, -3, 3)};

	for (int i = 1; i < (chance(z, 70) ? 3 : 4); i++) {
		a.before[i] = between(z, 0, 2);
		a.after[i] = between(z, 0, 2);
	}
	return cop__apply(z->g, OP_pad, &a, VIDS(x));
}

static inline cop_vid draw_turn(drawn *z, cop_vid x)
{
	static const int32_t turns[][4] = {{0, 2, 1, 3}, {0, 3, 1, 2}, {0, 2, 3, 1}, {0, 1, 3, 2}};
	const int32_t *d = dims(z, x);
	cop_shape_attr a = {.rank = 4};

	if (chance(z, 70)) {
		memcpy(a.dim, turns[draw(z, LEN(turns))], 16);
		return cop__apply(z->g, OP_transpose, &a, VIDS(x));
	}
	if (d[3] % 2 || d[1] * 2 > 20) return 0;
	const int32_t dim[] = {0, d[1] * 2, d[2], -1};
	memcpy(a.dim, dim, sizeof dim);
	return cop__apply(z->g, OP_reshape, &a, VIDS(x));
}

/* ---- layers of int8 ---- */

static inline cop_vid ints(drawn *z, cop_dtype dtype, int32_t rank, const int32_t *dim, const void *data)
{
	cop_type t = cop__type(dtype, rank, dim);
	char name[40];
	return cop__data(z->g, COP_CONST, new_name(z, name), &t, data);
}

/* Multipliers that bring the sums of `taps` products to about the range of a byte. */
static inline cop_vid multipliers(drawn *z, int32_t out, int32_t taps, int32_t *up)
{
	int32_t m[4 * MOST_CHANNELS];
	double real[2 * MOST_CHANNELS];
	bool twice = chance(z, 50);

	for (int32_t o = 0; o < out; o++) {
		real[o] = (0.5 + 0.03 * (o % 11)) / (50 * sqrt(taps)) * (chance(z, 5) ? 40 : 1);
		cop__multiplier_double(&m[o], &m[out + o], real[o]);
	}
	if (!twice && cop__multipliers_single(m, up, real, out)) return ints(z, COP_I32, 1, &out, m);
	*up = 0;
	for (int32_t o = 0; o < out; o++) cop__multiplier_double(&m[o], &m[out + o], real[o]);
	return ints(z, COP_I32, 2, DIMS(2, out), m);
}

static inline cop_vid draw_qconv(drawn *z, cop_vid x)
{
	const int32_t *d = dims(z, x);
	int32_t out = between(z, 1, 24), c = d[3], groups = draw_groups(z, c, &out), most = groups == c ? 7 : 5, up = 0, b[2 * MOST_CHANNELS];
	window h = draw_window(z, d[1], most, true), w = chance(z, 60) ? h : draw_window(z, d[2], most, true);

	if (d[2] + w.before + w.after < (w.k - 1) * w.dil + 1) return 0;
	int32_t taps = h.k * w.k * (c / groups);
	int8_t *weight = malloc((size_t)(out * taps));
	int32_t zeros = draw_zeros(z), largest = chance(z, 30) ? between(z, 1, 6) : 127; /* few values: their code pays */
	bool shifts = chance(z, 20); /* powers of two */
	for (int32_t i = 0; i < out * taps; i++) {
		bool zero = between(z, 0, 99) < zeros;
		weight[i] = (int8_t)(zero ? 0 : shifts ? between(z, -1, 1) * (1 << between(z, 0, 6)) : between(z, -largest, largest));
	}
	for (int32_t o = 0; o < out; o++) b[o] = between(z, -2000, 2000);
	cop_vid k = ints(z, COP_I8, 4, DIMS(out, h.k, w.k, c / groups), weight), bias = ints(z, COP_I32, 1, &out, b), m = multipliers(z, out, taps, &up);
	free(weight);
	cop_qconv_attr a = {h.s, w.s, h.before, w.before, h.after, w.after, h.dil, w.dil, groups, between(z, -128, 127), between(z, -20, 20), -128, between(z, 90, 127), up, 0, shifts ? between(z, 1, 2) : 0};
	return cop__apply(z->g, OP_qconv, &a, VIDS(x, k, bias, m));
}

/* A value of one pixel, one channel, or one row of the picture, to be repeated along the rest. */
static inline cop_vid part_of(drawn *z, cop_vid x)
{
	cop_slice_attr a = {.step = {1, 1, 1, 1, 1, 1}, .size = {1}};
	int32_t kept = between(z, 0, 7);

	for (int i = 1; i < 4; i++) a.size[i] = kept >> (i - 1) & 1 ? dims(z, x)[i] : 1;
	return cop__apply(z->g, OP_slice, &a, VIDS(partner(z, x)));
}

static inline cop_vid draw_qadd(drawn *z, cop_vid x)
{
	cop_qadd_attr a = {.za = between(z, -128, 127), .zb = between(z, -128, 127), .zy = between(z, -100, 100), .qlo = -128, .qhi = 127};

	cop__qadd_scales(&a, 0.05, 0.01 * between(z, 1, 9), 0.06, chance(z, 50));
	if (chance(z, 25)) return chance(z, 50) ? cop__apply(z->g, OP_qadd, &a, VIDS(x, part_of(z, x))) : cop__apply(z->g, OP_qadd, &a, VIDS(part_of(z, x), x));
	return cop__apply(z->g, OP_qadd, &a, VIDS(x, partner(z, x)));
}

static inline cop_vid draw_qmul(drawn *z, cop_vid x)
{
	if (chance(z, 40)) return cop__apply(z->g, OP_qmul, &(cop_qmul_attr){between(z, -128, 127), between(z, -128, 127), between(z, -100, 100), 1431655765, -between(z, 4, 7), -128, 127}, VIDS(x, part_of(z, x)));
	return cop__apply(z->g, OP_qmul, &(cop_qmul_attr){between(z, -128, 127), between(z, -128, 127), between(z, -100, 100), 1431655765, -between(z, 4, 7), -128, 127}, VIDS(x, partner(z, x)));
}

static inline cop_vid draw_qlut(drawn *z, cop_vid x)
{
	int8_t table[256];

	for (int i = 0; i < 256; i++) table[i] = (int8_t)between(z, -128, 127);
	return cop__apply(z->g, OP_qlut, &(cop_qlut_attr){COP_I8}, VIDS(x, ints(z, COP_I8, 1, DIMS(256), table)));
}

static inline cop_vid draw_qpool(drawn *z, cop_vid x)
{
	const int32_t *d = dims(z, x);
	window h = draw_window(z, d[1], 4, false), w = draw_window(z, d[2], 4, false);

	if (h.before >= h.k || h.after >= h.k || w.before >= w.k || w.after >= w.k) return 0;
	if ((d[1] + h.before + h.after - h.k) / h.s * h.s - h.before >= d[1] || (d[2] + w.before + w.after - w.k) / w.s * w.s - w.before >= d[2]) return 0;
	if (chance(z, 50)) return cop__apply(z->g, OP_maxpool, &(cop_pool_attr){h.k, w.k, h.s, w.s, h.before, w.before, h.after, w.after, 0}, VIDS(x));
	int32_t zero = between(z, -128, 127);
	return cop__apply(z->g, OP_qavgpool, &(cop_qavgpool_attr){h.k, w.k, h.s, w.s, h.before, w.before, h.after, w.after, zero, zero, 0, 0, -128, 127}, VIDS(x));
}

/* ---- whole graphs ---- */

typedef cop_vid draw_fn(drawn *z, cop_vid x);
static draw_fn *const float_layers[] = {draw_conv, draw_conv, draw_conv, draw_binary, draw_binary, draw_unary, draw_pool, draw_bn, draw_gate, draw_rows, draw_rnn,
	draw_concat, draw_slice, draw_pad, draw_turn};
static draw_fn *const int8_layers[] = {draw_qconv, draw_qconv, draw_qconv, draw_qconv, draw_qadd, draw_qadd, draw_qmul, draw_qlut, draw_qpool,
	draw_concat, draw_slice, draw_pad, draw_turn};

static inline bool fits(const drawn *z, cop_vid v)
{
	const cop_type *t = cop__t(z->g, v);
	return t->rank == 4 && cop_type_count(t) <= MOST_ELEMENTS && t->dim[3] <= MOST_CHANNELS && t->dim[1] <= 24 && t->dim[2] <= 24;
}

static inline void draw_inputs(drawn *z, cop_dtype dtype)
{
	int n = chance(z, 20) ? 2 : 1;
	char name[40];

	for (int i = 0; i < n; i++) {
		cop_type t = cop__type(dtype, 4, DIMS(1, between(z, 3, 17), between(z, 3, 17), between(z, 1, 17)));
		if (i && chance(z, 70)) t = *cop__t(z->g, z->pool[0]);
		z->pool[z->n++] = cop__input(z->g, new_name(z, name), &t);
	}
}

static inline void end_floats(drawn *z, cop_vid v)
{
	char name[40];
	cop_vid f = cop__apply(z->g, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(v));
	int32_t in = dims(z, f)[1], out = between(z, 1, 12);

	if (chance(z, 60)) f = cop__apply(z->g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(f, floats(z, COP_PARAM, 2, DIMS(out, in), 0, 1.7f / sqrtf((float)in)), floats(z, COP_PARAM, 1, &out, 0, 0.3f)));
	OK(z->g->cx, cop__output(z->g, f, new_name(z, name)));
}

static inline void end_bytes(drawn *z, cop_vid v)
{
	char name[40];

	if (chance(z, 30)) v = cop__apply(z->g, OP_dequantize, &(cop_dequantize_attr){0.1f, between(z, -20, 20)}, VIDS(v));
	OK(z->g->cx, cop__output(z->g, v, new_name(z, name)));
}

/* A graph of floats, or of int8. Values that nobody reads become outputs, four of them at most; one output may also be read within. */
static inline cop_graph *draw_graph(cop_ctx *cx, uint64_t seed, bool int8)
{
	drawn z = {.seed = seed};
	int layers, n = int8 ? LEN(int8_layers) : LEN(float_layers);
	char name[40];

	OK(cx, cop__graph_new(&z.g, cx, "drawn"));
	draw_inputs(&z, int8 ? COP_I8 : COP_F32);
	layers = between(&z, 2, 14);
	for (int i = 0, tries = 0; i < layers && tries < 100; tries++) {
		cop_vid x = z.pool[chance(&z, 60) ? z.n - 1 : (int)draw(&z, (uint32_t)z.n)];
		cop_vid y = (int8 ? int8_layers : float_layers)[draw(&z, (uint32_t)n)](&z, x);
		if (*cop_error_text(cx)) fail_msg("seed %llu: %s", (unsigned long long)seed, cop_error_text(cx));
		if (!y || !fits(&z, y)) continue;
		if (chance(&z, 15)) cop__name(z.g, y, new_name(&z, name));
		if (z.n < POOL) z.pool[z.n++] = y;
		else z.pool[between(&z, 0, POOL - 1)] = y;
		i++;
	}
	int32_t *readers = cop__readers(z.g, &z.g->mem);
	for (int i = z.n - 1, out = 0; i >= 0 && out < 4; i--)
		if ((!readers[z.pool[i]] && cop__v(z.g, z.pool[i])->producer) || i == z.n - 1 || chance(&z, 5)) {
			(int8 ? end_bytes : end_floats)(&z, z.pool[i]);
			out++;
		}
	if (*cop_error_text(cx)) fail_msg("seed %llu: %s", (unsigned long long)seed, cop_error_text(cx));
	return z.g;
}

#endif
