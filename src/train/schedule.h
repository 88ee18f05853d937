/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule.h - the learning rate at a step, as a factor of the base rate.
 *   constant | step:every=10,by=0.1 (epochs) | cosine[:to=0] (Loshchilov and Hutter 2017, half a period)
 * each with warmup=N: over the first N epochs the rate rises linearly from 0.
 */
#ifndef COP_SCHEDULE_H
#define COP_SCHEDULE_H

#include "core/core.h"

typedef struct cop_schedule { enum { COP_CONSTANT, COP_STEP, COP_COSINE } kind; float every, by, to, warmup; } cop_schedule;

cop_status cop__schedule_parse(cop_schedule *s, cop_ctx *cx, const char *text); /* NULL: cosine */
float cop__schedule_at(const cop_schedule *s, double epoch, double epochs);     /* epoch with its fraction */

#endif
