/* SPDX-License-Identifier: Apache-2.0
 *
 * bitmap.h - pictures and maps as pixels that stand in the page itself.
 */
#ifndef COP_REPORT_BITMAP_H
#define COP_REPORT_BITMAP_H

#include "core/core.h"

typedef struct cop_bitmap { int32_t h, w; uint8_t *rgb; } cop_bitmap; /* [h, w, 3] */

/* Is a picture so tall that it is laid on its side? Rows then go to the right and columns upwards, as time and pitch of a sound do. */
static inline bool cop__bitmap_turned(int32_t h, int32_t w) { return h > 2 * w; }
/* An <img> whose longer side takes that many pixels of the screen. alt: what it shows, without quotes. */
void cop__html_bitmap(cop_text *t, const cop_bitmap *b, int32_t side, const char *alt);
/* The colour of v, 0 (dark) to 1 (light). */
void cop__map_colour(uint8_t rgb[3], float v);
/* picture [h, w, channels] as colours, lo black and hi white: three channels are red, green and blue, of others it is the mean. */
void cop__bitmap_picture(cop_bitmap *b, const float *picture, int32_t channels, float lo, float hi);
/* The picture in a dim grey, and over it the map [h, w] in colours: the more it says, the less of the picture is left. most: what gets the last colour. */
void cop__bitmap_overlay(cop_bitmap *b, const float *map, float most);

#endif
