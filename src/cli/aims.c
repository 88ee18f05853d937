/* SPDX-License-Identifier: Apache-2.0
 *
 * aims - what `compress` is asked for without a recipe: its options, and the table of what each step cost and gained.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_TARGET = 0x4000, KEY_DROP, KEY_FILE, KEY_RAM, KEY_FLASH, KEY_MACS, KEY_INSTRUCTIONS, KEY_MS, KEY_BY };

const struct argp_option cli_aim_options[] = {
        {"target", KEY_TARGET, "NAME", 0, "without a recipe: the machine that the network is for, from `coppice targets` (default: host)", 0},
	{"max-drop", KEY_DROP, "POINTS", 0,
		"without a recipe: points of accuracy on the validation set that may be lost in all; "
		"without labels, percent of the loss", 0},
        {"file", KEY_FILE, "SIZE", 0, "without a recipe: the file may have this many bytes, such as 20000 or 20K", 0},
        {"ram", KEY_RAM, "SIZE", 0, "the same for the RAM of one inference", 0},
        {"flash", KEY_FLASH, "SIZE", 0, "the same for the weights in flash", 0},
        {"macs", KEY_MACS, "N", 0, "the same for the multiply-accumulates of one inference, such as 500K or 2M (here K is 1000)", 0},
        {"instructions", KEY_INSTRUCTIONS, "N", 0, "the same for its instructions on the target", 0},
        {"ms", KEY_MS, "TIME", 0, "the same for its milliseconds on this machine", 0},
	{"by", KEY_BY, "SCORE", 0, "without a recipe: the score that says which channels go first, as in recipes (default: taylor; random: as a control)", 0},
        {0},
};

/* "500K", "2M": thousands and millions. */
int64_t cli_many(struct argp_state *state, const char *name, const char *text)
{
	char *end;
	double v = *text >= '0' && *text <= '9' ? strtod(text, &end) : 0, times = 1;

	if (v > 0 && (*end == 'K' || *end == 'k')) times = 1e3, end++;
	else if (v > 0 && (*end == 'M' || *end == 'm')) times = 1e6, end++;
	if (!(v * times >= 1 && v * times < 1e15) || *end) cli_misuse(state, "%s=%s: must be a number above 0, such as 500000, 500K or 2M", name, text);
	return (int64_t)(v * times);
}

