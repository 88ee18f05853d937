/* SPDX-License-Identifier: Apache-2.0
 *
 * fit.h - samples as a network takes them: the one place where they are scaled and turned, and where their classes get the network's
 * numbers. Everything that feeds a network from a data set (training, scoring, calibration, prediction, export) comes through here.
 *
 * Shapes are never matched by their count alone. Fitting are: the same shape but for axes of length 1; a transposition that moves the
 * channels, the last axis of a sample, to the front, or the first axis to the end (for [l,c] the same); a flat sample for a network that
 * takes rows, and a picture for a network that takes a flat vector. Anything else is refused, naming both shapes, unless the caller says
 * how the numbers lie (cop_samples.layout).
 *
 * Classes are matched by name where both sides have names. A network without names takes classes that are called 0 to outputs-1 by that
 * number, others by their place.
 */
#ifndef COP_DATA_FIT_H
#define COP_DATA_FIT_H

#include "core/core.h"

typedef struct cop_taker {      /* the network */
	const char *name;
	cop_type in;            /* with the batch first */
	int32_t outputs;        /* numbers for a sample */
	cop_samples how;
	const char *const *class_name, *const *target_name;
	int32_t classes, targets; /* how many have names */
} cop_taker;

typedef struct cop_fit {
	cop_dataset d;          /* first: what the caller holds */
	cop_dataset *of;
	cop_ctx *cx;
	int32_t channels, inner; /* of off and mult: 0, 1 or one for each channel; element k has channel k / inner % channels */
	float *off, *mult;      /* x = (x - off) * mult */
	int32_t rows, cols;     /* a sample [rows, cols] becomes [cols, rows]; 0: it stays */
	int32_t *label;         /* [of->classes]: the network's numbers */
	char note[COP_NOTE];
} cop_fit;

cop_status cop__fit_new(cop_fit **out, cop_ctx *cx, cop_dataset *d, const cop_taker *t);
cop_fit *cop__fit_of(cop_dataset *d);    /* NULL: d was not fitted */
cop_dataset *cop__fit_under(cop_dataset *d); /* the set that was fitted, or d itself */
bool cop__fit_changes(const cop_fit *f); /* are samples scaled or turned at all? */
void cop__fit_row(float *to, const cop_fit *f, const float *from);
/* The way back of a gradient: from that of the network's input to that of the sample as the set has it. */
void cop__fit_back(float *to, const cop_fit *f, const float *from);
static inline int32_t cop__fit_label(const cop_fit *f, int32_t label) { return f && f->label && label >= 0 ? f->label[label] : label; }
/* The axis of a sample that holds its channels: the last, but the first of [3,h,w] or [1,h,w] whose last is no number of channels. */
int32_t cop__channel_axis(const cop_type *x);
/* The axis that n means and deviations belong to: that of the channels; or the one before it, where there is one channel and n columns, such as
 * the coefficients of a sound [49,10,1]. */
int32_t cop__scale_axis(const cop_type *x, int32_t n);

#endif
