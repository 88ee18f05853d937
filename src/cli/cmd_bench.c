/* SPDX-License-Identifier: Apache-2.0
 *
 * bench - the time of one inference, or of one training step, over many runs: the median, and the 10th and
 * 90th of 100 as the spread.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_TRAIN = 0x3000, KEY_UPDATE, KEY_SECONDS };

typedef struct job {
	const char *file, *update;
	bool train;
	int32_t batch;
	float seconds;
	int threads;
	cli_form form;
} job;
typedef struct times {
	double *at;
	int n, cap;
} times;

static const struct argp_option options[] = {
        {"batch", 'b', "N", 0, "samples in one run (default: as in the file)", 0},
        {"train", KEY_TRAIN, NULL, 0, "measure a training step instead of inference", 0},
        {"update", KEY_UPDATE, "WORDS", 0, "with --train: the update rule, as in `coppice train`", 0},
        {"seconds", KEY_SECONDS, "S", 0, "how long to measure (default 2)", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case 'b':
		j->batch = cli_int(state, "--batch", arg, 1, 65536);
		return 0;
	case KEY_TRAIN:
		j->train = true;
		return 0;
	case KEY_UPDATE:
		j->update = arg;
		return 0;
	case KEY_SECONDS:
		j->seconds = cli_real(state, "--seconds", arg, 0.01f, 3600);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Inputs without structure; labels 0. */
static cop_status fill(cop_session *s)
{
	cop_tensor t;
	uint32_t r = 12345;

	CLI_TRY(cop_session_io(s, 0, 0, false, &t));
	for (int64_t i = 0, n = t.type.dtype == COP_F32 ? cop_type_count(&t.type) : 0; i < n; i++) {
		r = r * 1664525u + 1013904223u;
		((float *)t.data)[i] = (float)(r >> 8) / 16777216.0f;
	}
	return COP_OK;
}

/* The input's memory may be used again by the run, so it is filled before each; not within the time. */
static cop_status measure(times *t, cop_session *s, double seconds)
{
	double began = now();

	for (int i = 0; i < 3; i++) {
		CLI_TRY(fill(s));
		CLI_TRY(cop_session_run(s, 0));
	}
	while (t->n < t->cap && (t->n < 11 || now() - began < seconds)) {
		CLI_TRY(fill(s));
		double t0 = now();
		CLI_TRY(cop_session_run(s, 0));
		t->at[t->n++] = now() - t0;
	}
	qsort(t->at, (size_t)t->n, sizeof *t->at, ascending);
	return COP_OK;
}

static cop_status step_of_training(cli_deployed *d, cli *c, const job *j)
{
	char spec[256];
	cop_graph *model;
	int32_t integers = 0;

	*d = (cli_deployed){0};
	snprintf(spec, sizeof spec, "batch:n=%d", j->batch);
	CLI_TRY(cli_model(&model, c, j->file));
	cop_status st = j->batch ? cop_graph_apply(&model, spec) : COP_OK;
	const char *update = j->update;
	if (!st) st = cli_trainable(&model, &update, &integers);
	if (!st) st = cop_graph_train(&d->g, model, update ? update : "sgd momentum=0.9");
	cop_graph_free(model);
	if (!st) st = cli_start(d, c, false, j->threads);
	if (st) cli_deployed_free(d);
	return st;
}

static void result(cli *c, const job *j, const times *t, int64_t arena)
{
	double ms[4] = {
	        t->at[t->n / 2] * 1e3, t->at[t->n / 10] * 1e3, t->at[t->n - 1 - t->n / 10] * 1e3, t->at[0] * 1e3};

	cli_put_text(c, "what", j->train ? "training step" : "inference");
	cli_put_text(c, "kernels", cop_cpu_text(c->cx));
	cli_put_int(c, "batch", j->batch);
	cli_put_int(c, "threads", j->threads);
	cli_put_int(c, "runs", t->n);
	cli_put_real(c, "milliseconds", ms[0]);
	cli_put_real(c, "milliseconds_p10", ms[1]);
	cli_put_real(c, "milliseconds_p90", ms[2]);
	cli_put_real(c, "milliseconds_least", ms[3]);
	cli_put_real(c, "images_per_second", j->batch / ms[0] * 1e3);
	cli_put_int(c, "arena_bytes", arena);
	cli_out(c,
	        "%s, batch %d, %d thread%s, %s kernels: median %.4g ms (10 %% of runs below %.4g, 10 %% above %.4g; %d runs), "
	        "%.0f samples/s",
	        j->train ? "training step" : "inference", j->batch, j->threads, j->threads == 1 ? "" : "s",
	        cop_cpu_text(c->cx), ms[0], ms[1], ms[2], t->n, j->batch / ms[0] * 1e3);
	if (j->train) cli_out(c, ", %lld bytes for values", (long long)arena);
	cli_out(c, "\n");
}

cop_status cmd_bench(cli *c, int argc, char **argv)
{
	job j = {.seconds = 2};
	const cli_line line = {options, "FILE",
	        "Measures how long a network takes on this machine. FILE may be a name from `coppice zoo`.\v"
	        "Example:\n  coppice bench small.cop --batch 1 --threads 1\n"
	        "Without --threads it uses one thread.",
	        option, &j, &j.file, 1, 1};
	cli_deployed d;
	cop_target host;
	times t = {.cap = 1 << 20};

	c->form = &j.form;
	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	if (j.train && (j.form.rounding || j.form.as_is))
		return cli_fail(c, COP_ARG, "--rounding and --as-is apply to inference only; remove them, or remove --train");
	j.threads = c->threads ? c->threads : 1;
	CLI_TRY(cop_target_find(&host, c->cx, "host"));
	host.threads = j.threads;
	if (j.train) CLI_TRY(step_of_training(&d, c, &j));
	else CLI_TRY(cli_deploy_form(&d, c, j.file, j.batch, &host, true, &j.form));
	if (!j.batch) j.batch = cop_graph_batch(d.g);
	t.at = malloc(sizeof *t.at * (size_t)t.cap);
	cop_status st = t.at ? measure(&t, d.s, (double)j.seconds) : COP_NOMEM;
	if (!st) result(c, &j, &t, (int64_t)cop_plan_bytes(d.plan, COP_TEMP));
	free(t.at);
	cli_deployed_free(&d);
	return st;
}
