/* SPDX-License-Identifier: Apache-2.0
 *
 * What a network learns from a teacher's logits v for its own z, both [batch, classes], softened by a temperature T.
 * Each is multiplied by T^2, which keeps the size of gradients.
 *
 * distill  cross-entropy of softmax(z / T) with softmax(v / T). standardise: each row has mean 0 and deviation 1 first,
 *          so that a small network need not reach the size of the teacher's logits, and then it counts ten times.
 * dkd      two cross-entropies, by the number of the class: that class against all others, and the others among each
 *          other, which in `distill` count the less the surer the teacher is.
 * dist     what the answers' correlation with the teacher's lacks to 1: over the classes of a sample, and over the
 *          samples of a class.
 */
#include "train/loss/terms.h"

#include <math.h>

static cop_vid softmax(cop_graph *g, cop_vid v) { return one(g, OP_softmax, NULL, v); }

/* The mean over rows of - sum p log softmax(z). */
static cop_vid cross_entropy(cop_graph *g, cop_vid z, cop_vid p) { return two(g, OP_softxent, z, p); }

static int32_t classes_of(const cop_graph *g, cop_vid v) { return cop__t(g, v)->dim[cop__t(g, v)->rank - 1]; }

/* Rows with mean 0 and variance 1, of n and not of n - 1. */
static cop_vid normal(cop_graph *g, cop_vid v, float eps) { return one(g, OP_layernorm, &(cop_layernorm_attr){eps, 0}, v); }

/* ---- distill ---- */

typedef struct options { float temperature; bool standardise; } options;
enum { STANDARDISED = 10 }; /* the published weights are 9 beside 0.1 of the labels, which `part` 0.9 makes of it: deviations of 1 leave small gradients */

static const cop_option table[] = {
	COP_OPT_REAL(options, temperature, 0.01, 1000, "2", "logits are divided by it: the higher, the more the teacher's small answers count"),
	COP_OPT_FLAG(options, standardise, "yes", "whether the logits of each sample are brought to mean 0 and deviation 1 first (Sun et al. 2024, arXiv 2403.01427)"),
	COP_OPT_END,
};

/* The deviation is that of n - 1, as there. */
static cop_vid softened(cop_graph *g, cop_vid z, const options *o)
{
	const int32_t n = classes_of(g, z);

	if (!o->standardise || n < 2) return times(g, z, 1 / o->temperature);
	return times(g, normal(g, z, 1e-6f), sqrtf((float)(n - 1) / (float)n) / o->temperature);
}

static cop_vid distill(cop_graph *g, const void *options_, cop_vid z, cop_vid v)
{
	const options *o = options_;
	cop_vid loss = cross_entropy(g, softened(g, z, o), softmax(g, softened(g, v, o)));

	return times(g, loss, o->temperature * o->temperature * (o->standardise ? STANDARDISED : 1));
}

const cop_loss cop_loss_distill = {
	.row = {"distill", "cross-entropy with a teacher's softened answers", "Hinton et al. 2015, arXiv 1503.02531", table, sizeof(options)},
	.logits = true, .build = distill};

/* ---- dkd ---- */

typedef struct apart { float temperature, target, others; } apart;

static const cop_option apart_table[] = {
	COP_OPT_REAL(apart, temperature, 0.01, 1000, "4", "logits are divided by it"),
	COP_OPT_REAL(apart, target, 0, 1000, "1", "weight of the sample's class against all others"),
	COP_OPT_REAL(apart, others, 0, 1000, "8", "weight of the others among each other"),
	COP_OPT_END,
};

/* [batch, classes]: is it the sample's class? */
static cop_vid own_class(cop_graph *g, cop_vid z)
{
	const int32_t rows = cop__t(g, z)->dim[0], n = classes_of(g, z);
	cop_type labels = cop__type(COP_I32, 1, &rows), all = cop__type(COP_I32, 1, &n);
	int32_t *k = cop__arena_get(&g->mem, sizeof *k * (size_t)n);
	cop_vid label = cop__find(g, "label"), every = cop__find(g, "teacher's classes");

	if (!k) return 0;
	for (int32_t i = 0; i < n; i++) k[i] = i;
	if (!label) label = cop__input(g, "label", &labels);
	label = one(g, OP_reshape, &(cop_shape_attr){2, {rows, 1}}, label);
	if (!every) every = cop__data(g, COP_CONST, "teacher's classes", &all, k);
	return label && every ? cop__apply(g, OP_equal, NULL, VIDS(label, every)) : 0;
}

