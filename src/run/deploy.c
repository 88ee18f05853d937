/* SPDX-License-Identifier: Apache-2.0
 *
 * deploy - from a model to a session of this machine, and how long a run of it takes.
 */
#include "core/need.h"
#include "run/deploy.h"
#include "pass/pass.h"

cop_status cop__host_open(cop_host *h, cop_graph *const *entry, int n_entry, uint32_t isa, int threads)
{
	cop_target t;

	*h = (cop_host){0};
	COP_TRY(cop_target_find(&t, entry[0]->cx, "host"));
	t.isa = (t.isa & isa) | (isa & COP_ISA_AMX); /* which a target never has: the caller has asked cop__cpu_bf16 */
	t.threads = threads;
	COP_TRY(cop_plan_build(&h->plan, entry, n_entry, &t));
	return cop_session_new(&h->s, h->plan, threads);
}

void cop__host_close(cop_host *h)
{
	cop_session_free(h->s);
	cop_plan_free(h->plan);
	*h = (cop_host){0};
}

cop_status cop__deploy(cop_deployed *d, const cop_graph *model, const cop_deploy_args *a)
{
	*d = (cop_deployed){0};
	COP_TRY(cop__batch_for(&d->g, model, &(cop_sized_args){.n = a->batch, .each = a->each}, &d->batch));
	COP_TRY(cop__pass_then(&d->g, cop__pass_deploy));
	return cop__host_open(&d->host, &d->g, 1, COP_ISA_ALL, a->threads);
}

void cop__deploy_free(cop_deployed *d)
{
	cop__host_close(&d->host);
	cop_graph_free(d->g);
	*d = (cop_deployed){0};
}

/* ---- time ---- */

enum { ROUNDS = 31 };

/* Microseconds of a run, the mean of `each`. */
static double a_round(cop_session *s, int each)
{
	double t0 = cop__seconds();
	for (int i = 0; i < each; i++) cop_session_run(s, 0);
	return 1e6 * (cop__seconds() - t0) / each;
}

/* Rounds of about a millisecond, on zeros: the kernels' time does not depend on the values. */
static double median(cop_session *s)
{
	double round[ROUNDS];
	int each = 1;

	a_round(s, 1); /* the first finds nothing in the caches */
	double one = a_round(s, 1);
	while (each * one < 1e3 && each < 1000) each *= 2;
	for (int r = 0; r < ROUNDS; r++) {
		double us = a_round(s, each);
		int j = r;
		for (; j > 0 && round[j - 1] > us; j--) round[j] = round[j - 1];
		round[j] = us;
	}
	return round[ROUNDS / 2];
}

cop_status cop__latency(double *microseconds, const cop_graph *model)
{
	cop_deployed d;
	cop_status st = cop__deploy(&d, model, &(cop_deploy_args){.batch = 1, .threads = 1});

	if (!st) *microseconds = median(d.host.s);
	cop__deploy_free(&d);
	return st;
}

cop_status cop_latency(double *microseconds, const cop_graph *g)
{
	COP_NEED(COP_CX(g), microseconds);
	COP_NEED(COP_CX(g), g);
	return cop__latency(microseconds, g);
}
