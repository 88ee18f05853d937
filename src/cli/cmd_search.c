/* SPDX-License-Identifier: Apache-2.0
 *
 * search - finds a network for a machine: of those that fit the best. Every network that is tried is told of as it comes; those that no other one beats go to the table, and to a page.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_TARGET = 0x3000, KEY_RAM, KEY_FLASH, KEY_MACS, KEY_INSTRUCTIONS, KEY_SPACE, KEY_BY, KEY_JUDGE, KEY_DRAWS, KEY_TRIES, KEY_POPULATION, KEY_EACH, KEY_ON, KEY_FINALISTS, KEY_KEEP_SHARED, KEY_FRONT,
	KEY_NETWORK, KEY_RESUME, KEY_CHECKPOINT };

typedef struct job {
	cli *c;
	cli_train t;
	cli_samples s;
	cop_search_args a;
	const char *out, *front, *network, *checkpoint;
	char beside[CLI_MOST_PATH];
	cli_log log;
	cop_tried *tried;
	cop_compared *compared; /* the same, with names "#1", "#2" */
	int n;
} job;

static const struct argp_option own[] = {
        {"output", 'o', "FILE", 0, "file for the network that is found, trained and of integers (.cop)", 0},
        {"target", KEY_TARGET, "NAME", 0, "the machine that the network is for, from `coppice targets` (default: host)", 0},
        {"ram", KEY_RAM, "SIZE", 0, "the RAM of one inference may be this many bytes, such as 20000 or 20K (default: what the machine has)", 0},
        {"flash", KEY_FLASH, "SIZE", 0, "the same for the weights in flash", 0},
        {"macs", KEY_MACS, "N", 0, "the same for the multiply-accumulates of one inference, such as 500K or 2M (here K is 1000)", 0},
        {"instructions", KEY_INSTRUCTIONS, "N", 0, "the same for its instructions on the target", 0},
        {"space", KEY_SPACE, "NAMES", 0, "families of networks to choose from, from `coppice spaces`, as inverted,residual (default: all)", 0},
        {"by", KEY_BY, "NAME", 0, "how the next network is found, from `coppice ways`: evolution, or random as a control (default: evolution)", 0},
        {"judge", KEY_JUDGE, "NAME", 0, "how a network is judged, from `coppice judges`: train, shared, macs, grad-norm, snip (default: train)", 0},
        {"draws", KEY_DRAWS, "N", 0, "networks drawn from each space to choose the space (default: 50)", 0},
        {"tries", KEY_TRIES, "N", 0, "networks that are judged (default: 40)", 0},
        {"population", KEY_POPULATION, "N", 0, "networks of one generation (default: a quarter of --tries)", 0},
        {"each", KEY_EACH, "N", 0, "epochs of training for each network that is judged (default: 1); with --judge shared, epochs for the shared weights (default: 20); of no use with other judges", 0},
        {"judge-on", KEY_ON, "N", 0, "judge on the first N samples of the validation set (default: all)", 0},
        {"finalists", KEY_FINALISTS, "N", 0, "of the networks that are judged, the N best are trained in full, and the best of these is kept (default: 3)", 0},
        {"keep-shared", KEY_KEEP_SHARED, NULL, 0, "with --judge shared: the network that is found begins with the shared weights, not with random ones", 0},
        {"front", KEY_FRONT, "FILE", 0, "file (.html) for a page of all networks that were tried; it marks the best of each size where their accuracy is judged", 0},
        {"network", KEY_NETWORK, "FILE", 0, "file (.txt) for the network that is found as text, which `coppice train` takes", 0},
        {"resume", KEY_RESUME, NULL, 0, "continue from the checkpoint", 0},
        {"checkpoint", KEY_CHECKPOINT, "FILE", 0, "file for what was tried; of trainings, FILE.stage0, FILE.stage1 and so on (default: OUTPUT.ckpt, removed at the end)", 0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;
	cop_search_args *a = &j->a;

	switch (key) {
	case 'o': j->out = arg; return 0;
	case KEY_TARGET: a->target = arg; return 0;
	case KEY_RAM: a->ram = cli_size(state, "--ram", arg); return 0;
	case KEY_FLASH: a->flash = cli_size(state, "--flash", arg); return 0;
	case KEY_MACS: a->macs = cli_many(state, "--macs", arg); return 0;
	case KEY_INSTRUCTIONS: a->instructions = cli_many(state, "--instructions", arg); return 0;
	case KEY_SPACE: a->space = arg; return 0;
	case KEY_BY: a->by = arg; return 0;
	case KEY_JUDGE: a->judge = arg; return 0;
	case KEY_DRAWS: a->draws = cli_int(state, "--draws", arg, 1, 100000); return 0;
	case KEY_TRIES: a->tries = cli_int(state, "--tries", arg, 1, 100000); return 0;
	case KEY_POPULATION: a->population = cli_int(state, "--population", arg, 1, 100000); return 0;
	case KEY_EACH: a->epochs = cli_int(state, "--each", arg, 1, 100000); return 0;
	case KEY_ON: a->limit = cli_int(state, "--judge-on", arg, 1, 1 << 30); return 0;
	case KEY_FINALISTS: a->finalists = cli_int(state, "--finalists", arg, 1, COP_MOST_FINALISTS); return 0;
	case KEY_KEEP_SHARED: a->keep_shared = true; return 0;
	case KEY_FRONT: j->front = arg; return 0;
	case KEY_NETWORK: j->network = arg; return 0;
	case KEY_RESUME: j->t.a.resume = true; return 0;
	case KEY_CHECKPOINT: j->checkpoint = arg; return 0;
	default: return cli_train_option(key, arg, state, &j->t);
	}
}

/* ---- while it runs ---- */

static void progress(void *ud, const cop_epoch *e)
{
	job *j = ud;

	cli_progress(j->c, e);
	cli_log_epoch(&j->log, e);
}

static void worth(char out[32], const cop_tried *t)
{
	if (t->accuracy >= 0) snprintf(out, 32, "%.2f %%", 100 * (double)t->accuracy);
	else snprintf(out, 32, "%.6g", (double)t->score);
}

static void tried(void *ud, const cop_tried *t)
{
	job *j = ud;
	cop_tried *more = realloc(j->tried, sizeof *more * (size_t)(j->n + 1));
	char text[32], ram[32], flash[32], macs[32];

	if (!more) return;
	j->tried = more;
	j->tried[j->n++] = *t;
	worth(text, t);
	cli_number_text(ram, (double)t->figures.ram_bytes);
	cli_number_text(flash, (double)t->figures.flash_bytes);
	cli_number_text(macs, (double)t->figures.macs);
	cli_progress_end(j->c);
	cli_note(j->c, "#%d: %s, RAM %s, flash %s, %s MACs%s", t->number, text, ram, flash, macs, t->best ? ", the best so far" : "");
}

static void trained(char out[96], const cop_finalist *f)
{
	if (f->accuracy[0] >= 0) snprintf(out, 96, "#%d, trained: %.2f %% on the validation set in floats, %.2f %% in int8", f->number, 100 * (double)f->accuracy[0], 100 * (double)f->accuracy[1]);
	else snprintf(out, 96, "#%d: its training diverged", f->number);
}

static void finished(void *ud, const cop_finalist *f)
{
	job *j = ud;
	char text[96];

	if (f->best && f->accuracy[0] < 0) return; /* nothing measures it */
	trained(text, f);
	cli_progress_end(j->c);
	cli_note(j->c, "%s%s", text, f->best ? ", the best so far" : "");
}

/* ---- at the end ---- */

static void number(cli *c, const char *key, double v, int width)
{
	char text[32];

	cli_number_text(text, v);
	cli_put_int(c, key, (int64_t)v);
	cli_out(c, " %*s", width, text);
}

static void spaces(cli *c, const cop_search_result *r)
{
	cli_out(c, "%-12s %7s %7s %7s %7s %13s\n", "space", "widths", "stride", "drawn", "fit", "MACs, mean");
	cli_put_list(c, "spaces");
	for (int32_t i = 0; i < r->n_space; i++) {
		const cop_search_space *s = &r->space[i];
		char macs[32] = "";
		if (s->fit) cli_number_text(macs, s->macs);
		cli_put_item(c, NULL);
		cli_put_text(c, "space", s->name);
		cli_put_int(c, "widths", s->scale);
		cli_put_int(c, "stride", s->shrink);
		cli_put_int(c, "drawn", s->drawn);
		cli_put_int(c, "fit", s->fit);
		cli_put_real(c, "macs", s->macs);
		cli_put_bool(c, "chosen", s->chosen);
		cli_put_item_end(c);
		cli_out(c, "%-12s %5d %% %6dx %7d %7d %13s%s\n", s->name, s->scale, s->shrink, s->drawn, s->fit, macs, s->chosen ? "  searched" : "");
	}
	cli_put_end(c);
}

static void row(cli *c, const cop_tried *x, bool front, bool best)
{
	char text[32];

	cli_put_item(c, NULL);
	cli_put_int(c, "number", x->number);
	if (x->accuracy >= 0) cli_put_real(c, "accuracy", (double)x->accuracy);
	cli_put_real(c, "score", (double)x->score);
	cli_put_int(c, "flash_bytes", (int64_t)x->figures.flash_bytes);
	cli_put_int(c, "ram_bytes", (int64_t)x->figures.ram_bytes);
	cli_put_int(c, "macs", x->figures.macs);
	if (x->figures.instructions) cli_put_int(c, "instructions", x->figures.instructions);
	cli_put_bool(c, "front", front);
	cli_put_item_end(c);
	if (!front && !best) return; /* of the others the object alone tells */
	worth(text, x);
	snprintf(text + strlen(text), sizeof text - strlen(text), "%s", best ? " *" : "");
	cli_out(c, "#%-11d %15s", x->number, text);
	char n[4][32];
	cli_number_text(n[0], (double)x->figures.flash_bytes), cli_number_text(n[1], (double)x->figures.ram_bytes), cli_number_text(n[2], (double)x->figures.macs);
	cli_number_text(n[3], (double)x->figures.instructions);
	cli_out(c, " %11s %10s %13s %13s\n", n[0], n[1], n[2], x->figures.instructions ? n[3] : "");
}

static cop_status compare(job *j)
{
	if (!(j->compared = calloc((size_t)j->n + 1, sizeof *j->compared))) return COP_NOMEM;
	for (int i = 0; i < j->n; i++) {
		char *name = malloc(16);
		if (!name) return COP_NOMEM;
		snprintf(name, 16, "#%d", j->tried[i].number);
		j->compared[i] = (cop_compared){.name = name, .accuracy = j->tried[i].accuracy, .figures = j->tried[i].figures};
	}
	cop_compare_front(j->compared, j->n);
	return j->front ? cop_report_front_html(j->front, j->c->cx, j->compared, j->n, j->a.target) : COP_OK;
}

static void tables(job *j, const cop_search_result *r)
{
	cli *c = j->c;

	spaces(c, r);
	cli_out(c, "%-12s %15s %11s %10s %13s %13s\n", "network", "judged", "flash", "RAM", "MACs", r->figures.instructions ? "instructions" : "");
	cli_put_list(c, "tried");
	for (int i = 0; i < j->n; i++) row(c, &j->tried[i], j->compared[i].front, j->tried[i].number == r->best);
	cli_put_end(c);
}

static void finalists(cli *c, const cop_search_result *r)
{
	char text[96];

	cli_put_list(c, "finalists");
	for (int32_t i = 0; i < r->n_finalist; i++) {
		const cop_finalist *f = &r->finalist[i];
		cli_put_item(c, NULL);
		cli_put_int(c, "number", f->number);
		if (f->accuracy[0] >= 0) cli_put_real(c, "accuracy_float", (double)f->accuracy[0]), cli_put_real(c, "accuracy_valid", (double)f->accuracy[1]);
		cli_put_item_end(c);
		trained(text, f);
		if (r->n_finalist > 1) cli_out(c, "%s\n", text);
	}
	cli_put_end(c);
}

static void result(job *j, const cop_search_result *r, const cop_score *test)
{
	cli *c = j->c;
	const cop_figures *f = &r->figures;

	cli_put_text(c, "output", j->out);
	cli_put_int(c, "best", r->best);
	if (r->judged >= 0) cli_put_real(c, "judged", (double)r->judged);
	if (r->accuracy[0] >= 0) cli_put_real(c, "accuracy_float", (double)r->accuracy[0]);
	if (test->accuracy >= 0) cli_put_real(c, "accuracy", (double)test->accuracy);
	cli_out(c, "%s: #%d", j->out, r->best);
	if (r->accuracy[0] >= 0) cli_out(c, ", trained: %.2f %% on the validation set in floats, %.2f %% in int8", 100 * (double)r->accuracy[0], 100 * (double)r->accuracy[1]);
	if (r->accuracy[1] >= 0) cli_put_real(c, "accuracy_valid", (double)r->accuracy[1]);
	if (test->accuracy >= 0) cli_out(c, ", %.2f %% on the test part", 100 * (double)test->accuracy);
	cli_out(c, "\n%s: on %s", j->out, j->a.target ? j->a.target : "host");
	number(c, "ram_bytes", (double)f->ram_bytes, 0), cli_out(c, " bytes of RAM,");
	number(c, "flash_bytes", (double)f->flash_bytes, 0), cli_out(c, " of flash,");
	number(c, "macs", (double)f->macs, 0), cli_out(c, " MACs");
	if (f->instructions) cli_out(c, ","), number(c, "instructions", (double)f->instructions, 0), cli_out(c, " instructions");
	cli_put_int(c, "parameters", f->parameters);
	cli_put_text(c, "network", r->network);
	cli_put_text(c, "lacks", r->lacks);
	cli_out(c, "\n");
}

/* ---- the work ---- */

static cop_status open_data(job *j, cop_dataset **train, cop_dataset **valid, cop_dataset **test)
{
	cli *c = j->c;

	CLI_TRY(cli_train_open(train, c, &j->s, NULL, &j->t));
	CLI_TRY(cli_valid_open(valid, c, &j->s, NULL, &j->t, *train));
	return cli_data_open(test, c, &j->s, NULL, j->t.data, "test", j->t.limit);
}

static cop_status save(job *j, cop_graph *g, const cop_search_result *r)
{
	CLI_TRY(compare(j));
	if (j->network) CLI_TRY(cop_file_write(j->c->cx, j->network, r->network, strlen(r->network)));
	CLI_TRY(cop_model_save(g, j->out));
	return cop_checkpoint_remove(j->c->cx, j->t.a.checkpoint);
}

static void say_training(job *j, const char *like, const cop_dataset *train)
{
	cop_train_defaults(&j->t.a, like, train);
	cli_put_int(j->c, "epochs", j->t.a.epochs);
	cli_train_say(j->c, &j->t.a);
}

static cop_status search(job *j)
{
	static cop_search_result r;
	cli *c = j->c;
	cop_dataset *train = NULL, *valid = NULL, *test = NULL;
	cop_graph *g = NULL;
	cop_score score = {.accuracy = -1};

	cop_status st = open_data(j, &train, &valid, &test);
	if (!st) st = cop_search(&g, c->cx, &j->a, train, valid, &j->t.a, &r);
	st = cli_log_end(&j->log, st);
	cli_progress_end(c);
	if (st == COP_STOPPED) st = cli_fail(c, st, "%s; run the same command with --resume to continue from %s", cop_error_text(c->cx), j->t.a.checkpoint);
	if (!st) st = cop_eval(&score, g, test, 100, cli_threads(c));
	if (!st) st = save(j, g, &r);
	if (!st) say_training(j, r.like, train);
	if (!st) tables(j, &r), finalists(c, &r), result(j, &r, &score), c->wrote = true;
	if (!st && *r.lacks) st = cli_fail(c, COP_BUDGET, "%s: the network that was found does not fit once it is trained: %s", j->out, r.lacks);
	for (int i = 0; j->compared && i < j->n; i++) free((void *)(uintptr_t)j->compared[i].name);
	free(j->compared);
	free(j->tried);
	cop_graph_free(g);
	cop_data_free(test);
	cop_data_free(valid);
	cop_data_free(train);
	return st;
}

static cop_status claim_files(job *j)
{
	cli *c = j->c;

	CLI_TRY(cli_can_write_model(c, j->out, false));
	if (j->front) CLI_TRY(cli_can_write(c, j->front));
	if (j->network) CLI_TRY(cli_can_write(c, j->network));
	if (!j->checkpoint) CLI_TRY(cli_append(j->beside, c, j->out, ".ckpt"));
	j->t.a.checkpoint = j->checkpoint ? j->checkpoint : j->beside;
	const cli_path paths[] = {{"-o", j->out, true}, {"--front", j->front, true}, {"--network", j->network, true}, {"--checkpoint", j->t.a.checkpoint, true}, {"--log", j->t.log, true},
		{"--data", j->t.data, false}, {"--valid", j->t.valid, false}};
	CLI_TRY(cli_apart(c, paths, LEN(paths)));
	CLI_TRY(cli_can_resume(c, &j->t.a));
	return cli_log_begin(&j->log, c, j->t.log);
}

cop_status cmd_search(cli *c, int argc, char **argv)
{
	struct argp_option options[48];
	job j = {.c = c};
	int n = 0;

	while (cli_train_options[n].name) options[n] = cli_train_options[n], n++;
	memcpy(options + n, own, sizeof own);
	options[n + LEN(own)] = (struct argp_option){0};
	const cli_line line = {options, "",
		"Searches a network for a machine: of many that fit it, as Coppice plans them in int8, the one that learns best. All are tried in a brief training; the most promising are trained in full, by the options below, "
		"and the best of these is kept.\v"
	        "Example:\n  coppice search --data cifar10 --target cortex-m4 --ram 64K --flash 128K -o best.cop\n  coppice search --data kws --target cortex-m4 --ram 16K --flash 48K --judge shared -o words.cop",
	        option, &j, NULL, 0, 0};
	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	CLI_TRY(cli_train_settle(c, &j.t));
	CLI_TRY(claim_files(&j));
	j.t.a.threads = cli_threads(c);
	j.t.a.seed = c->seed;
	j.t.a.progress = progress;
	j.a.tried = tried;
	j.a.finished = finished;
	j.t.a.ud = j.a.ud = &j;
	cli_catch_signals(c);
	return search(&j);
}
