/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.h - batches of a data set, for training and evaluation. Internal: src/train uses it.
 *
 * A set that was fitted to a network (fit.h) is augmented as the set lies, then scaled and turned.
 *
 * A batch is a function of (seed, epoch, number), whatever is asked for first and by how many threads. Samples are
 * held decoded (8 bits where the set has 8 bits; a caller's own data set is copied once into f32, when touched).
 *
 * The options are those of augment.h, on x as the set gives it (0..1 for images); [h,w,c] is moved along h and w, [steps,c] along its steps.
 * normalise, x = (x - mean) / std by channel, comes after all of them.
 *
 * normalise is the one option that evaluation needs too. mean and std belong to the model, not to the set: whoever
 * trains takes them from the training batches (cop__batch_norm), keeps them with the weights, and gives the same
 * ones to every later cop__batch_new; there they are applied whether or not the options say normalise.
 */
#ifndef COP_DATA_BATCH_H
#define COP_DATA_BATCH_H

#include "core/core.h"

typedef struct cop_batches cop_batches;
typedef struct cop_batch_args {
	int32_t size;                /* of a batch */
	const char *augment;         /* NULL: none */
	uint64_t seed;
	bool in_order;               /* evaluation: no shuffling, no augmentation but normalise */
	bool soft;                   /* the caller takes cop__batch_soft; else mix and balance are refused */
	const float *mean, *std;     /* [channels], copied; NULL: computed from the set if normalise is asked for */
} cop_batch_args;

cop_status cop__batch_new(
        cop_batches **out, cop_ctx *cx, cop_dataset *d, const cop_batch_args *a); /* d must outlive it */
void cop__batch_free(cop_batches *b);
int32_t cop__batch_count(const cop_batches *b);                     /* of an epoch, the short last one included */
cop_status cop__batch_epoch(cop_batches *b, int32_t epoch);         /* draws the order; 0 is drawn by _new */
const int32_t *cop__batch_order(const cop_batches *b);              /* of the samples of the epoch */
/* The epoch has only the samples of which weight [count] is not 0, in the same order, and cop__batch_soft counts each so much. weight stays the caller's. */
cop_status cop__batch_keep(cop_batches *b, const float *weight);
/* The number of the sample in each row of batch i, -1: none; returns in how many rows there is one for the first time in the epoch. */
int32_t cop__batch_samples(int32_t *sample, const cop_batches *b, int32_t i);
/* Rows [size * part / parts, size * (part + 1) / parts) of batch i: x [size, sample], label [size]. Rows past the
 * end of the set: in order, label -1 and x 0; else the first samples of the epoch once more, since batch norm takes its
 * statistics from all rows. Where there are no labels, those of samples are 0. Parts may run at the same
 * time; of a set whose get is not ours, one at a time. */
cop_status cop__batch_get(float *x, int32_t *label, cop_batches *b, int32_t i, int32_t part, int32_t parts);
/* The labels alone, as cop__batch_get gives them. */
cop_status cop__batch_labels(int32_t *label, cop_batches *b, int32_t i);
bool cop__batch_varies(const cop_batches *b); /* is a sample another one in each epoch? */
/* The targets of the rows of batch i: y [size, targets]; in order, those past the end are 0. */
cop_status cop__batch_targets(float *y, cop_batches *b, int32_t i);
/* Do labels alone not say what is to be learnt? Then: y [size, classes], the parts of each class, times its weight;
 * with weights the sums of the rows have mean 1. */
bool cop__batch_is_soft(const cop_batches *b);
cop_status cop__batch_soft(float *y, cop_batches *b, int32_t i);
/* mean and std in use, [*channels]; false when x is not normalised. */
bool cop__batch_norm(const cop_batches *b, const float **mean, const float **std, int32_t *channels);

/* Length of mean and std: the axis of a sample that holds its channels (cop__channel_axis), of what was fitted where it was. */
int32_t cop__batch_channels(const cop_dataset *d);
/* [c] by channel or column (cop__scale_axis) over all samples, as they go into the network; a deviation below 1e-6 becomes 1. */
cop_status cop__batch_stats(float *mean, float *std, int32_t c, cop_ctx *cx, cop_dataset *d);

#endif
