/* SPDX-License-Identifier: Apache-2.0
 *
 * train_log - --log: a table with a line for each epoch, and with --json an object for each on standard output. The table is written anew after
 * each epoch, so that at any moment a whole one is there; a resumed run is told again of the epochs before, and so begins with their lines.
 */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST "stage,epoch,loss,accuracy,mse,rate,seconds" /* of logs that were written before the rest was there, too */
#define HEADER FIRST ",flops,backward,published,step_ms\n"

cop_status cli_log_begin(cli_log *l, cli *c, const char *path)
{
	struct stat s;

	*l = (cli_log){.c = c, .path = path};
	if (!path) return COP_OK;
	CLI_TRY(cli_can_write(c, path));
	if (!stat(path, &s) && !S_ISREG(s.st_mode)) return cli_fail(c, COP_ARG, "%s: --log needs a plain file, which it writes again after each epoch", path);
	CLI_TRY(cli_only_over(c, "--log", path, FIRST));
	if (!(l->f = open_memstream(&l->text, &l->size)) || fputs(HEADER, l->f) < 0) return cli_fail(c, COP_IO, "%s: there is no memory for the log", path);
	return COP_OK;
}

/* A number with a decimal point, or nothing where it is not known. */
static void put(FILE *f, const char *format, double v, bool known)
{
	char text[40];

	snprintf(text, sizeof text, format, v);
	for (char *p = text; *p; p++)
		if (*p == ',') *p = '.';
	fprintf(f, ",%s", known && isfinite(v) ? text : "");
}

static void put_row(FILE *f, const cop_epoch *e)
{
	fprintf(f, "%s,%d", e->stage, e->epoch);
	put(f, "%.6g", (double)e->loss, true);
	put(f, "%.6g", (double)e->accuracy, e->accuracy >= 0);
	put(f, "%.6g", (double)e->mse, e->mse >= 0);
	put(f, "%.6g", (double)e->lr, true);
	put(f, "%.1f", e->seconds, true);
	put(f, "%.4f", (double)e->flops, true);
	put(f, "%.4f", (double)e->backward, true);
	put(f, "%.4f", (double)e->published, true);
	put(f, "%.3f", 1e3 * e->step_seconds, true);
	fputc('\n', f);
}

/* An object of its own, beside that of the verb. */
static void put_object(cli *c, const cop_epoch *e)
{
	FILE *object = c->object;
	const int members = c->members;

	if (!c->json) return;
	c->object = stdout;
	c->members = 0;
	putchar('{');
	cli_put_text(c, "stage", e->stage);
	cli_put_int(c, "epoch", e->epoch);
	cli_put_real(c, "loss", (double)e->loss);
	if (e->accuracy >= 0) cli_put_real(c, "accuracy", (double)e->accuracy);
	if (e->mse >= 0) cli_put_real(c, "mse", (double)e->mse);
	cli_put_real(c, "lr", (double)e->lr);
	cli_put_int(c, "samples", e->samples);
	cli_put_real(c, "seconds", e->seconds);
	cli_put_real(c, "flops", (double)e->flops);
	cli_put_real(c, "backward", (double)e->backward);
	cli_put_real(c, "published", (double)e->published);
	cli_put_real(c, "step_seconds", e->step_seconds);
	if (e->step_time >= 0) cli_put_real(c, "step_time", (double)e->step_time);
	puts("}");
	fflush(stdout);
	c->object = object;
	c->members = members;
}

void cli_log_epoch(cli_log *l, const cop_epoch *e)
{
	if (!l->f || e->done < 1 || l->st) return;
	put_row(l->f, e);
	l->st = fflush(l->f) ? COP_IO : cop_file_write(l->c->cx, l->path, l->text, l->size);
	if (l->st) {
		const char *why = cop_error_text(l->c->cx);
		cli_fail(l->c, l->st, "%s; the training has stopped; the same command with --resume continues it", *why ? why : "there is no memory for the log");
		cli_stop();
		return;
	}
	put_object(l->c, e);
}

cop_status cli_log_end(cli_log *l, cop_status st)
{
	if (l->f) fclose(l->f);
	free(l->text);
	l->f = NULL;
	l->text = NULL;
	return l->st && (!st || st == COP_STOPPED) ? l->st : st;
}
