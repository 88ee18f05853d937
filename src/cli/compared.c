/* SPDX-License-Identifier: Apache-2.0
 *
 * compared - see compared.h.
 */
#include "compared.h"

#include <string.h>

static cop_status accuracy(cop_compared *out, cli_compared *all, cli *c, cop_graph *g)
{
	cop_dataset *test = NULL;
	cop_score s;

	if (!all->data) return out->accuracy = cop_graph_accuracy(g), COP_OK;
	CLI_TRY(cli_samples_set(c, g, &all->s));
	CLI_TRY(cli_data_open(&test, c, &all->s, g, all->data, NULL, all->limit));
	cop_status st = cli_data_fits(c, g, test);
	if (!st) st = cop_eval(&s, g, test, 100, cli_threads(c));
	if (!st) out->accuracy = s.accuracy, out->loss = s.loss;
	cop_data_free(test);
	return st;
}

cop_status cli_compared_measure(cli_compared *all, cli *c)
{
	cop_target t;

	while (all->n < CLI_MOST_COMPARED && all->file[all->n]) all->n++;
	CLI_TRY(cop_target_find(&t, c->cx, all->target ? all->target : "host"));
	const bool timed = !strcmp(t.name, "host");
	for (int i = 0; i < all->n; i++) {
		cop_compared *x = &all->of[i];
		cop_graph *g;
		CLI_TRY(cli_model(&g, c, all->file[i]));
		*x = (cop_compared){.name = all->file[i], .accuracy = -1};
		cop_status st = cop_measure(&x->figures, g, &t);
		if (!st && timed) st = cop_latency(&x->microseconds, g);
		int64_t bytes = cli_file_size(all->file[i]);
		x->figures.file_bytes = bytes > 0 ? (size_t)bytes : 0;
		if (!st) st = accuracy(x, all, c, g);
		cop_graph_free(g);
		CLI_TRY(st);
	}
	cop_compare_front(all->of, all->n);
	return COP_OK;
}
