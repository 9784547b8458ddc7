/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/nearest.h"

#include "base/util.h"

#include <strings.h>

#define MAX_LENGTH 40 /* longer words are near nothing */
#define MIN_PREFIX 3 /* letters of a word that is only begun */

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return !strncasecmp(&a, &b, 1);
}

/* How many letters have to be added, removed, replaced, or exchanged with the next one. */
static size_t count_changes(const char *a, const char *b)
{
	size_t rows[3][MAX_LENGTH + 1], a_len = strlen(a), b_len = strlen(b);
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t k = 0; k <= b_len; k++)
		last[k] = k;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *free_row = before;

		now[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			now[k] = min(min(last[k], now[k - 1]) + 1,
				     last[k - 1] + !same(a[i - 1], b[k - 1]));
			if (i > 1 && k > 1 && same(a[i - 1], b[k - 2]) && same(a[i - 2], b[k - 1]))
				now[k] = min(now[k], before[k - 2] + 1);
		}
		before = last;
		last = now;
		now = free_row;
	}
	return last[b_len];
}

void rg_nearest_try(struct rg_nearest *nearest, const char *known)
{
	size_t len = strlen(nearest->word), changes;

	if (!len || len > MAX_LENGTH || strlen(known) > MAX_LENGTH)
		return;
	changes = len >= MIN_PREFIX && strlen(known) > len && !strncasecmp(nearest->word, known, len) ?
			  1 :
			  count_changes(nearest->word, known);
	/* One letter of three may be wrong; a word of one or two letters could be anything. */
	if (changes > len / 3 || (nearest->best && changes >= nearest->changes))
		return;
	nearest->best = known;
	nearest->changes = changes;
}

const char *rg_nearest_hint(const struct rg_nearest *nearest, char text[RG_NEAREST_TEXT])
{
	*text = '\0';
	if (nearest->best)
		snprintf(text, RG_NEAREST_TEXT, "; did you mean %s?", nearest->best);
	return text;
}
