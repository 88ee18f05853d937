/* SPDX-License-Identifier: Apache-2.0
 *
 * velocity.h - how fast what each neuron computes changes from epoch to epoch (Bragagnolo et al. 2022), on samples that are kept out of the training. The network
 * as it was an epoch ago is kept as its weights, and run again: that takes less memory than what all neurons put out.
 */
#ifndef COP_VELOCITY_H
#define COP_VELOCITY_H

#include "train/neurons.h"
#include "train/policy.h"

/* How the velocity follows from similarities: as published, or as in the code of the authors. */
enum { COP_VELOCITY_CODE, COP_VELOCITY_PAPER };
#define COP_VELOCITY_READINGS "code|paper"

typedef struct cop_velocity {
	const char *who;                 /* asks for it */
	cop_arena *mem;
	int32_t reading, samples;
	float mu;
	int32_t data_count;              /* of the data set */
	int64_t each;                    /* numbers of a sample */
	float *x;                        /* [samples, each] those that are kept out */
	int32_t *label;                  /* NULL: the data have no classes */
	const char *names;               /* of weights that are trained */
	int32_t count, hidden, numbers;  /* neurons; those before the head; weights and running means */
	float *state;                    /* [3 count + numbers], as the training has it, too; NULL: not begun */
	cop_handle of_state;
} cop_velocity;

/* A neuron's similarity at the last two measurements, its velocity, and what the code keeps between them. */
typedef struct cop_moved_neuron { float phi, v, s; } cop_moved_neuron;
void cop__velocity_next(cop_moved_neuron *m, float phi, float mu, int32_t reading);

/* What a policy with velocities does in its functions. */
cop_status cop__velocity_data(cop_velocity *v, const cop_dataset *d);
void cop__velocity_keep_out(const cop_velocity *v, const cop_chosen *c);
cop_status cop__velocity_begin(cop_velocity *v, const cop_progress *p);
cop_status cop__velocity_build(cop_velocity *v, cop_build *b);
/* The network as it was at the last measurement, to be freed; and the velocities of then, [count], up to the next one. */
cop_status cop__velocity_before(cop_graph **before, const float **velocity, cop_velocity *v, const cop_progress *p);
cop_status cop__velocity_now(const float **velocity, const cop_velocity *v, const cop_progress *p); /* those velocities alone */
cop_status cop__velocity_keep(cop_velocity *v, cop_trainer *t); /* what the next build begins with; where a training is built anew within an epoch */
/* After an epoch: to[count], 0 of the head. */
cop_status cop__velocity_measure(float *to, cop_velocity *v, const cop_progress *p);

/* The cosine of what each neuron puts out in two states of a network: phi[count]. As published: over all samples and positions. As the code: over the
 * positions of each sample, then the mean; where there is one position, over all samples. Both without output: 1; one of them: 0. */
typedef struct cop_two_states { const cop_graph *before, *now; const cop_neurons *n; const float *x; int32_t samples; int64_t each; int32_t reading, threads; const char *names, *who; } cop_two_states;
cop_status cop__similarity(float *phi, const cop_two_states *two);

#endif
