/* SPDX-License-Identifier: Apache-2.0
 *
 * transformer - small transformers for pictures. A token stays a pixel of [n,h,w,c] until heads are split, and linear layers are 1x1
 * convolutions, so everything that works on convolutions works on them.
 *
 * vit: Dosovitskiy 2021 with normalisation first; the mean over tokens in place of a class token (Beyer 2022, arXiv 2205.01580).
 * swin: Liu 2021: attention within windows that every other block shifts by half their side. A pair of positions of a window has a bias of
 * its own for each head, where the paper reads it from a table by their distance: that is the same once trained, and costs no lookup.
 * A vit block is a swin block whose one window is the picture.
 */
#include "op/axes.h"
#include "zoo/zoo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEAD = 16, WINDOW = 4 }; /* channels of a head; the side of a window */

typedef struct form { const char *name; int32_t side, shift, wider; bool bias; } form; /* of a block; wider: by how much its middle is */

static cop_vid reshape(cop_zoo *z, cop_vid x, int32_t rank, const int32_t *dim)
{
	cop_shape_attr a = {.rank = rank};

	memcpy(a.dim, dim, sizeof *dim * (size_t)rank);
	a.dim[0] = 0; /* the batch, whatever it is */
	return x ? cop__apply(z->g, OP_reshape, &a, VIDS(x)) : 0;
}

static cop_vid transpose(cop_zoo *z, cop_vid x, int32_t rank, const int32_t *order)
{
	cop_shape_attr a = {.rank = rank};

	memcpy(a.dim, order, sizeof *order * (size_t)rank);
	return x ? cop__apply(z->g, OP_transpose, &a, VIDS(x)) : 0;
}

static cop_vid part(cop_zoo *z, cop_vid x, int axis, int32_t from, int32_t size)
{
	cop_slice_attr a = {{0}, {0}, {0}};

	a.from[axis] = from;
	a.size[axis] = size;
	for (int i = 0; i < 6; i++) a.step[i] = 1;
	return x ? cop__apply(z->g, OP_slice, &a, VIDS(x)) : 0;
}

/* What leaves at the front along an axis comes in at the back. */
static cop_vid roll(cop_zoo *z, cop_vid x, int axis, int32_t by)
{
	if (!x || !by) return x;
	int32_t n = cop__t(z->g, x)->dim[axis];
	cop_vid a = part(z, x, axis, by, n - by), b = part(z, x, axis, 0, by);
	return a && b ? cop__apply(z->g, OP_concat, &(cop_concat_attr){axis}, VIDS(a, b)) : 0;
}

static cop_vid linear(cop_zoo *z, cop_vid x, const char *block, const char *name, int32_t out)
{
	char full[64];

	snprintf(full, sizeof full, "%s.%s", block, name);
	return cop__zoo_conv_bias(z, x, full, (cop_zoo_conv){.out = out, .k = 1});
}

static cop_vid norm(cop_zoo *z, cop_vid x, const char *block, const char *name)
{
	char full[64];

	snprintf(full, sizeof full, "%s.%s", block, name);
	return cop__zoo_layernorm(z, x, full);
}

/* [n,h,w,c] as windows of heads [n,windows,heads,side*side,HEAD]; `at` is where its channels begin. */
static cop_vid heads_of(cop_zoo *z, cop_vid x, int32_t side, int32_t at, int32_t c)
{
	const int32_t h = cop__t(z->g, x)->dim[1] / side, w = cop__t(z->g, x)->dim[2] / side;

	x = reshape(z, part(z, x, 3, at, c), 6, DIMS(0, h, side, w, side, c));
	x = reshape(z, transpose(z, x, 6, DIMS(0, 1, 3, 2, 4, 5)), 5, DIMS(0, h * w, side * side, c / HEAD, HEAD));
	return transpose(z, x, 5, DIMS(0, 1, 3, 2, 4));
}

