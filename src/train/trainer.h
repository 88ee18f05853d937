/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer.h - one step of training at a time: what stands under the loop, and what the public cop_trainer calls are made of.
 */
#ifndef COP_TRAINER_H
#define COP_TRAINER_H

#include "train/build.h"

/* Takes the record over, after a failure too. apart: gradients and updates can be run one without the other, beside the whole step. */
cop_status cop__trainer_new(cop_trainer **out, cop_build *b, int threads, bool apart);
const cop_graph *cop__trainer_graph(const cop_trainer *t); /* of the whole step */
const cop_build *cop__trainer_build(const cop_trainer *t);
/* A view, valid as long as the trainer. */
cop_status cop__trainer_tensor(const cop_trainer *t, cop_handle h, cop_tensor *out);
cop_status cop__trainer_named(const cop_trainer *t, const char *name, cop_tensor *out);
void cop__trainer_set_rate(cop_trainer *t, float lr);
float cop__trainer_said_rate(const cop_trainer *t);
float cop__trainer_rate(const cop_trainer *t); /* the same, or what a rule has learnt for all weights in its place */
cop_status cop__trainer_run(cop_trainer *t); /* a whole step at the rate that is set */
float cop__trainer_loss(const cop_trainer *t);
/* The graph of a step as it is planned, and in mem the seconds of each of its nodes, [n_node + 1]. It takes steps, so the weights are not the same afterwards. */
cop_status cop__trainer_seconds(const cop_graph **step, double **seconds, cop_arena *mem, cop_trainer *t);

/* cop_graph_train as a device gets it: with guard=yes saved=exact, where the spec does not say otherwise. */
cop_status cop__graph_train_on_device(cop_graph **out, const cop_graph *model, const char *spec);

/* Gives the model the weights that its forms begin with, without training: as if no step had been taken. Takes the record over. */
cop_status cop__forms_apply(cop_graph *model, cop_build *b);

/* The training graph with what the session holds now, for a checkpoint: its contents are borrowed from the session, not copied, and are those
 * of this moment until the next step. And back, after a checkpoint was read into that graph. */
cop_graph *cop__trainer_hold(cop_trainer *t);
void cop__trainer_push(cop_trainer *t);
/* cop_trainer_pull, and with the weights what the rule of updates keeps for each of them: the next training goes on from there. */
cop_status cop__trainer_carry(cop_trainer *t, cop_graph *model);
/* Takes that away again, in place. */
cop_status cop__carry_nothing(cop_graph *model);

#endif