error_t cli_aim_option(int key, char *arg, struct argp_state *state, cli_aim *a)
{
	switch (key) {
	case KEY_TARGET: a->a.target = arg; break;
	case KEY_DROP:
		a->a.bounded = true;
		a->a.max_drop = cli_real(state, "--max-drop", arg, 0, 100);
		break;
	case KEY_FILE: a->a.file = cli_size(state, "--file", arg); break;
	case KEY_RAM: a->a.ram = cli_size(state, "--ram", arg); break;
	case KEY_FLASH: a->a.flash = cli_size(state, "--flash", arg); break;
	case KEY_MACS: a->a.macs = cli_many(state, "--macs", arg); break;
	case KEY_INSTRUCTIONS: a->a.instructions = cli_many(state, "--instructions", arg); break;
	case KEY_MS:
		a->a.milliseconds = cli_real(state, "--ms", arg, 0, 1e6f);
		if (!(a->a.milliseconds > 0)) cli_misuse(state, "--ms=%s: must be above 0", arg);
		break;
	case KEY_BY: a->a.by = arg; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
	a->given = true;
	return 0;
}

cop_status cli_aim_settle(cli *c, const cli_aim *a, const char *recipe, const char *data)
{
	cop_target t;

	if ((a->given || a->a.by) && recipe)
		return cli_fail(c, COP_ARG, "--recipe and aims such as --max-drop were given together: a recipe says itself what it "
			"does; leave one of them out");
	if (!a->given && !recipe)
		return cli_fail(c, COP_ARG, "--recipe is missing: give a file, or a name such as deep-compression; or say what is "
			"wanted, as --max-drop 0.5 --flash 128K");
	if (a->given && !data) return cli_fail(c, COP_ARG, "--data NAME is missing: what may be removed, and what that costs, is measured on samples");
	return a->a.target ? cop_target_find(&t, c->cx, a->a.target) : COP_OK;
}

/* A quarter of the usual epochs for each round, at a fifth of the rate, without a warmup: the network is trained already. */
void cli_aim_defaults(const cli_train *given, cop_train_args *a)
{
	if (!given->a.epochs) a->epochs = a->epochs / 4 > 1 ? a->epochs / 4 : 1;
	if (!given->has_lr) a->lr /= 5;
	if (!given->a.schedule) a->schedule = "cosine"; /* no warmup: it would take a good part of so few epochs */
}

/* ---- the table ---- */

static void number(cli *c, const char *key, double v, int width)
{
	char text[32];

	cli_number_text(text, v);
	cli_put_int(c, key, (int64_t)v);
	cli_out(c, " %*s", width, text);
}

static void row(cli *c, const char *stage, const cop_stage_result *s, int at)
{
	char percent[32];

	snprintf(percent, sizeof percent, "%.2f %%", 100 * (double)s->accuracy[at]);
	cli_out(c, "%-10s %10s", stage, s->accuracy[at] >= 0 ? percent : "");
	if (s->accuracy[at] >= 0) cli_put_real(c, "accuracy", (double)s->accuracy[at]);
	cli_put_real(c, "loss", (double)s->loss[at]);
	if (s->accuracy[at] < 0) cli_out(c, " loss %.5g", (double)s->loss[at]);
	number(c, "file_bytes", (double)s->bytes[at], 11);
	number(c, "flash_bytes", (double)s->flash[at], 11);
	number(c, "ram_bytes", (double)s->ram[at], 10);
	number(c, "macs", (double)s->macs[at], 13);
	if (s->instructions[at]) number(c, "instructions", (double)s->instructions[at], 13);
}

void cli_aim_table(cli *c, const cli_aim *a, const cop_compress_result *r)
{
	cli_put_text(c, "target", a->a.target ? a->a.target : "host");
	cli_put_list(c, "steps");
	cli_out(c, "%-10s %10s %11s %11s %10s %13s%s\n", "step", "validation", "file", "flash", "RAM", "MACs",
		r->n_stage && r->stage[0].instructions[1] ? "  instructions" : "");
	for (int32_t i = -1; i < r->n_stage; i++) {
		const cop_stage_result *s = &r->stage[i < 0 ? 0 : i];
		cli_put_item(c, NULL);
		cli_put_text(c, "step", i < 0 ? "as it came" : s->stage);
		row(c, i < 0 ? "as it came" : s->stage, s, i >= 0);
		if (i >= 0) cli_put_bool(c, "kept", s->kept), cli_put_text(c, "what", s->what), cli_put_text(c, "why", s->why), cli_put_real(c, "seconds", s->seconds);
		cli_out(c, "%s%s\n", i < 0 ? "" : s->kept ? "  kept" : "  undone: ", i < 0 ? "" : s->why);
		if (i >= 0 && *s->what) cli_out(c, "           what stays: %s\n", s->what);
		cli_put_item_end(c);
	}
	cli_put_end(c);
	cli_put_text(c, "code", r->code ? cli_code_name(r->code) : "none");
	if (r->code == COP_CODE_ADAPTIVE)
		cli_out(c, "the weights lie in flash under the adaptive code, about 300 instructions for each that is not zero: tables, which are decoded faster, did not meet --flash\n");
	cli_put_text(c, "lacks", r->lacks);
	if (!r->after.figures.instructions) cli_out(c, "there are no prices in instructions for this machine, so MACs stand for its time\n");
	else if (r->after.figures.guessed > 0.05f)
		cli_out(c, "for %.0f %% of the work the table of prices has no kernel; its instructions are guessed from MACs\n",
			100 * (double)r->after.figures.guessed);
}
