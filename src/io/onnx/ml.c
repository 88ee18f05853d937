/* SPDX-License-Identifier: Apache-2.0
 *
 * ml - operators of ai.onnx.ml on numbers: scaling, encoding, linear models. Trees are in tree.c. Rows [n,c] are
 * samples.
 */
#include "io/onnx/ml.h"

static const cop_act_attr no_act = {COP_NO_LO, COP_NO_HI};

/* ---- attributes, scores, labels ---- */

/* A list has no more elements than its message has bytes. */
static size_t longest(const cop_ox_node *n, const char *name)
{
	cop_pb_field body;
	return cop__ox_attr(n, name, &body) ? body.size : 0;
}

cop_status cop__ox_ml_ints(cop_ox *m, const cop_ox_node *n, const char *name, const int64_t **v, int32_t *count)
{
	size_t most = longest(n, name);
	int64_t *to = cop__ox_room(m, 8 * most + 8);

	*count = to && most ? cop__ox_ints(m, n, name, to, (int)most) : 0;
	*count = COP_MAX(*count, 0);
	*v = *count ? to : NULL;
	return m->cx->code;
}

cop_status cop__ox_ml_floats(cop_ox *m, const cop_ox_node *n, const char *name, const float **v, int32_t *count)
{
	size_t most = longest(n, name);
	float *to = cop__ox_room(m, 4 * most + 8);

	*count = to && most ? cop__ox_floats(m, n, name, to, (int)most) : 0;
	*count = COP_MAX(*count, 0);
	*v = *count ? to : NULL;
	return m->cx->code;
}

cop_vid cop__ox_ml_rows(cop_ox *m, const cop_ox_node *n, int i)
{
	cop_ox_value *x = cop__ox_in(m, n, i);

	if (x->rank < 1 || x->rank > 2)
		return cop__ox_fail(m, n, "input %d has %d dimensions, rows [n,c] are expected", i, x->rank), 0;
	cop_vid v = cop__ox_cast(m, cop__ox_get(m, n, i), COP_F32);
	return x->rank == 1 ? cop__ox_reshape(m, v, 2, DIMS(1, x->dim[0])) : v;
}

cop_vid cop__ox_ml_transformed(cop_ox *m, const cop_ox_node *n, cop_vid score)
{
	const char *how = cop__ox_s(m, n, "post_transform", "NONE");

	if (!how || !score) return 0;
	if (!strcmp(how, "NONE")) return score;
	if (!strcmp(how, "LOGISTIC")) return cop__apply(m->g, OP_sigmoid, NULL, VIDS(score));
	if (!strcmp(how, "SOFTMAX")) return cop__ox_softmax(m, score, 1);
	return cop__ox_fail(m, n, "post_transform %s is not supported; NONE, LOGISTIC and SOFTMAX are", how), 0;
}

static cop_vid whole(cop_ox *m, const char *name, const int64_t *v, int32_t count)
{
	int32_t *to = cop__ox_room(m, 4 * (size_t)count + 4);
	cop_type t = cop__type(COP_I32, 1, &count);

	for (int32_t i = 0; to && i < count; i++) {
		if (v[i] < INT32_MIN || v[i] > INT32_MAX)
			return cop__error(m->cx, COP_FORMAT, "%s: element %d of '%s' is %lld, which does not fit 32 bits", m->file, i, name,
				(long long)v[i]), 0;
		to[i] = (int32_t)v[i];
	}
	return to ? cop__ox_const(m, name, COP_CONST, &t, to) : 0;
}

static cop_vid pick(cop_ox *m, cop_vid x, cop_vid index)
{
	return x && index ? cop__apply(m->g, OP_gather, &(cop_axis_attr){0}, VIDS(x, index)) : 0;
}

cop_status cop__ox_ml_label(cop_ox *m, const cop_ox_node *n, cop_vid index, const char *ints, int32_t classes)
{
	cop_ox_value *y = cop__ox_out(m, n, 0);
	const int64_t *label;
	int32_t count;

	if (!y) return COP_OK;
	COP_TRY(cop__ox_ml_ints(m, n, ints, &label, &count));
	if (!label) { /* the names of classes */
		y->type = OX_STRING;
		return COP_OK;
	}
	if (count != classes) return cop__ox_fail(m, n, "%d labels for %d classes", count, classes);
	return cop__ox_set(m, n, 0, pick(m, whole(m, "labels", label, count), index), OX_PLAIN, OX_INT64);
}

