/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule - see schedule.h. A row: how the rate falls over the epochs.
 */
#include "train/schedule.h"

#include <math.h>

typedef struct schedule_row { cop_row row; double (*at)(const cop_schedule *s, double epoch, double epochs); } schedule_row;

static double constant(const cop_schedule *s, double epoch, double epochs) { return (void)s, (void)epoch, (void)epochs, 1; }
static double step(const cop_schedule *s, double epoch, double epochs) { return (void)epochs, pow((double)s->by, floor(epoch / (double)s->every)); }
static double cosine(const cop_schedule *s, double epoch, double epochs)
{
	double to = (double)s->to;
	return to + (1 - to) * 0.5 * (1 + cos(3.141592653589793 * COP_MIN(epoch / epochs, 1.0)));
}

static double triangle(const cop_schedule *s, double epoch, double epochs)
{
	const double at = COP_MIN(epoch / epochs, 1.0), peak = (double)s->peak, from = (double)s->from, to = (double)s->to;
	return at < peak ? from + (1 - from) * at / peak : to + (1 - to) * (peak < 1 ? (1 - at) / (1 - peak) : 1);
}

#define WARMUP COP_OPT_REAL(cop_schedule, warmup, 0, 1e6, "0", "epochs over which the rate first rises from 0")
static const cop_option of_constant[] = {WARMUP, COP_OPT_END};
static const cop_option of_step[] = {
	COP_OPT_REAL(cop_schedule, every, 0.001, 1e6, "10", "epochs from one fall to the next"),
	COP_OPT_REAL(cop_schedule, by, 0, 10, "0.1", "the factor of each fall"),
	WARMUP,
	COP_OPT_END,
};
static const cop_option of_cosine[] = {COP_OPT_REAL(cop_schedule, to, 0, 1, "0", "the part of the rate that is left at the end"), WARMUP, COP_OPT_END};

static const cop_option of_triangle[] = {
	COP_OPT_REAL(cop_schedule, from, 0, 1, "0.2", "the part of the rate that it begins with"),
	COP_OPT_REAL(cop_schedule, peak, 0, 1, "0.23", "the part of the training after which it is highest"),
	COP_OPT_REAL(cop_schedule, to, 0, 1, "0.07", "the part of the rate that is left at the end"),
	COP_OPT_END,
};

#define SIZE sizeof(cop_schedule)
static const schedule_row rows[] = {
	{{"constant", "the same rate throughout", NULL, of_constant, SIZE}, constant},
	{{"step", "falls by a factor every few epochs", NULL, of_step, SIZE}, step},
	{{"cosine", "falls along half a period of a cosine", "Loshchilov and Hutter 2017, arXiv 1608.03983", of_cosine, SIZE}, cosine},
	{{"triangle", "rises along a line, then falls along another", "Jordan 2024, arXiv 2404.00498", of_triangle, SIZE}, triangle},
};
static const cop_row *row(int i) { return i >= 0 && i < LEN(rows) ? &rows[i].row : NULL; }
const cop_table cop__schedules = {"schedules", "schedule", "how the learning rate falls", row};

cop_status cop__schedule_parse(cop_schedule *s, cop_ctx *cx, const char *text)
{
	int i;

	if (!text) text = "cosine";
	*s = (cop_schedule){0};
	COP_TRY(cop__row_read(&i, s, sizeof *s, cx, "schedule", &cop__schedules, text, strlen(text)));
	s->kind = i;
	return COP_OK;
}

float cop__schedule_at(const cop_schedule *s, double epoch, double epochs)
{
	double up = s->warmup > 0 && epoch < (double)s->warmup ? epoch / (double)s->warmup : 1;
	return (float)(up * rows[s->kind].at(s, epoch, epochs));
}
