/* SPDX-License-Identifier: Apache-2.0
 *
 * small.h - a network so small and smooth that each gradient of a trainer can be held against finite differences.
 */
#ifndef TESTS_TRAIN_SMALL_H
#define TESTS_TRAIN_SMALL_H

#include "train/policy.h"

enum { BATCH = 3, IN = 4, HIDDEN = 5, OUT = 3 };

/* x [3,4] -> fc -> tanh -> fc -> y [3,3]: smooth, so that finite differences are exact enough. */
static inline cop_graph *small_net(cop_ctx *cx, uint32_t seed)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	const int32_t dim[4][2] = {{HIDDEN, IN}, {HIDDEN}, {OUT, HIDDEN}, {OUT}};
	static const char *const name[] = {"a.w", "a.b", "b.w", "b.b"};
	cop_type x = cop__type(COP_F32, 2, DIMS(BATCH, IN));
	cop_vid v[4];
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "small"));
	cop_vid in = cop__input(g, "x", &x);
	for (int i = 0; i < 4; i++) {
		float w[64];
		cop_type t = cop__type(COP_F32, i % 2 ? 1 : 2, dim[i]);
		for (int k = 0; k < 64; k++) w[k] = cop__rand_normal(seed, (uint32_t)i, (uint64_t)k) / 2;
		v[i] = cop__data(g, COP_PARAM, name[i], &t, w);
	}
	cop_vid h = cop__apply(g, OP_tanh, NULL, VIDS(cop__apply(g, OP_fc, &none, VIDS(in, v[0], v[1]))));
	OK(cx, cop__output(g, cop__apply(g, OP_fc, &none, VIDS(h, v[2], v[3])), "y"));
	return g;
}

static inline cop_build *record(cop_ctx *cx, const cop_graph *g, const char *spec)
{
	cop_build *b;
	OK(cx, cop__build_new(&b, g, 0, 0));
	OK(cx, cop__build_spec(b, spec));
	return b;
}

static inline void set_batch(cop_trainer *t, uint32_t seed)
{
	const cop_graph *g = cop__trainer_graph(t);

	for (int32_t i = 0; i < g->n_input; i++) {
		cop_tensor x;
		assert_int_equal(cop_trainer_input(t, i, &x), COP_OK);
		int64_t n = cop_type_count(&x.type);
		for (int64_t k = 0; k < n; k++) {
			if (x.type.dtype == COP_I32) ((int32_t *)x.data)[k] = (int32_t)(cop__rand(seed, 5, (uint64_t)k) % OUT);
			else ((float *)x.data)[k] = i ? cop__rand_unit(seed, 6, (uint64_t)k) : cop__rand_normal(seed, 7, (uint64_t)k);
		}
	}
}

static inline float *tensor(const cop_trainer *t, const char *name, int64_t *n)
{
	cop_tensor x;

	if (cop__trainer_named(t, name, &x)) fail_msg("no tensor '%s'", name);
	if (n) *n = cop_type_count(&x.type);
	return x.data;
}

static inline double loss_at(cop_trainer *t, float *w, float value)
{
	float old = *w, loss;

	*w = value;
	assert_int_equal(cop_trainer_gradients(t, &loss), COP_OK);
	*w = old;
	return (double)loss;
}

/* Every gradient that the trainer has against central differences. */
static inline int check_gradients(cop_trainer *t, const char *what)
{
	const char *name;
	cop_tensor grad;
	int n = 0;

	set_batch(t, 3);
	for (; (name = cop_trainer_gradient(t, n, &grad)); n++) {
		float *w = tensor(t, name, NULL), found[64];
		int64_t count = cop_type_count(&grad.type);
		assert_int_equal(cop_trainer_gradients(t, NULL), COP_OK);
		memcpy(found, grad.data, (size_t)count * 4);
		for (int64_t k = 0; k < count; k++) {
			const float step = 0.01f;
			double want = (loss_at(t, w + k, w[k] + step) - loss_at(t, w + k, w[k] - step)) / 0.02;
			if (fabs(want - (double)found[k]) > 2e-3 * fmax(1, fabs(want))) fail_msg("%s: gradient %d of '%s' is %g, not %g", what, (int)k, name, (double)found[k], want);
		}
	}
	return n;
}

#endif