/* ---- scaling ---- */

/* An attribute of one number, or one for each column, [c]. */
static cop_vid columns(cop_ox *m, const cop_ox_node *n, const char *name, int32_t c, float absent)
{
	const float *v;
	int32_t count;

	if (cop__ox_ml_floats(m, n, name, &v, &count)) return 0;
	if (!v) return cop__ox_scalar(m, absent);
	if (count != 1 && count != c)
		return cop__ox_fail(m, n, "attribute '%s' has %d numbers for %d columns", name, count, c), 0;
	return cop__ox_vector(m, COP_CONST, name, v, count);
}

static int32_t width(const cop_ox_value *x) { return x->rank ? x->dim[x->rank - 1] : 1; }

cop_status cop__ox_add_ml_scaler(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	cop_vid v = cop__ox_cast(m, cop__ox_get(m, n, 0), COP_F32), off = columns(m, n, "offset", width(x), 0),
		by = columns(m, n, "scale", width(x), 1);

	return cop__ox_set(m, n, 0, cop__ox_two(m, OP_mul, cop__ox_two(m, OP_sub, v, off), by), OX_PLAIN, OX_FLOAT);
}

/* Over the largest number, or the sum, or the length of a row; rows of 0 stay so. */
cop_status cop__ox_add_ml_normalizer(cop_ox *m, cop_ox_node *n)
{
	const char *norm = cop__ox_s(m, n, "norm", "MAX");
	cop_vid v = cop__ox_ml_rows(m, n, 0), by = 0;

	if (!norm) return COP_NOMEM;
	if (!strcmp(norm, "MAX")) by = cop__ox_reduce(m, REDUCE_MAX, v, 2, true);
	if (!strcmp(norm, "L1")) by = cop__ox_reduce(m, REDUCE_SUM, cop__ox_map(m, MAP_ABS, 0, 0, v), 2, true);
	if (!strcmp(norm, "L2"))
		by = cop__ox_map(m, MAP_SQRT, 0, 0, cop__ox_reduce(m, REDUCE_SUM, cop__ox_two(m, OP_mul, v, v), 2, true));
	if (!by) return cop__ox_fail(m, n, "norm '%s' is unknown; MAX, L1 and L2 are supported", norm);
	by = cop__ox_where(m, cop__ox_two(m, OP_equal, by, cop__ox_scalar(m, 0)), cop__ox_scalar(m, 1), by);
	return cop__ox_set(m, n, 0,
		cop__ox_reshape(m, cop__ox_two(m, OP_div, v, by), cop__ox_in(m, n, 0)->rank, cop__ox_in(m, n, 0)->dim), OX_PLAIN,
		OX_FLOAT);
}

cop_status cop__ox_add_ml_binarizer(cop_ox *m, cop_ox_node *n)
{
	cop_vid v = cop__ox_cast(m, cop__ox_get(m, n, 0), COP_F32);
	return cop__ox_set(m, n, 0,
		cop__ox_cast(m, cop__ox_two(m, OP_greater, v, cop__ox_scalar(m, cop__ox_f(n, "threshold", 0))), COP_F32), OX_PLAIN,
		OX_FLOAT);
}

/* What is no number, or the one that is named, becomes that of its column. */
cop_status cop__ox_add_ml_imputer(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	float gone = cop__ox_f(n, "replaced_value_float", __builtin_nanf(""));

	if (!cop__ox_is_float(x->type)) return cop__ox_fail(m, n, "of whole numbers is not supported");
	cop_vid v = cop__ox_get(m, n, 0), by = columns(m, n, "imputed_value_floats", width(x), 0);
	cop_vid there = gone < 0 || gone >= 0 ? cop__ox_map(m, MAP_NOT, 0, 0,
		cop__ox_two(m, OP_equal, v, cop__ox_scalar(m, gone))) : cop__ox_two(m, OP_equal, v, v);
	return cop__ox_set(m, n, 0, cop__ox_where(m, there, v, by), OX_PLAIN, 0);
}

