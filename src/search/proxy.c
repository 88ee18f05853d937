/* SPDX-License-Identifier: Apache-2.0
 *
 * proxy - what gradients of one batch say of a network that is not trained.
 */
#include "search/search.h"

#include "train/policy.h"

#include <math.h>

enum { ROWS = 64, SAMPLES = 0x9a0f };

typedef double measure(const float *w, const float *g, int64_t n);

static double squares(const float *w, const float *g, int64_t n)
{
	double sum = 0;

	(void)w;
	for (int64_t i = 0; i < n; i++) sum += (double)g[i] * (double)g[i];
	return sum;
}

static double products(const float *w, const float *g, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++) sum += fabs((double)w[i] * (double)g[i]);
	return sum;
}

/* The same samples for every design. */
static cop_status fill(cop_trainer *t, const cop_searcher *z, const cop_graph *g)
{
	cop_dataset *d, *made;
	cop_tensor x, y;

	COP_TRY(cop__fit_for(&d, &made, g, z->train));
	cop_status st = cop_trainer_input(t, 0, &x);
	if (!st) st = cop_trainer_input(t, 1, &y);
	for (int32_t i = 0; !st && i < ROWS; i++)
		st = d->get(d->ud, (int32_t)(cop__rand(z->a->seed, SAMPLES, (uint64_t)i) % (uint32_t)d->count),
		        (float *)x.data + i * cop_type_count(&d->x), (int32_t *)y.data + i);
	cop_data_free(made);
	return st;
}

static cop_status sum_of(double *sum, const cop_searcher *z, const cop_design *d, measure *of)
{
	cop_trainer *t = NULL;
	cop_graph *g;
	cop_tensor w, dw;
	const char *name;

	*sum = 0;
	COP_TRY(cop__design_graph(&g, z, d));
	cop_status st = cop_trainer_new(&t, g,
	        &(cop_trainer_args){.batch = ROWS, .threads = z->a->threads, .spec = "loss=xent", .apart = true});
	if (!st) st = fill(t, z, g);
	if (!st) st = cop_trainer_gradients(t, NULL);
	for (int32_t i = 0; !st && (name = cop_trainer_gradient(t, i, &dw)); i++) {
		st = cop_graph_tensor(g, name, &w);
		if (!st) *sum += of(w.data, dw.data, cop_type_count(&dw.type));
	}
	cop_trainer_free(t);
	cop_graph_free(g);
	return st;
}

cop_status cop__judge_grad_norm(cop_judged_design *j, const cop_searcher *z)
{
	double sum;

	COP_TRY(sum_of(&sum, z, &j->d, squares));
	j->score = (float)sqrt(sum);
	return COP_OK;
}

cop_status cop__judge_snip(cop_judged_design *j, const cop_searcher *z)
{
	double sum;

	COP_TRY(sum_of(&sum, z, &j->d, products));
	j->score = (float)sum;
	return COP_OK;
}
