/* SPDX-License-Identifier: Apache-2.0
 *
 * whiten.h - eigenvectors of a small symmetric matrix, for the policy and its test.
 */
#ifndef COP_WHITEN_H
#define COP_WHITEN_H

/* By Jacobi's rotations. a [n,n]: its eigenvalues on its diagonal afterwards, the largest first; v [n,n]: a row for each, of length 1, its largest number positive. */
void cop__eigen(double *a, double *v, int n);

#endif