/* The way back. */
static cop_vid picture_of(cop_zoo *z, cop_vid x, int32_t h, int32_t w, int32_t side, int32_t c)
{
	x = reshape(z, transpose(z, x, 5, DIMS(0, 1, 3, 2, 4)), 6, DIMS(0, h / side, w / side, side, side, c));
	return reshape(z, transpose(z, x, 6, DIMS(0, 1, 3, 2, 4, 5)), 4, DIMS(0, h, w, c));
}

/* The region that a row of a shifted picture of n comes from: those at its end were at its front. */
static int region(int32_t at, int32_t n, int32_t side, int32_t shift) { return at < n - side ? 0 : at < n - shift ? 1 : 2; }

/* -100 where two positions of a window are no neighbours in the picture that was not shifted: [windows,1,side*side,side*side]. */
static cop_vid mask_of(cop_zoo *z, const form *b, int32_t h, int32_t w)
{
	const int32_t area = b->side * b->side, windows = h / b->side * (w / b->side);
	cop_type t = cop__type(COP_F32, 4, DIMS(windows, 1, area, area));
	char name[64];
	float *m;

	snprintf(name, sizeof name, "%s.mask", b->name);
	cop_vid v = cop__data(z->g, COP_CONST, name, &t, NULL);
	if (!v || !(m = cop__own(z->g, v))) return 0;
	for (int32_t i = 0; i < windows * area * area; i++) {
		int32_t where = i / area / area, a = i / area % area, c = i % area, y = where / (w / b->side) * b->side, x = where % (w / b->side) * b->side;
		bool same = region(y + a / b->side, h, b->side, b->shift) == region(y + c / b->side, h, b->side, b->shift) &&
			region(x + a % b->side, w, b->side, b->shift) == region(x + c % b->side, w, b->side, b->shift);
		m[i] = same ? 0 : -100;
	}
	return v;
}

static cop_vid sum(cop_zoo *z, cop_vid a, cop_vid b) { return cop__zoo_add(z, a, b); }

/* softmax(q k' / sqrt(HEAD) + bias + mask) v */
static cop_vid attention(cop_zoo *z, cop_vid x, const form *b)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

	if (!x) return 0;
	const int32_t h = cop__t(z->g, x)->dim[1], w = cop__t(z->g, x)->dim[2], c = cop__t(z->g, x)->dim[3], area = b->side * b->side;
	cop_vid all = linear(z, roll(z, roll(z, x, 1, b->shift), 2, b->shift), b->name, "qkv", 3 * c);
	if (!all) return 0;
	cop_vid q = heads_of(z, all, b->side, 0, c), k = heads_of(z, all, b->side, c, c), v = heads_of(z, all, b->side, 2 * c, c);
	cop_vid score = q && k ? cop__apply(z->g, OP_matmul, &(cop_matmul_attr){0, 1}, VIDS(q, k)) : 0;
	if (score) score = cop__apply(z->g, OP_mul, &none, VIDS(score, cop__scalar(z->g, "head.scale", 1 / sqrtf(HEAD))));
	if (b->bias) score = sum(z, score, cop__zoo_small_weight(z, b->name, "bias", 3, DIMS(c / HEAD, area, area)));
	if (b->shift) score = sum(z, score, mask_of(z, b, h, w));
	if (score) score = cop__apply(z->g, OP_softmax, NULL, VIDS(score));
	cop_vid y = score && v ? cop__apply(z->g, OP_matmul, &(cop_matmul_attr){0, 0}, VIDS(score, v)) : 0;
	y = y ? linear(z, picture_of(z, y, h, w, b->side, c), b->name, "proj", c) : 0;
	return roll(z, roll(z, y, 1, b->shift ? h - b->shift : 0), 2, b->shift ? w - b->shift : 0);
}

static cop_vid one_block(cop_zoo *z, cop_vid x, const form *b)
{
	cop_vid y = sum(z, x, attention(z, norm(z, x, b->name, "norm1"), b));

	if (!y) return 0;
	const int32_t c = cop__t(z->g, y)->dim[3];
	cop_vid m = linear(z, norm(z, y, b->name, "norm2"), b->name, "fc1", b->wider * c);
	return m ? sum(z, y, linear(z, cop__apply(z->g, OP_gelu, NULL, VIDS(m)), b->name, "fc2", c)) : 0;
}

