/* SPDX-License-Identifier: Apache-2.0
 *
 * compress - runs a recipe over a network, or makes it small without one (aims.c). The small network and the history of the run are written when all of it
 * is done; stopped before that, there is a checkpoint from which --resume goes on.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_HISTORY = 0x3000, KEY_RESUME, KEY_CHECKPOINT, KEY_SWEEP };

typedef struct text {
	cop_ctx *cx;
	char *data;
	size_t size;
} text;
typedef struct job {
	cli *c;
	cli_train t;
	cli_samples s;
	cli_aim aim;
	const char *out, *recipe, *history, *checkpoint, *sweep;
	char history_beside[CLI_MOST_PATH], checkpoint_beside[CLI_MOST_PATH]; /* where they are by default */
	cli_log log;
} job;

static const struct argp_option own[] = {
        {"recipe", 'r', "FILE", 0, "the stages to run: a YAML file (docs/recipes.md), the name of a recipe that comes with the program, or a single stage, such as \"slim: {macs: 0.5}\"", 0},
        {"output", 'o', "FILE", 0, "file for the compressed network (.cop)", 0},
        {"history", KEY_HISTORY, "FILE", 0,
                "file for what each stage did, which `coppice report` draws (default: OUTPUT.history.json)", 0},
        {"resume", KEY_RESUME, NULL, 0, "continue from the checkpoint", 0},
	{"sweep", KEY_SWEEP, "WORDS", 0, "run the recipe with each combination of some of its options and seeds, as "
		"\"keep=0.5,0.2 seed=1..3\"; OUTPUT is then a table (.csv) with a row for each, and OUTPUT.N.cop the networks",
		0},
        {"checkpoint", KEY_CHECKPOINT, "FILE", 0,
                "file written between stages; within a stage, FILE.stageN (default: OUTPUT.ckpt, removed at the end)", 0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case 'o':
		j->out = arg;
		return 0;
	case 'r':
		j->recipe = arg;
		return 0;
	case KEY_HISTORY:
		j->history = arg;
		return 0;
	case KEY_RESUME:
		j->t.a.resume = true;
		return 0;
	case KEY_CHECKPOINT:
		j->checkpoint = arg;
		return 0;
	case KEY_SWEEP:
		j->sweep = arg;
		return 0;
	default:
		if (cli_aim_option(key, arg, state, &j->aim) != ARGP_ERR_UNKNOWN) return 0;
		return cli_train_option(key, arg, state, &j->t);
	}
}

static void progress(void *ud, const cop_epoch *e)
{
	job *j = ud;

	cli_progress(j->c, e);
	cli_log_epoch(&j->log, e);
}

static cop_status keep(void *ud, const void *bytes, size_t size)
{
	text *t = ud;
	char *more = realloc(t->data, t->size + size + 1);

	if (!more) return COP_NOMEM;
	memcpy(more + t->size, bytes, size);
	t->data = more;
	t->size += size;
	more[t->size] = 0;
	return COP_OK;
}

static int count(const cop_compress_result *r, bool kept)
{
	int n = 0;
	for (int32_t i = 0; i < r->n_stage; i++) n += r->stage[i].kept == kept;
	return n;
}

