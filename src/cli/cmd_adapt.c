/* SPDX-License-Identifier: Apache-2.0
 *
 * adapt - trains a network further as a device would: some layers, within its RAM. What that takes is foretold before it begins.
 */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEY_RAM = 0x3000, KEY_TARGET, KEY_PATCH, KEY_TRAIN, KEY_CHOOSE, KEY_TRIAL, KEY_HEAD, KEY_OLD, KEY_DIFF, KEY_DRY, KEY_RESUME, KEY_CHECKPOINT };
enum { MOST_RANGES = 512 };

typedef struct job {
	cli *c;
	cli_train t;
	cli_samples s;
	cop_adapt_args a;
	const char *out, *diff, *old, *checkpoint;
	bool head, dry; /* head: a new last layer in any case, or one was made */
	char passes[64]; /* what the network went through before it was trained */
	cop_adapted did;
	cop_epoch last;
	cop_score before, after; /* count 0: none */
} job;

static const struct argp_option own[] = {
        {"output", 'o', "FILE", 0, "file for the network as it was trained (.cop)", 0},
        {"ram", KEY_RAM, "SIZE", 0, "RAM that a training step may take on the device, stack and input within: 128K, 256K (default: all the target has)", 0},
        {"target", KEY_TARGET, "NAME", 0, "the device, from `coppice targets` (default: cortex-m4)", 0},
        {"patch", KEY_PATCH, "PART", 0, "compute the first layers band by band if that saves RAM and costs at most PART more multiply-accumulates, as in `coppice emit`", 0},
        {"train", KEY_TRAIN, "LAYERS", 0, "train these weights and biases beside the last layer, \"conv4*.b|fc1.*\" (default: those that gain most within the RAM)", 0},
        {"choose", KEY_CHOOSE, "NAME", 0, "how layers are chosen: knapsack (most gain); for comparison evolution or random (default: knapsack)", 0},
        {"trial", KEY_TRIAL, "N", 0, "samples that each layer is tried with to find what it gains (default: 1000, and fewer for many layers, down to 100)", 0},
        {"head", KEY_HEAD, NULL, 0, "put a new last layer in the place of the old one, even if the classes are the same", 0},
        {"old", KEY_OLD, "NAME", 0, "data that the network was made with: layers whose values are cut far more often on the new data are named", 0},
        {"save-diff", KEY_DIFF, "FILE", 0, "file for what changed, a small difference; `coppice apply NET --diff FILE` makes the network of it", 0},
        {"dry-run", KEY_DRY, NULL, 0, "choose the layers and foretell what training takes, and end", 0},
        {"resume", KEY_RESUME, NULL, 0, "continue from the checkpoint", 0},
        {"checkpoint", KEY_CHECKPOINT, "FILE", 0, "file written after each epoch and when you stop training (default: OUTPUT.ckpt, removed at the end)", 0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case 'o': j->out = arg; return 0;
	case KEY_RAM: j->a.ram = cli_size(state, "--ram", arg); return 0;
	case KEY_TARGET: j->a.target = arg; return 0;
	case KEY_PATCH:
		j->a.patch = cli_real(state, "--patch", arg, 0, 10);
		if (!(j->a.patch > 0)) cli_misuse(state, "--patch=%s: must be a number above 0, at most 10", arg);
		return 0;
	case KEY_TRAIN: j->a.layers = arg; return 0;
	case KEY_CHOOSE: j->a.choose = arg; return 0;
	case KEY_TRIAL: j->a.trial = cli_int(state, "--trial", arg, 1, 1 << 30); return 0;
	case KEY_HEAD: j->head = true; return 0;
	case KEY_OLD: j->old = arg; return 0;
	case KEY_DIFF: j->diff = arg; return 0;
	case KEY_DRY: j->dry = true; return 0;
	case KEY_RESUME: j->t.a.resume = true; return 0;
	case KEY_CHECKPOINT: j->checkpoint = arg; return 0;
	case 'b': cli_misuse(state, "--batch: a device takes one sample a step");
	default: return cli_train_option(key, arg, state, &j->t);
	}
}

/* ---- the network ---- */

/* Does its last layer tell the classes of the data apart? */
static cop_status fits(bool *yes, const job *j, const cop_graph *g, cop_dataset *d)
{
	cop_dataset *fitted = NULL;

	*yes = true;
	if (!d->classes) return COP_OK;
	if (!cop_graph_class(g, 0)) return *yes = cli_outputs(g) == d->classes, COP_OK;
	cop_status st = cop_data_fit(&fitted, NULL, g, d);
	cop_data_free(fitted);
	*yes = st != COP_ARG;
	if (st == COP_ARG) cop_error_clear(j->c->cx), st = COP_OK;
	return st;
}

