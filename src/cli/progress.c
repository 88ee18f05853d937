/* SPDX-License-Identifier: Apache-2.0
 *
 * progress - one line on a terminal, written over as work goes on; nothing when stderr is a file. And the way
 * to stop: the first SIGINT, SIGTERM or SIGHUP asks the library to end at the next step, the second one kills.
 */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile bool stop_wanted;  /* a signal handler has nowhere else to write */
static volatile bool line_is_open; /* the cursor stands behind a progress line */

static void on_signal(int sig)
{
	(void)sig;
	stop_wanted = true;
}

void cli_stop(void) { stop_wanted = true; }

void cli_catch_signals(cli *c)
{
	static const int asking[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction a;

	memset(&a, 0, sizeof a);
	a.sa_handler = on_signal;
	a.sa_flags = (int)SA_RESETHAND | SA_RESTART;
	for (int i = 0; i < LEN(asking); i++) {
		struct sigaction was;
		if (!sigaction(asking[i], NULL, &was) && was.sa_handler != SIG_IGN) sigaction(asking[i], &a, NULL); /* nohup stays so */
	}
	cop_ctx_stop(c->cx, &stop_wanted);
}

static void time_text(char out[24], double s)
{
	int t = (int)(s + 0.5);

	if (t < 3600) snprintf(out, 24, "%d:%02d", t / 60, t % 60);
	else snprintf(out, 24, "%d:%02d:%02d", t / 3600, t / 60 % 60, t % 60);
}

void cli_progress(void *ud, const cop_epoch *e)
{
	cli *c = ud;
	char left[24], right[32] = "";

	if (!c->tty || c->quiet) return;
	if (line_is_open && (e->epoch != c->epoch || strcmp(e->stage, c->stage)))
		fputc('\n', stderr); /* the last line of an epoch stays */
	c->epoch = e->epoch;
	snprintf(c->stage, sizeof c->stage, "%s", e->stage);
	time_text(left, e->seconds_left);
	if (e->accuracy >= 0) snprintf(right, sizeof right, "  valid %.2f %%", 100 * (double)e->accuracy);
	else if (e->mse >= 0) snprintf(right, sizeof right, "  valid MSE %.4g", (double)e->mse);
	fprintf(stderr, "\r\033[K%s  epoch %d/%d  %3.0f %%  loss %.4f%s  lr %.2g  %.0f images/s  %s left", e->stage,
	        e->epoch, e->epochs, 100 * (double)e->done, (double)e->loss, right, (double)e->lr, e->images_per_second,
	        left);
	line_is_open = true;
	fflush(stderr);
}

void cli_progress_end(const cli *c)
{
	(void)c;
	if (line_is_open) fputc('\n', stderr);
	line_is_open = false;
}
