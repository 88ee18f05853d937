/* SPDX-License-Identifier: Apache-2.0
 *
 * axes - what the rows of the element-wise and the copying ops share: strides, running axes together, links.
 */
#ifndef COP_OP_AXES_H
#define COP_OP_AXES_H

#include "op/op.h"

/* Strides of a dense tensor, in elements. */
void cop__strides(int32_t *stride, int32_t rank, const int32_t *dim);

/* Drops axes of length 1 and joins neighbours that one loop can walk on both sides; returns the rank, at least 1. */
int32_t cop__merge_axes(int32_t rank, int32_t *dim, int32_t *sa, int32_t *sb);

/* Strides of a tensor seen through the shape it is broadcast to: aligned at the last axis, 0 where it repeats. */
void cop__broadcast_strides(int32_t *stride, const cop_type *t, int32_t rank, const int32_t *dim);

/* The shape that node n's operands are broadcast to; fails when two axes do not fit. */
cop_status cop__broadcast(cop_graph *g, cop_nid n, int32_t *rank, int32_t dim[COP_MAX_DIM]);

/* Fails unless input 0 is of a format that is moved about: its elements are whole bytes. */
cop_status cop__movable(const cop_graph *g, cop_nid n);

/* Integers that stand for reals: fails unless input i is I8 or I16 (and of that rank; -1: any). */
cop_status cop__q_need(const cop_graph *g, cop_nid n, int i, int32_t rank);
/* Fails unless a zero point and bounds lie within the format of input 0, for I16 about 0. */
cop_status cop__q_bounds(const cop_graph *g, cop_nid n, int32_t zero, int32_t lo, int32_t hi);

/* Elements before an axis and behind it. */
void cop__around(const cop_type *t, int32_t axis, int32_t *outer, int32_t *inner);

/* Links index j of axis a_ax of a to index j of axis b_ax of b; returns how many were written (0 when full). */
int cop__link_axis(cop_link *l, int at, int max, const cop_graph *g, cop_vid a, int a_ax, cop_vid b, int b_ax);

/* Links every axis that has the same length in a and b, aligned at the last one; returns the count after. */
int cop__link_aligned(cop_link *l, int at, int max, const cop_graph *g, cop_vid a, cop_vid b);

/* The row entry of ops that work element by element: input i's axes to output 0's, for every input. */
int cop__links_eltwise(const cop_graph *g, cop_nid n, cop_link *l, int max);

/* The row entry of ops that move data and compute nothing. */
void cop__cost_none(const cop_graph *g, cop_nid n, cop_cost *c);

/* For samples: an f32 input of the graph. */
cop_vid cop__sample_input(cop_graph *g, const char *name, int32_t rank, const int32_t *dim);

/* What rnn and qrnn share (rnn.c): gates of a cell, the first RN_ACT words, the cost. */
int32_t cop__rnn_gates(int32_t cell);
void cop__rnn_words(const cop_graph *g, cop_nid n, int32_t *k);
void cop__rnn_cost(const cop_graph *g, cop_nid n, cop_cost *c);

/* A one-element f32 constant that a gradient needs, made once for a graph. */
cop_vid cop__scalar(cop_graph *g, const char *name, float value);

#endif