/* As it is trained: batch norm in the weights, a last layer for the classes of the data. */
static cop_status prepare(cop_graph **g, job *j, cop_dataset *d)
{
	const int32_t before = cli_outputs(*g);
	bool same;

	if (j->head && !d->classes) return cli_fail(j->c, COP_ARG, "--head: a new last layer is for classes, and the data have none");
	CLI_TRY(fits(&same, j, *g, d));
	j->head = d->classes && (j->head || !same);
	if (j->head) snprintf(j->passes, sizeof j->passes, "to_infer fuse head:classes=%d,seed=%u", d->classes, (unsigned)(j->c->seed & 0x3fffffff));
	else snprintf(j->passes, sizeof j->passes, "to_infer fuse");
	if (j->head) cli_note(j->c, "a new last layer for %d classes takes the place of the old one, which had %d outputs", d->classes, before);
	CLI_TRY(cop_graph_apply(g, j->passes));
	return cli_data_fits(j->c, *g, d);
}

/* ---- foretold ---- */

static void say_layers(const job *j)
{
	const cop_adapted *d = &j->did;
	cli *c = j->c;
	int32_t shown = 0;

	cli_put_list(c, "layers");
	for (int32_t i = 0; i < d->n; i++) {
		const cop_adapt_layer *l = &d->layer[i];
		cli_put_item(c, NULL);
		cli_put_text(c, "name", l->weight);
		cli_put_text(c, "trained", l->weights ? l->bias ? "weights and bias" : "weights" : l->bias ? "bias" : "no");
		if (isfinite(l->gain)) cli_put_real(c, "gain", (double)l->gain);
		if (isfinite(l->bias_gain)) cli_put_real(c, "bias_gain", (double)l->bias_gain);
		if (l->bytes) cli_put_int(c, "ram_bytes", l->bytes);
		if (l->bias_bytes) cli_put_int(c, "bias_ram_bytes", l->bias_bytes);
		cli_put_item_end(c);
		if (!l->weights && !l->bias) continue;
		if (!shown++) cli_out(c, "%-28s %-17s %s\n", "layer", "trained", isfinite(l->gain) ? "gain of the loss if trained alone, and RAM that it adds alone" : "");
		cli_out(c, "%-28s %-17s", l->weight, l->weights ? l->bias ? "weights and bias" : "weights" : "bias");
		if (isfinite(l->gain)) cli_out(c, " %.4f, %lld bytes", (double)(l->weights ? l->gain : l->bias_gain), (long long)(l->weights ? l->bytes : l->bias_bytes));
		cli_out(c, "\n");
	}
	cli_put_end(c);
	if (!shown) cli_out(c, "the last layer alone is trained%s\n", d->ran_away ? ": together, the layers that gain one by one do clearly worse in a trial; name layers with --train to train them all the same" : "");
}

static void foretell(const job *j, int32_t samples)
{
	const cop_adapted *d = &j->did;
	const int64_t steps = (int64_t)samples * j->t.a.epochs;
	char n[6][32];
	cli *c = j->c;

	const size_t bytes[] = {d->ram, d->arena, d->parameters, d->state, d->least, d->save_bytes};
	for (int i = 0; i < LEN(bytes); i++) cli_number_text(n[i], (double)bytes[i]);
	say_layers(j);
	cli_put_text(c, "target", j->a.target ? j->a.target : "cortex-m4");
	cli_put_bool(c, "new_head", j->head);
	cli_put_bool(c, "ran_away", d->ran_away);
	cli_put_int(c, "ram_bytes", (int64_t)d->ram);
	cli_put_int(c, "arena_bytes", (int64_t)d->arena);
	cli_put_int(c, "parameter_bytes", (int64_t)d->parameters);
	cli_put_int(c, "least_ram_bytes", (int64_t)d->least);
	cli_put_int(c, "steps", steps);
	cli_put_real(c, "step_seconds", d->step_seconds);
	cli_put_real(c, "predicted_seconds", d->step_seconds * (double)steps);
	cli_put_int(c, "save_bytes", (int64_t)d->save_bytes);
	cli_put_int(c, "saves", j->t.a.epochs);
	cli_out(c, "RAM of a step  %s bytes on %s: arena with the input %s, weights that are trained %s, state %s, stack 1,024; with the last layer alone %s\n", n[0],
		j->a.target ? j->a.target : "cortex-m4", n[1], n[2], n[3], n[4]);
	cli_out(c, "time           %.0f s on one thread of this machine: %lld steps of %.2f ms\n", d->step_seconds * (double)steps, (long long)steps, 1e3 * d->step_seconds);
	cli_out(c, "flash          at most %s bytes when it is kept; after each epoch: %d times\n", n[5], j->t.a.epochs);
}

/* ---- ranges ---- */

