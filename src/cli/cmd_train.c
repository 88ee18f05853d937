/* SPDX-License-Identifier: Apache-2.0
 *
 * train - trains a network of the zoo, or goes on with one from a file. Stopped by SIGINT it leaves a checkpoint
 * from which --resume ends with the same bits as a run that was never stopped.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

enum { KEY_RESUME = 0x3000, KEY_CHECKPOINT };

typedef struct job {
	cli_train t;
	const char *out, *checkpoint;
	cli_samples s;
	cli *c;
	cli_log log;
	cop_epoch last, best;
	int32_t integers; /* layers of int8 that are trained as they are */
	int64_t samples; /* in an epoch that leaves none out */
	cop_score score; /* of the result on the validation set: all that epochs do not tell */
} job;

static const struct argp_option own[] = {
        {"output", 'o', "FILE", 0, "file for the trained network (.cop)", 0},
        {"resume", KEY_RESUME, NULL, 0, "continue from the checkpoint", 0},
        {"checkpoint", KEY_CHECKPOINT, "FILE", 0,
                "file written after each epoch and when you stop training (default: OUTPUT.ckpt, removed at the end)", 0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case 'o':
		j->out = arg;
		return 0;
	case KEY_RESUME:
		j->t.a.resume = true;
		return 0;
	case KEY_CHECKPOINT:
		j->checkpoint = arg;
		return 0;
	default:
		return cli_train_option(key, arg, state, &j->t);
	}
}

static void progress(void *ud, const cop_epoch *e)
{
	job *j = ud;

	if (e->done >= 1) {
		j->last = *e;
		if (e->best == e->epoch) j->best = *e;
	}
	cli_progress(j->c, e);
	cli_log_epoch(&j->log, e);
}

/* The epoch whose weights are the result. */
static const cop_epoch *kept(const job *j)
{
	return j->t.a.keep == COP_KEEP_BEST && j->best.epoch ? &j->best : &j->last;
}

static void say_figures(const job *j, const cop_epoch *e)
{
	cli *c = j->c;

	if (e->accuracy >= 0) cli_out(c, ", accuracy %.2f %% on the validation set", 100 * (double)e->accuracy);
	else if (j->score.count) cli_out(c, "; on the validation set MSE %.4g, MAE %.4g, R2 %.4f", (double)j->score.mse, (double)j->score.mae, (double)j->score.r2);
}

/* Which epoch the figures are of, where that is not simply the last. */
static void say_kept(const job *j, const cop_epoch *e)
{
	const int32_t n = j->t.stop_after;
	cli *c = j->c;

	if (e->epoch != j->last.epoch) cli_out(c, "; epoch %d is kept, the best", e->epoch);
	if (j->last.epoch == j->t.a.epochs) return;
	cli_out(c, "; stopped early");
	if (n) cli_out(c, ": %d epoch%s without a better score", n, n == 1 ? "" : "s");
}

static void say(const job *j, const char *model, const cop_epoch *e)
{
	cli *c = j->c;
	char page[CLI_MOST_PATH];

	cli_out(c, "%s: %s trained for %d epoch%s in %.0f s, loss %.4f", j->out, model, j->last.epoch,
		j->last.epoch == 1 ? "" : "s", j->last.seconds, (double)e->loss);
	say_figures(j, e);
	say_kept(j, e);
	if (j->last.samples < j->samples * j->last.epoch)
		cli_out(c, "; trained on %lld samples, %.0f %% of those of %d epochs", (long long)j->last.samples, 100 * (double)j->last.samples / (double)j->samples / j->last.epoch, j->last.epoch);
	cli_out(c, "\n");
	cli_beside(page, sizeof page, j->out, ".html");
	if (j->t.log) cli_out(c, "%s: a line for each epoch; its curves on a page: coppice report %s --log %s -o %s\n", j->t.log, j->out, j->t.log, page);
}

static void result(job *j, const char *model)
{
	cli *c = j->c;
	const cop_epoch *e = kept(j);

	cli_put_text(c, "output", j->out);
	cli_put_int(c, "epochs", j->last.epoch);
	cli_put_int(c, "kept_epoch", e->epoch);
	cli_put_real(c, "loss", (double)e->loss);
	if (e->accuracy >= 0) cli_put_real(c, "accuracy", (double)e->accuracy);
	if (j->score.count && e->accuracy < 0) {
		cli_put_real(c, "mse", (double)j->score.mse);
		cli_put_real(c, "mae", (double)j->score.mae);
		cli_put_real(c, "r2", (double)j->score.r2);
	}
	cli_put_int(c, "trained_samples", j->last.samples);
	cli_put_real(c, "seconds", j->last.seconds);
	cli_put_int(c, "file_bytes", cli_file_size(j->out));
	if (j->t.log) cli_put_text(c, "log", j->t.log);
	say(j, model, e);
}

static bool scaled(const cli_samples *s) { return s->times > 0 || s->means || s->stds; }

/* The columns of a table come in all sizes, and so do the numbers that are to be given back: they are standardised, unless something else was asked for. */
static void standardise(job *j, const cop_dataset *data)
{
	if ((data->x.rank != 1 && j->s.task != COP_TASK_REBUILD) || j->t.a.augment || scaled(&j->s)) return;
	j->t.a.augment = "normalise";
	if (data->x.rank == 1) cli_note(j->c, "%s: each column is standardised (mean 0, deviation 1 over the training rows); --augment none leaves columns as they are", data->name);
}

