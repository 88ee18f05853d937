/* SPDX-License-Identifier: Apache-2.0
 *
 * compare - several networks side by side, and which of them no other one beats.
 */
#include "compared.h"

#include <stdio.h>
#include <string.h>

enum { KEY_TARGET = 0x3000, KEY_LIMIT };

static const struct argp_option options[] = {
        {"data", 'd', "NAME", 0, "data set to score them on: its test part (default: the accuracy that each file was saved with)", 0},
        {"target", KEY_TARGET, "NAME", 0, "machine that bytes, MACs and time are for, from `coppice targets` (default: host)", 0},
        {"limit", KEY_LIMIT, "N", 0, "use the first N samples", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	cli_compared *all = ud;

	switch (key) {
	case 'd': all->data = arg; return 0;
	case KEY_TARGET: all->target = arg; return 0;
	case KEY_LIMIT: all->limit = cli_int(state, "--limit", arg, 0, 1 << 30); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static void number(cli *c, const char *key, double v, int width)
{
	char text[32];

	cli_number_text(text, v);
	cli_put_int(c, key, (int64_t)v);
	cli_out(c, " %*s", width, text);
}

static void row(cli *c, const cop_compared *x)
{
	const cop_figures *f = &x->figures;

	cli_put_item(c, NULL);
	cli_put_text(c, "file", x->name);
	cli_out(c, "%-28s", x->name);
	if (x->accuracy >= 0) cli_put_real(c, "accuracy", (double)x->accuracy), cli_out(c, " %7.2f %%", 100 * (double)x->accuracy);
	else if (x->loss > 0) cli_put_real(c, "loss", (double)x->loss), cli_out(c, " %9.4g", (double)x->loss);
	else cli_out(c, " %9s", "");
	number(c, "file_bytes", (double)f->file_bytes, 11);
	number(c, "flash_bytes", (double)f->flash_bytes, 11);
	number(c, "ram_bytes", (double)f->ram_bytes, 10);
	number(c, "macs", (double)f->macs, 13);
	if (f->instructions) number(c, "instructions", (double)f->instructions, 13);
	if (x->microseconds > 0) cli_put_real(c, "microseconds", x->microseconds), cli_out(c, " %9.4g us", x->microseconds);
	cli_put_bool(c, "front", x->front);
	cli_out(c, "%s\n", x->front ? "  *" : "");
	cli_put_item_end(c);
}

cop_status cmd_compare(cli *c, int argc, char **argv)
{
	static cli_compared all;
	const cli_line line = {options, "FILE...",
		"Prints accuracy, bytes, RAM, flash, multiply-accumulates and time of several networks "
		"side by side. A star marks those that no other one beats in accuracy and in the bytes of the file at once.\v"
	        "Example:\n  coppice compare net.cop small.cop smaller.cop --data mnist --target cortex-m4",
	        option, &all, all.file, CLI_MOST_COMPARED, 2};

	all = (cli_compared){.n = 0};
	CLI_TRY(cli_parse_samples(c, &line, &all.s, argc, argv));
	CLI_TRY(cli_compared_measure(&all, c));
	const bool losses = all.of[0].accuracy < 0 && all.of[0].loss > 0, counted = all.of[0].figures.instructions > 0;
	cli_put_text(c, "target", all.target ? all.target : "host");
	cli_out(c, "%-28s %9s %11s %11s %10s %13s %13s\n", "network", losses ? "loss" : "accuracy", "file", "flash", "RAM", "MACs",
		counted ? "instructions" : all.of[0].microseconds > 0 ? "time" : "");
	cli_put_list(c, "networks");
	for (int i = 0; i < all.n; i++) row(c, &all.of[i]);
	cli_put_end(c);
	return COP_OK;
}