static void result(job *j, const cop_compress_result *r)
{
	cli *c = j->c;
	const cop_figures *f = &r->after.figures;
	double a0 = (double)r->before.accuracy, a1 = (double)r->after.accuracy, dense = 4 * (double)r->before.figures.parameters, size = (double)cli_file_size(j->out);
	char t0[32], t1[32];
	int kept = count(r, true), undone = count(r, false);

	cli_put_text(c, "output", j->out);
	cli_put_text(c, "history", j->history);
	if (a0 >= 0) cli_put_real(c, "accuracy_before", a0), cli_put_real(c, "accuracy", a1);
	cli_put_int(c, "parameters", f->parameters);
	cli_put_int(c, "nonzero", f->nonzero);
	cli_put_int(c, "macs", f->macs);
	cli_put_int(c, "flash_bytes", (int64_t)f->flash_bytes);
	cli_put_int(c, "ram_bytes", (int64_t)f->ram_bytes);
	cli_put_int(c, "dense_bytes", (int64_t)dense);
	cli_put_int(c, "file_bytes", (int64_t)size);
	cli_put_real(c, "factor", dense / size);
	cli_put_int(c, "stages_kept", kept);
	cli_put_int(c, "stages_undone", undone);
	cli_number_text(t0, dense);
	cli_number_text(t1, size);
	cli_out(c, "%s: %s -> %s bytes, %.1f times smaller than 4 bytes per parameter", j->out, t0, t1, dense / size);
	if (a0 >= 0) cli_out(c, "; test accuracy %.2f %% -> %.2f %%", 100 * a0, 100 * a1);
	cli_out(c, "; %d stage%s kept, %d undone\n", kept, kept == 1 ? "" : "s", undone);
	if (j->aim.given) cli_aim_table(c, &j->aim, r);
	else cli_recipe_tables(c, r);
	if (j->t.log) cli_put_text(c, "log", j->t.log);
	if (j->t.log) cli_out(c, "%s: a line for each epoch; its curves on a page: coppice report %s --log %s -o report.html\n", j->t.log, j->out, j->t.log);
}

/* When it was made: SOURCE_DATE_EPOCH where that is set, so that the same run writes the same bytes. */
static void date_text(char out[32])
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	time_t at = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
	struct tm day;

	*out = 0;
	if (gmtime_r(&at, &day)) strftime(out, 32, "%Y-%m-%d", &day);
}

static cop_status keep_string(text *t, const char *key, const char *v)
{
	size_t n = cop_text_json(NULL, 0, v) + 1;
	char *inside = malloc(n), *all = malloc(n + 64);

	if (inside && all) cop_text_json(inside, n, v), snprintf(all, n + 64, "\"%s\":\"%s\",", key, inside);
	cop_status st = inside && all ? keep(t, all, strlen(all)) : COP_NOMEM;
	free(inside);
	free(all);
	return st;
}

/* Into the history, before the brace that ends it: what the figures were made of. */
static cop_status add_run(text *h, const job *j)
{
	char date[32], seed[40];

	while (h->size && h->data[h->size - 1] != '}') h->size--;
	if (!h->size) return COP_OK;
	h->size--;
	date_text(date);
	snprintf(seed, sizeof seed, "\"seed\":%llu}}\n", (unsigned long long)j->c->seed);
	CLI_TRY(keep(h, ",\"run\":{", 8));
	CLI_TRY(keep_string(h, "data", j->t.data));
	CLI_TRY(keep_string(h, "date", date));
	CLI_TRY(keep_string(h, "command", j->c->command));
	return keep(h, seed, strlen(seed));
}

/* What was kept is no smaller network then, but the one that came in. */
static cop_status all_undone(job *j, const cop_compress_result *r)
{
	if (!r->n_stage || count(r, true)) return COP_OK;
	return cli_fail(j->c, COP_BUDGET,
		"%s: nothing was gained: every stage of %s was undone (the first: %s), so this file "
		"holds the old network; %s has the details, and may_cost and must_gain set the limits of a stage",
		j->out, j->recipe, r->stage[0].why, j->history);
}

/* Aims that were not reached: the file has the best that was found. */
static cop_status short_of(job *j, const cop_compress_result *r)
{
	return *r->lacks ? cli_fail(j->c, COP_BUDGET, "%s: the aims were not reached: %s; the file holds the best that was found", j->out, r->lacks) : COP_OK;
}

/* With order: search and max_drop. */
static cop_status no_order_fits(job *j, const cop_compress_result *r)
{
	for (int32_t i = 0; i < r->n_order; i++)
		if (r->order[i].best && !r->order[i].fits)
			return cli_fail(j->c, COP_BUDGET, "%s: no order of the stages loses as little as max_drop allows; the file holds that of the least loss, %.2f (%s)",
				j->out, r->order[i].lost, r->order[i].order);
	return COP_OK;
}

