/* SPDX-License-Identifier: Apache-2.0
 *
 * io.h - what main.c needs of the machine: files, a line of text, and what a run has cost.
 */
#ifndef IO_H
#define IO_H

#include <stddef.h>
#include <stdint.h>

int io_open(const char *path, int write); /* a handle; below 0: cannot */
size_t io_read(int file, void *to, size_t bytes);
size_t io_write(int file, const void *from, size_t bytes);
void io_close(int file);
void io_print(const char *text);

/* Where the machine counts: start, do the work, then instructions executed and bytes of stack used. 0: not known. */
void io_count_start(void);
uint32_t io_count_instructions(void);
uint32_t io_count_stack(void);
uint32_t io_flash_bytes(void);
uint32_t io_static_bytes(void); /* .data and .bss */
uint32_t io_fast_bytes(void);   /* of a second, fast RAM */

#endif