/* A layer whose values are cut this often, and so many times as often as on the data its ranges are of. */
static const double OFTEN = 0.02, TIMES = 4;

static cop_status ranges(job *j, const cop_graph *g, cop_dataset *new)
{
	static cop_ends now[MOST_RANGES], was[MOST_RANGES];
	cop_dataset *old = NULL;
	cli *c = j->c;
	int32_t n, m;

	if (!j->old) return COP_OK;
	CLI_TRY(cli_data_open(&old, c, &j->s, g, j->old, "train", 200));
	cop_status st = cop_range_ends(now, MOST_RANGES, &n, g, new, 200, cli_threads(c));
	if (!st) st = cop_range_ends(was, MOST_RANGES, &m, g, old, 200, cli_threads(c));
	cop_data_free(old);
	CLI_TRY(st);
	if (!n) return cli_fail(c, COP_ARG, "--old: the network has no int8 layers, and only those have ranges");
	cli_put_list(c, "left_ranges");
	for (int32_t i = 0; i < n; i++) {
		if (now[i].share < OFTEN || now[i].share < TIMES * was[i].share) continue;
		cli_put_item(c, NULL);
		cli_put_text(c, "name", now[i].name);
		cli_put_real(c, "share", now[i].share);
		cli_put_real(c, "share_before", was[i].share);
		cli_put_item_end(c);
		cli_note(c, "warning: %s: %.1f %% of its values are cut at the end of their range on the new data, %.1f %% on the old: its range was found on other values", now[i].name, 100 * now[i].share,
			100 * was[i].share);
	}
	cli_put_end(c);
	return COP_OK;
}

/* ---- the work ---- */

static void progress(void *ud, const cop_epoch *e)
{
	job *j = ud;

	if (e->done >= 1) j->last = *e;
	cli_progress(j->c, e);
}

static void tried(void *ud, int64_t done, int64_t all)
{
	const cli *c = ((job *)ud)->c;

	if (c->tty && !c->quiet) fprintf(stderr, "\r\033[Ktrial %lld of %lld%s", (long long)done, (long long)all, done == all ? "\r\033[K" : "");
}

static cop_status choose(job *j, const cop_graph *g, cop_dataset *d)
{
	cop_train_args *a = &j->t.a;

	if (j->a.layers && j->a.choose) return cli_fail(j->c, COP_ARG, "--choose does not work with --train, which names the layers itself");
	if (a->update && strstr(a->update, "layers=")) return cli_fail(j->c, COP_ARG, "--update %s: --train says which layers are trained", a->update);
	a->batch = 1;
	if (!a->epochs) a->epochs = 3;
	if (!a->augment) a->augment = "none";
	j->a.rule = a->update;
	cli_train_defaults(&j->t, "", d, false);
	j->a.lr = j->t.has_lr ? a->lr : 0;
	j->a.threads = cli_threads(j->c);
	j->a.seed = j->c->seed;
	j->a.progress = tried;
	j->a.ud = j;
	CLI_TRY(cop_adapt_choose(&j->did, g, d, &j->a));
	a->update = j->did.spec;
	a->lr = j->did.lr;
	return COP_OK;
}

static cop_status train(cop_graph **g, job *j, cop_dataset *data, cop_dataset *valid)
{
	cop_graph *was = NULL;
	int32_t layers;
	cli *c = j->c;

	CLI_TRY(cop_graph_trainable(g, j->did.spec, &layers));
	cop_status st = cop_graph_copy(&was, *g);
	if (!st) st = cop_train(*g, data, valid, &j->t.a);
	cli_progress_end(c);
	if (st == COP_STOPPED) st = cli_fail(c, st, "%s; run the same command with --resume to continue", cop_error_text(c->cx));
	if (!st && j->diff) st = cop_diff_save(*g, was, j->passes, j->diff);
	cop_graph_free(was);
	return st ? st : cop_graph_settle(g);
}

static void score_text(const job *j, const char *when, const cop_score *s)
{
	cli *c = j->c;

	if (!s->count) return;
	if (s->accuracy >= 0) cli_out(c, ", accuracy %s %.2f %%", when, 100 * (double)s->accuracy);
	else cli_out(c, ", MSE %s %.4g", when, (double)s->mse);
}