/* ---- columns ---- */

cop_status cop__ox_add_ml_vectorizer(cop_ox *m, cop_ox_node *n)
{
	cop_vid *v = cop__ox_room(m, sizeof *v * (size_t)n->n_in);

	for (int i = 0; v && i < n->n_in; i++) v[i] = cop__ox_in(m, n, i) ? cop__ox_ml_rows(m, n, i) : 0;
	return cop__ox_set(m, n, 0, v ? cop__ox_concat(m, 1, n->n_in, v) : 0, OX_PLAIN, OX_FLOAT);
}

/* Entries of the last axis. */
cop_status cop__ox_add_ml_extractor(cop_ox *m, cop_ox_node *n)
{
	cop_ox_value *x = cop__ox_in(m, n, 0);
	const int64_t *at;
	int32_t count;

	COP_TRY(cop__ox_known_ints(m, n, 1, &at, &count));
	for (int32_t i = 0; i < count; i++)
		if (at[i] < 0 || at[i] >= width(x)) return cop__ox_fail(m, n, "entry %lld of %d", (long long)at[i], width(x));
	cop_vid v = cop__ox_get(m, n, 0), index = whole(m, "entries", at, count);
	if (x->rank == 1) v = cop__ox_reshape(m, v, 2, DIMS(1, x->dim[0]));
	return cop__ox_set(m, n, 0,
		v && index ? cop__apply(m->g, OP_gather, &(cop_axis_attr){COP_MAX(x->rank, 2) - 1}, VIDS(v, index)) : 0, OX_PLAIN, 0);
}

/* A map of class to score for each sample is the scores as they are. */
cop_status cop__ox_add_ml_zipmap(cop_ox *m, cop_ox_node *n) { return cop__ox_same(m, n, 0, cop__ox_in(m, n, 0)); }

/* Which of the keys x is: [..,keys] of truths. */
static cop_vid met(cop_ox *m, cop_vid x, cop_vid keys)
{
	int32_t dim[COP_MAX_DIM + 1];

	if (!x || !keys) return 0;
	cop_type t = *cop__t(m->g, x);
	memcpy(dim, t.dim, sizeof t.dim);
	dim[t.rank] = 1;
	return cop__ox_two(m, OP_equal, cop__ox_reshape(m, x, t.rank + 1, dim), keys);
}

/* Keys or values of whole or real numbers; their format. 0: there are none. */
static cop_vid listed(cop_ox *m, const cop_ox_node *n, const char *ints, const char *reals, int32_t *count,
	int32_t *type)
{
	const int64_t *whole_v;
	const float *real_v;

	if (cop__ox_ml_ints(m, n, ints, &whole_v, count)) return 0;
	*type = OX_INT64;
	if (whole_v) return whole(m, ints, whole_v, *count);
	if (cop__ox_ml_floats(m, n, reals, &real_v, count) || !real_v) return 0;
	*type = OX_FLOAT;
	return cop__ox_vector(m, COP_CONST, reals, real_v, *count);
}

cop_status cop__ox_add_ml_label_encoder(cop_ox *m, cop_ox_node *n)
{
	int32_t n_key, n_value, key, value, rank = cop__ox_in(m, n, 0)->rank;
	int64_t absent = cop__ox_i(n, "default_int64", -1);
	cop_vid keys = listed(m, n, "keys_int64s", "keys_floats", &n_key, &key),
		values = listed(m, n, "values_int64s", "values_floats", &n_value, &value);

	if (m->cx->code) return m->cx->code;
	if (!keys || !values || n_key != n_value)
		return cop__ox_fail(m, n, "maps text, or %d keys to %d values; whole and real numbers are supported", n_key, n_value);
	cop_vid hit = cop__ox_cast(m, met(m, cop__ox_cast(m, cop__ox_get(m, n, 0), key == OX_FLOAT ? COP_F32 : COP_I32), keys),
		COP_F32);
	cop_vid index = cop__ox_argmax(m, hit, rank, false, false),
		any = cop__ox_cast(m, cop__ox_reduce(m, REDUCE_MAX, hit, 1u << rank, false), COP_U8);
	cop_vid other = value == OX_FLOAT ? cop__ox_scalar(m, cop__ox_f(n, "default_float", 0))
		: whole(m, "default", &absent, 1);
	return cop__ox_set(m, n, 0, cop__ox_where(m, any, pick(m, values, index), other), OX_PLAIN, value);
}

