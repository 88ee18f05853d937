/* SPDX-License-Identifier: Apache-2.0
 *
 * set_locale - loaded before a program, so that it begins in the locale of its environment, as one with a window does.
 */
#include <locale.h>

static void __attribute__((constructor)) ask(void) { setlocale(LC_ALL, ""); }
