/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The known word that somebody probably meant: a suggestion for an error text. */
#ifndef REPGATE_BASE_NEAREST_H
#define REPGATE_BASE_NEAREST_H

#include <stddef.h>

/* Set word (its text must stay until the end), then try each known word, then ask for the best one. */
struct rg_nearest {
	const char *word;
	const char *best; /* not copied; NULL: none is near */
	size_t changes; /* from word to best */
};

/* Remembers known if no other one was nearer. */
void rg_nearest_try(struct rg_nearest *nearest, const char *known);

#define RG_NEAREST_TEXT 96

/* "; did you mean BEST?", or "" if no word is near. Returns text. */
const char *rg_nearest_hint(const struct rg_nearest *nearest, char text[RG_NEAREST_TEXT]);

#endif
