/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule.h - the learning rate at a step, as a factor of the base rate. Each with warmup=N: over the first N epochs the rate rises
 * linearly from 0.
 */
#ifndef COP_SCHEDULE_H
#define COP_SCHEDULE_H

#include "core/options.h"

typedef struct cop_schedule { int32_t kind; float every, by, to, warmup, from, peak; } cop_schedule; /* kind: the row of cop__schedules */
extern const cop_table cop__schedules;

cop_status cop__schedule_parse(cop_schedule *s, cop_ctx *cx, const char *text); /* NULL: cosine */
float cop__schedule_at(const cop_schedule *s, double epoch, double epochs);     /* epoch with its fraction */

#endif