cop_status cop__ox_add_ml_one_hot(cop_ox *m, cop_ox_node *n)
{
	const int64_t *cats;
	int32_t count;

	COP_TRY(cop__ox_ml_ints(m, n, "cats_int64s", &cats, &count));
	if (!cats) return cop__ox_fail(m, n, "of text is not supported; cats_int64s is expected");
	cop_vid hit = met(m, cop__ox_cast(m, cop__ox_get(m, n, 0), COP_I32), whole(m, "cats", cats, count));
	return cop__ox_set(m, n, 0, cop__ox_cast(m, hit, COP_F32), OX_PLAIN, OX_FLOAT);
}

/* ---- linear models ---- */

/* coefficients [out,c] and intercepts [out] as a fully connected layer; *out: how many rows. */
static cop_vid layer(cop_ox *m, const cop_ox_node *n, int32_t *out)
{
	const float *w, *b;
	int32_t count, n_bias, c;
	cop_vid x = cop__ox_ml_rows(m, n, 0), bias = 0;

	if (!x || cop__ox_ml_floats(m, n, "coefficients", &w, &count) || cop__ox_ml_floats(m, n, "intercepts", &b, &n_bias))
		return 0;
	c = cop__t(m->g, x)->dim[1];
	*out = count / c;
	if (!w || count % c || (b && n_bias != *out))
		return cop__ox_fail(m, n, "%d coefficients and %d intercepts do not fit %d columns", count, n_bias, c), 0;
	cop_type t = cop__type(COP_F32, 2, DIMS(*out, c));
	if (b) bias = cop__ox_vector(m, COP_PARAM, "intercepts", b, n_bias);
	cop_vid weight = cop__ox_const(m, "coefficients", COP_PARAM, &t, w);
	return weight ? cop__apply(m->g, OP_fc, &no_act, b ? 3 : 2, (const cop_vid[]){x, weight, bias}) : 0;
}

cop_status cop__ox_add_ml_linear_regressor(cop_ox *m, cop_ox_node *n)
{
	int32_t out = 0;
	cop_vid y = cop__ox_ml_transformed(m, n, layer(m, n, &out));

	return cop__ox_set(m, n, 0, y, OX_PLAIN, OX_FLOAT);
}

/* One row of coefficients decides between two classes: by the sign of its score s; the other's is 1 - s or, of
 * LOGISTIC, that of -s. */
static cop_vid two_classes(cop_ox *m, const cop_ox_node *n, cop_vid s)
{
	const char *how = cop__ox_s(m, n, "post_transform", "NONE");
	bool logistic = how && !strcmp(how, "LOGISTIC");
	cop_vid minus = cop__ox_map(m, MAP_NEG, 0, 0, s), both[2] = {logistic ? minus : cop__ox_two_f(m, OP_add, minus, 1), s};
	cop_vid y = cop__ox_concat(m, 1, 2, both);

	return logistic && y ? cop__apply(m->g, OP_sigmoid, NULL, VIDS(y)) : y;
}

cop_status cop__ox_add_ml_linear_classifier(cop_ox *m, cop_ox_node *n)
{
	int32_t out = 0;
	cop_vid s = layer(m, n, &out), index, y;

	if (!s) return m->cx->code;
	if (out == 1) {
		index = cop__ox_cast(m, cop__ox_two(m, OP_greater, s, cop__ox_scalar(m, 0)), COP_I32);
		index = cop__ox_reshape(m, index, 1, DIMS(cop__t(m->g, s)->dim[0]));
		y = two_classes(m, n, s);
	} else {
		index = cop__ox_argmax(m, s, 1, false, false);
		y = cop__ox_ml_transformed(m, n, s);
	}
	COP_TRY(cop__ox_ml_label(m, n, index, "classlabels_ints", COP_MAX(out, 2)));
	return cop__ox_out(m, n, 1) ? cop__ox_set(m, n, 1, y, OX_PLAIN, OX_FLOAT) : COP_OK;
}
