/* SPDX-License-Identifier: Apache-2.0
 *
 * orders - what a recipe did, as tables: what each stage cost and gained, and with order: search what became of each order.
 */
#include "cli.h"

#include <stdio.h>

/* "98.12 %", or the loss where there are no labels. */
static void worth(char out[32], float accuracy, float loss)
{
	snprintf(out, 32, accuracy >= 0 ? "%.2f %%" : "loss %.4g", accuracy >= 0 ? 100 * (double)accuracy : (double)loss);
}

static void two(cli *c, const char *key, double a, double b, bool whole)
{
	cli_put_rows(c, key);
	if (whole) cli_put_int(c, NULL, (int64_t)a), cli_put_int(c, NULL, (int64_t)b);
	else cli_put_real(c, NULL, a), cli_put_real(c, NULL, b);
	cli_put_end(c);
}

static void stage(cli *c, const cop_stage_result *s)
{
	char was[32], is[32], from[32], to[32];

	worth(was, s->accuracy[0], s->loss[0]);
	worth(is, s->accuracy[1], s->loss[1]);
	cli_number_text(from, (double)s->bytes[0]);
	cli_number_text(to, (double)s->bytes[1]);
	cli_out(c, "  %-12s %12s -> %-12s %11s -> %-11s %s%s\n", s->stage, was, is, from, to, s->kept ? "kept" : "undone: ", s->why);
	cli_put_item(c, NULL);
	cli_put_text(c, "stage", s->stage);
	if (s->accuracy[0] >= 0) two(c, "accuracy", (double)s->accuracy[0], (double)s->accuracy[1], false);
	two(c, "loss", (double)s->loss[0], (double)s->loss[1], false);
	two(c, "file_bytes", (double)s->bytes[0], (double)s->bytes[1], true);
	cli_put_bool(c, "kept", s->kept);
	cli_put_text(c, "why", s->why);
	cli_put_real(c, "seconds", s->seconds);
	cli_put_item_end(c);
}

static void order(cli *c, const cop_order_result *o)
{
	char is[32], bytes[32];

	worth(is, o->accuracy, o->loss);
	cli_number_text(bytes, (double)o->bytes);
	cli_out(c, "  %-40s %12s %8.2f %11s %5d%s\n", o->order, is, o->lost, bytes, o->kept, o->best ? "  chosen" : o->fits ? "" : "  loses too much");
	cli_put_item(c, NULL);
	cli_put_text(c, "order", o->order);
	if (o->accuracy >= 0) cli_put_real(c, "accuracy", (double)o->accuracy);
	if (o->test >= 0) cli_put_real(c, "test_accuracy", (double)o->test);
	cli_put_real(c, "loss", (double)o->loss);
	cli_put_real(c, "lost", o->lost);
	cli_put_int(c, "file_bytes", (int64_t)o->bytes);
	cli_put_int(c, "stages_kept", o->kept);
	cli_put_bool(c, "fits", o->fits);
	cli_put_bool(c, "best", o->best);
	cli_put_real(c, "seconds", o->seconds);
	cli_put_item_end(c);
}

void cli_recipe_tables(cli *c, const cop_compress_result *r)
{
	if (r->n_order) {
		cli_out(c, "  %-40s %12s %8s %11s %5s\n", "order", "validation", "lost", "file", "kept");
		cli_put_list(c, "orders");
		for (int32_t i = 0; i < r->n_order; i++) order(c, &r->order[i]);
		cli_put_end(c);
	}
	cli_out(c, "  %-12s %12s    %-12s %11s\n", "stage", "validation", "", "file");
	cli_put_list(c, "stages");
	for (int32_t i = 0; i < r->n_stage; i++) stage(c, &r->stage[i]);
	cli_put_end(c);
}