/* The recipe is called by its file; a stage of the command line has one line. */
static cop_status of_recipe(job *j, cop_status st)
{
	const char *said = cop_error_text(j->c->cx);

	if (!st || strncmp(said, "recipe", 6) || (said[6] != ',' && said[6] != ':')) return st;
	return cli_is_stage(j->recipe) ? cli_fail(j->c, st, "--recipe%s", said + strcspn(said, ":")) : cli_fail(j->c, st, "%s%s", j->recipe, said + 6);
}

static cop_status regression(cli *c, const cop_graph *g, cop_dataset *test)
{
	cop_score s;

	CLI_TRY(cop_eval(&s, g, test, 100, cli_threads(c)));
	cli_put_real(c, "mse", (double)s.mse);
	cli_put_real(c, "mae", (double)s.mae);
	cli_put_real(c, "r2", (double)s.r2);
	cli_out(c, "on the test part: MSE %.6g, MAE %.6g, R2 %.4f\n", (double)s.mse, (double)s.mae, (double)s.r2);
	return COP_OK;
}

static void put_training(const job *j)
{
	cli_put_int(j->c, "epochs", j->t.a.epochs);
	cli_put_int(j->c, "seed", (int64_t)j->t.a.seed);
	cli_train_put(j->c, &j->t.a);
}

static cop_status compress(job *j, cop_graph **g, const char *recipe, size_t size)
{
	cli *c = j->c;
	cop_dataset *train = NULL, *valid = NULL, *test = NULL;
	text h = {.cx = c->cx}, file = {.cx = c->cx};
	cop_compress_result r;
	char name[64];

	cli_graph_name(name, *g);
	cop_status st = cli_train_open(&train, c, &j->s, *g, &j->t);
	if (!st) st = cli_data_fits(c, *g, train);
	if (!st) st = cli_valid_open(&valid, c, &j->s, *g, &j->t, train);
	if (!st) st = cli_data_open(&test, c, &j->s, *g, j->t.data, "test", j->t.limit);
	const cli_train given = j->t;
	if (!st) cli_train_defaults(&j->t, name, train, false);
	if (!st && j->aim.given) cli_aim_defaults(&given, &j->t.a);
	if (!st) put_training(j);
	if (!st)
		st = j->aim.given ? cop_compress_to(g, &j->aim.a, train, valid, test, &j->t.a, &r, keep, &h)
			: cop_compress(g, recipe, size, train, valid, test, &j->t.a, &r, keep, &h);
	st = cli_log_end(&j->log, st);
	cli_progress_end(c);
	st = of_recipe(j, st);
	if (st == COP_STOPPED && cli_file_size(j->checkpoint) >= 0)
		st = cli_fail(c, st, "%s; run the same command with --resume to continue from %s", cop_error_text(c->cx), j->checkpoint);
	if (!st) st = add_run(&h, j);
	if (!st) st = cop_model_write(*g, keep, &file);
	const cop_file both[] = {{j->history, h.data, h.size}, {j->out, file.data, file.size}};
	if (!st) st = cop_files_write(c->cx, both, LEN(both));
	if (!st) st = cop_checkpoint_remove(c->cx, j->checkpoint);
	if (!st) result(j, &r), c->wrote = true;
	if (!st && test->targets) st = regression(c, *g, test);
	if (!st && test->classes)
		cli_doubt(c, "the accuracy of the compressed network", (double)r.after.accuracy, cli_outputs(*g), test->count,
			(double)r.before.accuracy);
	if (!st) st = j->aim.given ? short_of(j, &r) : all_undone(j, &r);
	if (!st) st = no_order_fits(j, &r);
	free(h.data);
	free(file.data);
	cop_data_free(test);
	cop_data_free(valid);
	cop_data_free(train);
	return st;
}

