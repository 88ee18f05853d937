/* SPDX-License-Identifier: Apache-2.0
 *
 * What a network learns from a value within a teacher, v, for one within itself, z: both [batch, ..., channels]; each with as many channels as it
 * has. A row of n numbers divided by its root of squares is what layernorm without the mean makes of it, over sqrt(n).
 *
 * fitnet      mean squared difference. Where the channels are not as many, a linear map of each position's channels comes first; it is
 *             trained beside the network.
 * attention   of each sample the mean square over the channels is a map of its positions; divided by its length. Mean squared difference
 *             of the two maps.
 * similarity  the products of all pairs of samples [batch, batch], each row divided by its length. Sum of squared differences over batch^2.
 */
#include "train/loss/hint.h"
#include "train/loss/terms.h"

#define SMALL 1e-20f /* beside squares of a row: one of zeros stays */

#define WEIGHT(value) {COP_OPT_REAL(cop_hint_weight, weight, 1e-6, 1e9, value, "times the loss of each pair of values"), COP_OPT_END}
static const cop_option fitnet_table[] = WEIGHT("0.1"), attention_table[] = WEIGHT("10"), similarity_table[] = WEIGHT("300");

static int32_t rows_of(const cop_graph *g, cop_vid v) { return cop__t(g, v)->dim[0]; }
static int32_t channels_of(const cop_graph *g, cop_vid v) { return cop__t(g, v)->dim[cop__t(g, v)->rank - 1]; }
static cop_vid matrix(cop_graph *g, cop_vid v, int32_t rows, int32_t cols) { return one(g, OP_reshape, &(cop_shape_attr){2, {rows, cols}}, v); }
static cop_vid unit_rows(cop_graph *g, cop_vid v) { return one(g, OP_layernorm, &(cop_layernorm_attr){SMALL, 1}, v); } /* times sqrt(n) */
static cop_vid apart(cop_graph *g, cop_vid a, cop_vid b) { return a && b ? cop__apply(g, OP_mse, NULL, VIDS(a, b)) : 0; }

/* ---- fitnet ---- */

static cop_vid positions(cop_graph *g, cop_vid v)
{
	const int32_t c = channels_of(g, v);
	return matrix(g, v, (int32_t)(cop_type_count(cop__t(g, v)) / c), c);
}

/* z [n, in] as one of so many channels. */
static cop_vid regressed(cop_graph *g, cop_vid z, int32_t out)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const int32_t in = channels_of(g, z);
	const cop_type full = cop__type(COP_F32, 2, DIMS(out, in)), row = cop__type(COP_F32, 1, &out);

	if (in == out) return z;
	cop_vid w = cop__beside(g, "w", &full, in), b = w ? cop__beside(g, "b", &row, 0) : 0;
	return b ? cop__apply(g, OP_fc, &none, VIDS(z, w, b)) : 0;
}

static cop_vid fitnet(cop_graph *g, const void *o, cop_vid z, cop_vid v)
{
	cop_vid from = positions(g, z), to = positions(g, v);

	(void)o;
	return from && to ? apart(g, regressed(g, from, channels_of(g, to)), to) : 0;
}

/* ---- attention ---- */

static cop_vid attention_map(cop_graph *g, cop_vid v)
{
	const int32_t rows = rows_of(g, v), n = (int32_t)(cop_type_count(cop__t(g, v)) / channels_of(g, v)) / rows;
	return unit_rows(g, matrix(g, mean(g, two(g, OP_mul, v, v), 1 << (cop__t(g, v)->rank - 1)), rows, n));
}

static cop_vid attention(cop_graph *g, const void *o, cop_vid z, cop_vid v)
{
	cop_vid a = attention_map(g, z), b = attention_map(g, v);

	(void)o;
	return times(g, apart(g, a, b), a ? 1 / (float)channels_of(g, a) : 1);
}

/* ---- similarity ---- */

static cop_vid similarities(cop_graph *g, cop_vid v)
{
	const int32_t rows = rows_of(g, v);
	cop_vid x = matrix(g, v, rows, (int32_t)(cop_type_count(cop__t(g, v)) / rows));
	return x ? unit_rows(g, cop__apply(g, OP_matmul, &(cop_matmul_attr){0, 1}, VIDS(x, x))) : 0;
}

static cop_vid similarity(cop_graph *g, const void *o, cop_vid z, cop_vid v)
{
	(void)o;
	return times(g, apart(g, similarities(g, z), similarities(g, v)), 1 / (float)rows_of(g, z));
}

/* ---- rows ---- */

const cop_hint_row cop_hint_rows[COP_HINTS] = {
	{{.row = {"fitnet", "the numbers themselves, through a linear map where the channels are not as many", "Romero et al. 2015, arXiv 1412.6550",
		fitnet_table, sizeof(cop_hint_weight)}, .build = fitnet}, 1},
	{{.row = {"attention", "where in a picture the values are large", "Zagoruyko and Komodakis 2017, arXiv 1612.03928",
		attention_table, sizeof(cop_hint_weight)}, .build = attention}, 2},
	{{.row = {"similarity", "which samples of a batch are like each other", "Tung and Mori 2019, arXiv 1907.09682",
		similarity_table, sizeof(cop_hint_weight)}, .build = similarity}, 0},
};