static cop_vid head(cop_zoo *z, cop_vid x) { return (x = cop__zoo_layernorm(z, x, "norm")) ? cop__zoo_fc(z, cop__zoo_mean(z, x), "fc", z->classes) : 0; }

/* "64x4": channels, a multiple of HEAD, and blocks. */
static bool sizes(cop_zoo *z, int32_t *c, int32_t *blocks)
{
	char *end;
	long a = strtol(z->rest, &end, 10), n = *end == 'x' ? strtol(end + 1, &end, 10) : 0;

	*c = (int32_t)a;
	*blocks = (int32_t)n;
	if (*z->rest >= '1' && *z->rest <= '9' && !*end && a >= HEAD && a <= 1024 && a % HEAD == 0 && n >= 1 && n <= 48) return true;
	cop__zoo_fail(z, "must have a width that is a multiple of 16, up to 1024, and a number of blocks, up to 48, as in '64x4'");
	return false;
}

static cop_vid patches(cop_zoo *z, int32_t side, int32_t c)
{
	return cop__zoo_conv_bias(z, cop__zoo_input(z), "embed", (cop_zoo_conv){.out = c, .k = side, .stride = side});
}

cop_vid cop__zoo_vit(cop_zoo *z)
{
	int32_t c, blocks;
	char name[24];

	if (!sizes(z, &c, &blocks)) return 0;
	const int32_t side = cop__zoo_small(z) ? 4 : 16, h = z->h / side, w = z->w / side;
	if (h != w || z->h % side || z->w % side) return cop__zoo_fail(z, "needs square pictures whose sides are multiples of 4, or of 16 above 64");
	cop_vid x = patches(z, side, c);
	x = sum(z, x, x ? cop__zoo_small_weight(z, "embed", "position", 3, DIMS(h, w, c)) : 0);
	for (int32_t i = 0; x && i < blocks; i++) {
		snprintf(name, sizeof name, "block%d", i + 1);
		x = one_block(z, x, &(form){name, h, 0, 2, false});
	}
	return x ? head(z, x) : 0;
}

/* Four neighbours become one token of twice the channels. */
static cop_vid merge(cop_zoo *z, cop_vid x, const char *name)
{
	if (!x) return 0;
	const int32_t h = cop__t(z->g, x)->dim[1] / 2, w = cop__t(z->g, x)->dim[2] / 2, c = cop__t(z->g, x)->dim[3];
	x = transpose(z, reshape(z, x, 6, DIMS(0, h, 2, w, 2, c)), 6, DIMS(0, 1, 3, 2, 4, 5));
	return linear(z, norm(z, reshape(z, x, 4, DIMS(0, h, w, 4 * c)), name, "norm"), name, "reduce", 2 * c);
}

/* Two stages: the second has half the sides and twice the channels. */
cop_vid cop__zoo_swin(cop_zoo *z)
{
	int32_t c, blocks;
	char name[40];

	if (!sizes(z, &c, &blocks)) return 0;
	const int32_t side = cop__zoo_small(z) ? 2 : 4;
	if (z->h % (2 * WINDOW * side) || z->w % (2 * WINDOW * side)) return cop__zoo_fail(z, "needs pictures whose sides are multiples of 16, or of 32 above 64");
	cop_vid x = patches(z, side, c);
	x = x ? cop__zoo_layernorm(z, x, "embed.norm") : 0;
	for (int32_t s = 0; s < 2; s++) {
		if (s) x = merge(z, x, "merge");
		for (int32_t i = 0; x && i < blocks; i++) {
			bool one = cop__t(z->g, x)->dim[1] == WINDOW && cop__t(z->g, x)->dim[2] == WINDOW;
			snprintf(name, sizeof name, "stage%d.block%d", s + 1, i + 1);
			x = one_block(z, x, &(form){name, WINDOW, i % 2 && !one ? WINDOW / 2 : 0, 2, true});
		}
	}
	return x ? head(z, x) : 0;
}