static void result(const job *j)
{
	cli *c = j->c;

	cli_put_text(c, "output", j->out);
	cli_put_int(c, "epochs", j->last.epoch);
	if (j->before.count && j->before.accuracy >= 0) cli_put_real(c, "accuracy_before", (double)j->before.accuracy);
	if (j->after.count && j->after.accuracy >= 0) cli_put_real(c, "accuracy", (double)j->after.accuracy);
	if (j->after.count) cli_put_real(c, "loss", (double)j->after.loss);
	cli_put_real(c, "seconds", j->last.seconds);
	cli_put_int(c, "file_bytes", cli_file_size(j->out));
	if (j->diff) cli_put_int(c, "diff_bytes", cli_file_size(j->diff));
	cli_out(c, "%s: trained for %d epoch%s in %.0f s", j->out, j->last.epoch, j->last.epoch == 1 ? "" : "s", j->last.seconds);
	score_text(j, "before", &j->before);
	score_text(j, "after", &j->after);
	cli_out(c, "%s\n", j->after.count ? " on the validation set" : "");
	if (j->diff) cli_out(c, "%s: what changed, %lld bytes\n", j->diff, (long long)cli_file_size(j->diff));
}

static cop_status score(cop_score *s, const job *j, const cop_graph *g, cop_dataset *valid)
{
	return valid && (valid->classes || valid->targets) ? cop_eval(s, g, valid, 64, cli_threads(j->c)) : COP_OK;
}

static cop_status work(cop_graph **g, job *j, cop_dataset *data, cop_dataset *valid)
{
	cli *c = j->c;

	CLI_TRY(prepare(g, j, data));
	CLI_TRY(ranges(j, *g, data));
	CLI_TRY(choose(j, *g, data));
	foretell(j, data->count);
	if (j->dry) return COP_OK;
	cli_train_say(c, &j->t.a);
	if (!j->head) CLI_TRY(score(&j->before, j, *g, valid));
	CLI_TRY(train(g, j, data, valid));
	CLI_TRY(score(&j->after, j, *g, valid));
	if (j->after.count) cop_graph_accuracy_set(*g, j->after.accuracy);
	CLI_TRY(cop_model_save(*g, j->out));
	if (!j->checkpoint) CLI_TRY(cop_checkpoint_remove(c->cx, j->t.a.checkpoint));
	result(j);
	return COP_OK;
}

static cop_status adapt(job *j, const char *model)
{
	cop_graph *g = NULL;
	cop_dataset *data = NULL, *valid = NULL;
	cli *c = j->c;

	cop_status st = cli_model(&g, c, model);
	cli_catch_signals(c);
	if (!st) st = cli_samples_set(c, g, &j->s);
	if (!st) st = cli_train_open(&data, c, &j->s, g, &j->t);
	if (!st) st = cli_valid_open(&valid, c, &j->s, g, &j->t, data);
	if (!st) st = work(&g, j, data, valid);
	cop_data_free(valid);
	cop_data_free(data);
	cop_graph_free(g);
	return st;
}

static cop_status check_paths(job *j, const char *model, char beside[CLI_MOST_PATH])
{
	cli *c = j->c;

	if (j->dry && !j->out) return COP_OK;
	CLI_TRY(cli_can_write_model(c, j->out, false));
	if (j->diff) CLI_TRY(cli_can_write(c, j->diff));
	if (!j->checkpoint) CLI_TRY(cli_append(beside, c, j->out, ".ckpt"));
	j->t.a.checkpoint = j->checkpoint ? j->checkpoint : beside;
	const cli_path paths[] = {{"-o", j->out, true}, {"--checkpoint", j->t.a.checkpoint, true}, {"--save-diff", j->diff, true}, {"the network", model, false}, {"--data", j->t.data, false},
		{"--valid", j->t.valid, false}};
	CLI_TRY(cli_apart(c, paths, LEN(paths)));
	return cli_can_resume(c, &j->t.a);
}

cop_status cmd_adapt(cli *c, int argc, char **argv)
{
	struct argp_option options[40];
	const char *model = NULL;
	char beside[CLI_MOST_PATH];
	static job j; /* large, and main runs one verb */
	int n = 0;

	j = (job){.c = c, .last.accuracy = -1};
	for (int i = 0; cli_train_options[i].name; i++)
		if (cli_train_options[i].key != 'b') options[n++] = cli_train_options[i];
	memcpy(options + n, own, sizeof own);
	options[n + LEN(own)] = (struct argp_option){0};
	const cli_line line = {options, "FILE",
		"Trains a network further on new data as a small device would: one sample a step, and only the layers that gain most within its RAM. Before it begins it tells "
		"what a step takes on the device. A new last layer is put in where the classes differ.\v"
		"Example:\n  coppice adapt net-int8.cop --data mine/ --ram 128K --patch 0.3 -o mine.cop\n"
		"  coppice adapt net-int8.cop --data mine/ --train \"fc*\" --epochs 5 -o mine.cop --save-diff mine.copd",
		option, &j, &model, 1, 1};
	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	CLI_TRY(cli_train_settle(c, &j.t));
	j.t.a.threads = cli_threads(c);
	j.t.a.seed = c->seed;
	j.t.a.progress = progress;
	j.t.a.ud = &j;
	CLI_TRY(check_paths(&j, model, beside));
	return adapt(&j, model);
}