static void on_log(void *ud, cop_level level, const char *line)
{
	(void)level;
	cli_note(ud, "%s", line);
}

/* Before any work: may every file be written, and is each one by itself? */
static cop_status claim_files(job *j, const char *network)
{
	cli *c = j->c;

	CLI_TRY(cli_can_write_model(c, j->out, false));
	cli_beside(j->history_beside, sizeof j->history_beside, j->out, ".history.json");
	if (!j->history) j->history = j->history_beside;
	CLI_TRY(cli_can_write(c, j->history));
	CLI_TRY(cli_only_over(c, "--history", j->history, "{\"recipe\":"));
	cli_beside(j->checkpoint_beside, sizeof j->checkpoint_beside, j->out, ".ckpt");
	if (!j->checkpoint) j->checkpoint = j->checkpoint_beside;
	j->t.a.checkpoint = j->checkpoint;
	const cli_path paths[] = {{"-o", j->out, true}, {"--history", j->history, true}, {"--checkpoint", j->checkpoint, true}, {"--log", j->t.log, true},
	        {"the network", network, false}, {"--recipe", j->recipe, false}, {"--data", j->t.data, false}, {"--valid", j->t.valid, false}};
	CLI_TRY(cli_apart(c, paths, LEN(paths)));
	CLI_TRY(cli_can_resume(c, &j->t.a));
	return cli_log_begin(&j->log, c, j->t.log);
}

cop_status cmd_compress(cli *c, int argc, char **argv)
{
	struct argp_option options[48];
	const char *file = NULL;
	char recipe_path[CLI_MOST_PATH];
	job j = {.c = c};
	int n = 0;

	while (cli_train_options[n].name) options[n] = cli_train_options[n], n++;
	for (int i = 0; cli_aim_options[i].name; i++) options[n++] = cli_aim_options[i];
	memcpy(options + n, own, sizeof own);
	options[n + LEN(own)] = (struct argp_option){0};
	const cli_line line = {options, "FILE",
	        "Compresses a network with a recipe, or without one towards what you ask for: accuracy that may be lost, bytes, multiply-accumulates, instructions. "
	        "The training options below apply to stages that set none of their own.\v"
	        "Example:\n  coppice compress net.cop --recipe recipes/deep-compression.yaml --data mnist -o small.cop\n"
	        "  coppice compress net.onnx --data mnist --target cortex-m4 --max-drop 0.5 --ram 32K --flash 128K -o small.cop",
	        option, &j, &file, 1, 1};
	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	CLI_TRY(cli_train_settle(c, &j.t));
	CLI_TRY(cli_aim_settle(c, &j.aim, j.recipe, j.t.data));
	if (j.recipe) CLI_TRY(cli_recipe(recipe_path, c, j.recipe));
	if (j.recipe) j.recipe = recipe_path;
	if (j.sweep && (!j.recipe || j.t.log || j.history || j.checkpoint))
		return cli_fail(c, COP_ARG,
			"--sweep needs --recipe, and takes no --log, --history or --checkpoint: each run has its own");
	if (j.sweep) return cli_sweep(c, j.sweep, j.recipe, j.out, argc, argv);
	CLI_TRY(claim_files(&j, file));

	cop_graph *g;
	char *recipe = NULL;
	size_t size;
	if (j.recipe) CLI_TRY(cli_recipe_read(&recipe, &size, c, j.recipe));
	cop_status st = cli_model(&g, c, file);
	if (!st && (st = cli_samples_set(c, g, &j.s))) cop_graph_free(g);
	if (!st) {
		j.t.a.threads = cli_threads(c);
		j.t.a.seed = c->seed;
		j.t.a.progress = progress;
		j.t.a.ud = &j;
		if (!c->quiet && (c->tty || c->verbose)) cop_ctx_log(c->cx, COP_LOG_INFO, on_log, c);
		cli_catch_signals(c);
		st = compress(&j, &g, recipe, size);
		cop_graph_free(g);
	}
	free(recipe);
	return st;
}
