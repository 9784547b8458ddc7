/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of all settings, one row each. From a row come the parser, the default, what
 * `repgatectl set` may change, what needs a restart, and the output of `repgatectl settings`, which
 * shell completion reads. The manual page and the sample file are checked against it by
 * tests/unit/config/test_keys.c.
 */
#ifndef REPGATE_CONFIG_KEYS_H
#define REPGATE_CONFIG_KEYS_H

#include "base/util.h"

#include "maps/types.h"

struct rg_node;
struct rg_reader;

/* The comment names the member of the section's struct that holds the value. */
enum rg_key_type {
	RG_KEY_STRING, /* char *; min and max bound its length */
	RG_KEY_REPLY, /* char *; it may have several lines */
	RG_KEY_PATH, /* char *; absolute */
	RG_KEY_BOOL, /* bool */
	RG_KEY_NUMBER, /* uint32_t */
	RG_KEY_SECONDS, /* uint32_t, s; min and max in ms, as those of RG_KEY_TIME */
	RG_KEY_TIME, /* uint32_t, ms */
	RG_KEY_WORD, /* unsigned int: one of `words` */
	RG_KEY_ACTION, /* unsigned int, enum rg_action: one that `peer_class` may have */
	RG_KEY_RATE, /* struct rg_rate */
	/* Read by the row's function; min and max bound the number of entries. */
	RG_KEY_STRINGS,
	RG_KEY_NUMBERS,
	RG_KEY_GROUP,
	RG_KEY_TYPES
};

/* When a change takes effect. */
enum rg_key_effect {
	RG_KEY_AT_ONCE, /* by `repgatectl set`; at a reload, too */
	RG_KEY_AT_RELOAD,
	RG_KEY_AT_RESTART, /* a reload that finds it changed is refused */
};

struct rg_word {
	const char *word; /* NULL ends the list */
	unsigned int value;
};

struct rg_key {
	const char *name;
	enum rg_key_type type;
	enum rg_key_effect effect;
	size_t offset; /* of the member in the section's struct */
	uint64_t min, max;
	const struct rg_word *words; /* of RG_KEY_WORD, and what a list may have; NULL: anything */
	enum rg_class peer_class; /* of RG_KEY_ACTION: whose action; NONE: the zone's kind decides */
	const char *value; /* the default, as one writes it in the file; NULL: none */
	const char *value_qil, *value_allow; /* of zones of this kind, if it is another one */
	const char *no_value; /* what holds instead of a default, for people; NULL: nothing */
	const char *bounds; /* for people, where min, max and words do not tell */
	const char *help; /* one line */
	/* Reads the value instead of the type's parser. Returns 0, or -EINVAL with an error. */
	int (*read)(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node);
	/* Compares two of the section's structs, for types that have no member. */
	bool (*same)(const void *a, const void *b);
};

/* The keys of one group. */
struct rg_key_section {
	const char *name; /* "": the top level */
	const struct rg_key *keys;
	size_t count;
};

extern const struct rg_key_section rg_keys_top; /* struct rg_conf */
extern const struct rg_key_section rg_keys_ers; /* struct rg_ers_conf */
extern const struct rg_key_section rg_keys_zone; /* struct rg_zone_conf */

#define RG_KEYS_SECTIONS 3
extern const struct rg_key_section *const rg_keys_sections[RG_KEYS_SECTIONS];

/* The row of a name, NULL if there is none. */
const struct rg_key *rg_keys_find(const struct rg_key_section *section, const char *name);

/* The row of what `repgatectl set` may change: at the top level, or in ers for all zones of a kind. */
const struct rg_key *rg_keys_find_live(const char *name);

/* The default's text for zones of this class; other sections: RG_CLASS_NONE. NULL: none. */
const char *rg_keys_default(const struct rg_key *key, enum rg_class peer_class);

/* True if the value is the same in both of the section's structs. */
bool rg_keys_same(const struct rg_key *key, const void *a, const void *b);

/* Frees all strings of a section's struct. Wipes them, since some hold keys. */
void rg_keys_free(const struct rg_key_section *section, void *values);

/* For people and programs: "number", "time"; "set", "reload", "restart". */
const char *rg_keys_type_name(const struct rg_key *key);
const char *rg_keys_effect_name(const struct rg_key *key);

/* What a value may be: "1 to 63", "50ms to 60s", "pass, drop". Returns text, "" if anything goes. */
const char *rg_keys_bounds(const struct rg_key *key, char *text, size_t size);

/* The words of an action for this class, NULL-terminated as those of RG_KEY_WORD. */
const struct rg_word *rg_keys_actions(enum rg_class peer_class);

#endif
