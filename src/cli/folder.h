/* SPDX-License-Identifier: Apache-2.0
 *
 * folder.h - a folder of files that is written as a whole: a reader finds the old files or the new ones. What lies there and is not
 * ours stays, and so does what its user has changed; both are said, and --force alone goes over them.
 */
#ifndef COP_CLI_FOLDER_H
#define COP_CLI_FOLDER_H

#include "cli.h"

#include <signal.h>

enum { CLI_PATH = 1024 };
#define CLI_MANIFEST "coppice.manifest"

/* ---- what was written (manifest.c) ---- */
#define CLI_HASH_BEGIN 0xcbf29ce484222325u
uint64_t cli_hash(uint64_t h, const void *bytes, size_t size);
bool cli_hash_file(uint64_t *h, const char *path);

typedef struct cli_entry {
	char *name;
	uint64_t hash;
} cli_entry;
typedef struct cli_manifest {
	cli_entry *entry;
	int n, cap;
} cli_manifest;

bool cli_manifest_add(cli_manifest *m, const char *name, uint64_t hash);
bool cli_manifest_read(cli_manifest *m, const char *path); /* false: none */
bool cli_manifest_write(const char *path, const cli_manifest *const *lists, int n);
bool cli_manifest_has(const cli_manifest *m, const char *name);
bool cli_manifest_made(const cli_manifest *m, const char *name, uint64_t hash); /* as it was written */
bool cli_manifest_below(const cli_manifest *m, const char *folder);             /* has something in that folder */
void cli_manifest_free(cli_manifest *m);

/* ---- the folder (folder.c) ---- */
typedef struct cli_folder {
	cli *c;
	const char *said;     /* as the user wrote it */
	const char *const *products; /* what building and checking make there, files and folders, up to NULL: they go with the old set */
	char path[CLI_PATH - 400], part[CLI_PATH - 300];
	bool force, begun;
	int lock, files;
	int64_t bytes;
	cli_manifest old, now;
	sigset_t mask;
} cli_folder;

/* A cop_file_fn; the first file begins the new set beside the folder. From then on signals wait. */
cop_status cli_folder_write(void *folder, const char *name, const void *bytes, size_t size);
/* Where a file of the set can be written by others, to be taken with cli_folder_take. */
cop_status cli_folder_place(char out[CLI_PATH], const cli_folder *f, const char *name);
cop_status cli_folder_take(cli_folder *f, const char *name);
/* Puts the set in the place of the folder's (st COP_OK), or forgets it. Returns st, or what went wrong. */
cop_status cli_folder_end(cli_folder *f, cop_status st);

#endif
