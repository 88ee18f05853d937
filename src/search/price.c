/* SPDX-License-Identifier: Apache-2.0
 *
 * price - what a design takes on the target: its network as it is deployed, in integers, planned. Weights and ranges do
 * not matter for that, so they are those that it begins with, and one sample is enough.
 */
#include "search/search.h"

#include "compress/quantize/quantize.h"
#include "pass/pass.h"
#include "plan/plan.h"
#include "train/policy.h"

cop_status cop__design_graph(cop_graph **out, const cop_searcher *z, const cop_design *d)
{
	cop_dataset *use, *made = NULL;
	char rest[200];
	cop_text t;

	*out = NULL;
	cop__text_init(&t, z->cx);
	cop__design_text(&t, d, &z->train->x, z->train->classes);
	cop_status st = t.status ? t.status : cop_network_read(out, z->cx, "found", t.data, t.len, z->a->seed);
	cop__text_free(&t);
	if (!st) st = cop__adopt_names(*out, &z->few);
	if (!st) st = cop__fit_for(&use, &made, *out, (cop_dataset *)(uintptr_t)&z->few);
	if (!st) st = cop__normalise(*out, use, z->a->augment, rest, sizeof rest);
	cop_data_free(made);
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}

/* Without looking at what rounding does, and with all its channels: the network is not trained, and which of them are
 * dead is not known. */
static cop_status roughly(cop_graph **out, const cop_searcher *z, const cop_graph *g)
{
	const cop_quantize_args a = {.limit = 1, .range = "minmax", .threads = 1};
	cop_dataset few = z->few;
	cop_quantizer q = {.a = &a, .weight_bits = 8, .act_bits = 8};

	*out = NULL;
	cop_status st = cop__quantizer_open(&q, g, &few);
	if (!st) st = cop__set_ranges(&q);
	if (!st) st = cop__quantize_weights(&q);
	if (!st) st = cop__lower_quantized(out, &q);
	cop__quantizer_close(&q);
	return st;
}

cop_status cop__search_deploy(cop_graph **out, const cop_searcher *z, const cop_graph *g, bool exact)
{
	enum { CALIBRATED = 256 };
	const cop_quantize_args a = {.limit = CALIBRATED, .threads = z->a->threads, .seed = z->a->seed};

	if (!exact) return roughly(out, z, g);
	COP_TRY(cop_graph_copy(out, g));
	cop_status st = cop_quantize(out, z->train, &a);
	if (!st) st = cop__pass_then(out, cop__pass_shrink);
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}

cop_status cop__design_price(cop_figures *f, const cop_searcher *z, const cop_design *d)
{
	cop_graph *g, *q = NULL;

	COP_TRY(cop__design_graph(&g, z, d));
	cop_status st = cop__search_deploy(&q, z, g, false);
	if (!st) st = cop_measure(f, q, &z->t);
	f->file_bytes = 0;
	cop_graph_free(q);
	cop_graph_free(g);
	return st;
}

double cop__price_excess(const cop_searcher *z, const cop_figures *f, char *text, size_t size)
{
	const cop_search_args *s = z->s;
	const struct {
		double is, most;
		const char *what;
	} all[] = {{(double)f->ram_bytes, (double)s->ram, "bytes of RAM"},
	        {(double)f->flash_bytes, (double)s->flash, "bytes of flash"},
	        {(double)f->macs, (double)s->macs, "multiply-accumulates"},
	        {(double)f->instructions, (double)s->instructions, "instructions"}};
	double sum = 0;

	if (size) *text = 0;
	for (int i = 0; i < LEN(all); i++) {
		if (!(all[i].most > 0) || all[i].is <= all[i].most) continue;
		const size_t n = size ? strlen(text) : 0;
		if (size)
			cop__format(text + n, size - n, "%s%.0f %s, %.0f are allowed", n ? "; " : "", all[i].is,
			        all[i].what, all[i].most);
		sum += all[i].is / all[i].most - 1;
	}
	return sum;
}

bool cop__price_fits(const cop_searcher *z, const cop_figures *f)
{
	return cop__price_excess(z, f, NULL, 0) == 0;
}