/* Without labels a network can be scored only by how it gives its input back. */
static bool scored_by(const cop_dataset *d, const cop_graph *g)
{
	cop_type in, out;
	return d && (d->classes || d->targets || (!cop_graph_io(g, &in, &out) && cop_type_count(&in) == cop_type_count(&out)));
}

/* What a later score is compared with; of a regression, the figures that are printed. */
static cop_status final_score(job *j, cop_graph *g, cop_dataset *valid)
{
	if (!scored_by(valid, g)) return COP_OK;
	if (valid->targets || j->t.a.policies) CLI_TRY(cop_eval(&j->score, g, valid, 64, cli_threads(j->c))); /* a mean of weights is none of the epochs */
	if (j->t.a.policies && valid->classes) j->last.accuracy = j->best.accuracy = j->score.accuracy;
	cop_graph_accuracy_set(g, kept(j)->accuracy);
	return COP_OK;
}

static cop_status network(cop_graph **g, job *j, const char *model, const cop_dataset *data)
{
	CLI_TRY(data ? cli_model_for(g, j->c, model, data, j->s.layout) : cli_model(g, j->c, model));
	return cli_samples_set(j->c, *g, &j->s);
}

/* A network from a file says how its samples are read; one of the zoo is built for them. */
static cop_status prepare(cop_graph **g, cop_dataset **data, cop_dataset **valid, job *j, const char *model)
{
	cli *c = j->c;
	char name[64];

	if (cli_is_file_name(model)) CLI_TRY(network(g, j, model, NULL));
	CLI_TRY(cli_train_open(data, c, &j->s, *g, &j->t));
	if (!*g) CLI_TRY(network(g, j, model, *data));
	CLI_TRY(cli_valid_open(valid, c, &j->s, *g, &j->t, *data));
	CLI_TRY(cli_data_fits(c, *g, *data));
	standardise(j, *data);
	CLI_TRY(cli_trainable(g, &j->t.a.update, &j->integers));
	cli_graph_name(name, *g);
	if (j->integers && strstr(j->t.a.update, "qsgd")) *name = 0; /* its batch norms are in the weights: no rate of the floats suits it */
	cli_train_defaults(&j->t, name, *data, !cli_is_file_name(model) && !scaled(&j->s));
	CLI_TRY(cli_train_settle(c, &j->t));
	cli_train_say(c, &j->t.a);
	cli_put_int(c, "train_samples", j->samples = (*data)->count);
	cli_put_int(c, "valid_samples", *valid ? (*valid)->count : 0);
	return COP_OK;
}

static cop_status train(job *j, const char *model)
{
	cop_graph *g = NULL;
	cop_dataset *data = NULL, *valid = NULL;
	cli *c = j->c;

	cop_status st = prepare(&g, &data, &valid, j, model);
	cli_catch_signals(c);
	if (!st) st = cop_train(g, data, valid, &j->t.a);
	st = cli_log_end(&j->log, st);
	if (!st) st = final_score(j, g, valid);
	cli_progress_end(c);
	if (st == COP_STOPPED) st = cli_fail(c, st, "%s; run the same command with --resume to continue", cop_error_text(c->cx));
	if (!st && j->integers) st = cop_graph_settle(&g);
	if (!st) st = cop_model_save(g, j->out);
	if (!st && !j->checkpoint) st = cop_checkpoint_remove(c->cx, j->t.a.checkpoint);
	if (!st) result(j, model);
	cop_data_free(valid);
	cop_data_free(data);
	cop_graph_free(g);
	return st;
}

cop_status cmd_train(cli *c, int argc, char **argv)
{
	struct argp_option options[32];
	const char *model = NULL;
	char beside[CLI_MOST_PATH];
	job j = {.c = c, .last.accuracy = -1};
	int n = 0;

	while (cli_train_options[n].name) options[n] = cli_train_options[n], n++;
	memcpy(options + n, own, sizeof own);
	options[n + LEN(own)] = (struct argp_option){0};
	const cli_line line = {options, "MODEL",
		"Trains a network. MODEL is a name from `coppice zoo`, a network of your own written as "
		"text (docs/networks.md), or a trained network to train further.\v"
	        "Example:\n  coppice train lenet-300-100 --data mnist -o net.cop\n  coppice train net.txt --data rows.csv -o net.cop\n"
	        "Options that you leave out get values that suit the network and the data (docs/training.md); a line says which are used.",
	        option, &j, &model, 1, 1};
	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	CLI_TRY(cli_can_write_model(c, j.out, false));
	if (!j.checkpoint) CLI_TRY(cli_append(beside, c, j.out, ".ckpt"));
	j.t.a.checkpoint = j.checkpoint ? j.checkpoint : beside;
	j.t.a.threads = cli_threads(c);
	j.t.a.seed = c->seed;
	j.t.a.progress = progress;
	j.t.a.ud = &j;
	const cli_path paths[] = {{"-o", j.out, true}, {"--checkpoint", j.t.a.checkpoint, true}, {"--log", j.t.log, true},
		{"the network", model, false}, {"--data", j.t.data, false}, {"--valid", j.t.valid, false}};
	CLI_TRY(cli_apart(c, paths, LEN(paths)));
	CLI_TRY(cli_can_resume(c, &j.t.a));
	CLI_TRY(cli_log_begin(&j.log, c, j.t.log));
	return train(&j, model);
}