static cop_vid where(cop_graph *g, cop_vid cond, cop_vid a, cop_vid b)
{
	return cond && a && b ? cop__apply(g, OP_where, NULL, VIDS(cond, a, b)) : 0;
}

static cop_vid sum_of(cop_graph *g, cop_vid p) { return one(g, OP_reduce, &(cop_reduce_attr){REDUCE_SUM, 2, 1}, p); }

/* - mean p log q of a part of the classes whose probabilities are p and q; what is too small for a float is no infinite
 * loss. */
static cop_vid part_entropy(cop_graph *g, cop_vid p, cop_vid q)
{
	cop_vid log = one(g, OP_map, &(cop_map_attr){MAP_LOG, 0, 0}, two(g, OP_add, q, number(g, 1e-30f)));
	return times(g, mean(g, two(g, OP_mul, p, log), 3), -1);
}

static cop_vid dkd(cop_graph *g, const void *options_, cop_vid z, cop_vid v)
{
	const apart *o = options_;
	cop_vid own = own_class(g, z), zero = number(g, 0), never = number(g, -1000);
	cop_vid zt = times(g, z, 1 / o->temperature), vt = times(g, v, 1 / o->temperature), q = softmax(g, zt), p = softmax(g, vt);
	cop_vid target = two(g, OP_add, part_entropy(g, sum_of(g, where(g, own, p, zero)), sum_of(g, where(g, own, q, zero))),
		part_entropy(g, sum_of(g, where(g, own, zero, p)), sum_of(g, where(g, own, zero, q))));
	cop_vid others = cross_entropy(g, where(g, own, never, zt), softmax(g, where(g, own, never, vt)));

	return times(g, two(g, OP_add, times(g, target, o->target), times(g, others, o->others)), o->temperature * o->temperature);
}

const cop_loss cop_loss_dkd = {
	.row = {"dkd", "a teacher's softened answers, the sample's class and the others apart", "Zhao et al. 2022, arXiv 2203.08679", apart_table, sizeof(apart)},
	.logits = true, .number = true, .build = dkd};

/* ---- dist ---- */

typedef struct relations { float temperature, classes, samples; } relations;

static const cop_option relations_table[] = {
	COP_OPT_REAL(relations, temperature, 0.01, 1000, "4", "logits are divided by it"),
	COP_OPT_REAL(relations, classes, 0, 1000, "2", "weight of the correlation over the classes of a sample"),
	COP_OPT_REAL(relations, samples, 0, 1000, "2", "weight of the correlation over the samples of a class"),
	COP_OPT_END,
};

/* 1 - the mean correlation of rows. */
static cop_vid unlike(cop_graph *g, cop_vid q, cop_vid p)
{
	return two(g, OP_sub, number(g, 1), mean(g, two(g, OP_mul, normal(g, q, 1e-12f), normal(g, p, 1e-12f)), 3));
}

static cop_vid dist(cop_graph *g, const void *options_, cop_vid z, cop_vid v)
{
	const relations *o = options_;
	static const cop_shape_attr turned = {2, {1, 0}};
	cop_vid q = softmax(g, times(g, z, 1 / o->temperature)), p = softmax(g, times(g, v, 1 / o->temperature));
	cop_vid samples = unlike(g, one(g, OP_transpose, &turned, q), one(g, OP_transpose, &turned, p));

	return times(g, two(g, OP_add, times(g, unlike(g, q, p), o->classes), times(g, samples, o->samples)), o->temperature * o->temperature);
}

const cop_loss cop_loss_dist = {
	.row = {"dist", "how a teacher's softened answers go together, over classes and over samples", "Huang et al. 2022, arXiv 2205.10536", relations_table, sizeof(relations)},
	.logits = true, .build = dist};
