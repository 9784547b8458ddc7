/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/ers.h"

#include "config/reader.h"
#include "config/saved_code.h"
#include "config/secret.h"
#include "config/zones.h"

#define STANDARD_ALIAS "ers-standard"
#define QIL_ALIAS "ers-qil"
#define ALL_LISTS 15
#define PROMISED_TTL_MIN 300 /* s: the service changes QIL every five minutes */

int rg_ers_read(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node)
{
	int err = rg_reader_expect(reader, node, RG_NODE_GROUP);

	(void)key;
	reader->ers.node = node;
	if (!err)
		err = rg_reader_section(reader, &rg_keys_ers, node, &reader->ers, " in ers");
	if (!err)
		err = rg_reader_defaults(reader, &rg_keys_ers, node, &reader->ers, RG_CLASS_NONE);
	return err;
}

int rg_ers_read_code_file(struct rg_reader *reader, const struct rg_key *key,
			  const struct rg_node *node)
{
	const char *text = rg_node_text(node);

	reader->ers.code_node = node;
	/* Somebody may have written the code itself here: the error does not repeat it. */
	if (text && *text != '/')
		return rg_reader_refuse(reader, node,
					"activation_code_file must be the absolute path of a file "
					"that holds the code (what stands here is not shown)");
	return rg_reader_by_type(reader, key, node, &reader->ers);
}

static int read_list(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		     const char *text)
{
	for (const struct rg_word *word = key->words; word->word; word++) {
		if (!strcmp(text, word->word)) {
			reader->ers.lists |= word->value;
			return 0;
		}
	}
	return rg_reader_refuse(reader, node,
				"lists: \"%s\" is not one of \"rbl\", \"dul\", \"rss\", \"ops\"",
				text);
}

int rg_ers_read_lists(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node)
{
	reader->ers.lists = 0;
	return rg_reader_strings(reader, key, node, read_list);
}

/* The last octet of Standard is a bit mask. With every list selected any 127.1.0.x counts. */
static int standard_codes(struct rg_dnsbl_codes *codes, unsigned int lists)
{
	char text[40];

	if (lists == ALL_LISTS)
		return rg_dnsbl_codes_add(codes, "127.1.0.0/24", NULL);
	snprintf(text, sizeof(text), "127.1.0.0&0.0.0.%u", lists);
	return rg_dnsbl_codes_add(codes, text, NULL);
}

static int add_zone(struct rg_reader *reader, const char *code, enum rg_class peer_class)
{
	static const char url[] = "http://www.mail-abuse.com/cgi-bin/lookup?ip_address=%a";
	const struct rg_ers_conf *ers = &reader->ers;
	struct rg_zone_conf *zone = &reader->zone;
	bool standard = peer_class == RG_CLASS_STANDARD;

	*zone = (struct rg_zone_conf){
		.peer_class = peer_class,
		.action = (enum rg_action)(standard ? ers->standard_action : ers->qil_action),
		.ttl_min = standard ? ers->standard_ttl_min : ers->qil_ttl_min,
		.ttl_max = standard ? ers->standard_ttl_max : ers->qil_ttl_max,
		.selftest = RG_SELFTEST_NEGATIVE,
		.ipv4 = true,
		.ipv6 = true,
		.url = strdup(url),
		.reply = strdup(standard ? ers->standard_reply : ers->qil_reply),
	};
	if (asprintf(&zone->suffix, "%s.%c.mail-abuse.com", code, standard ? 'r' : 'q') < 0)
		zone->suffix = NULL;
	if (!zone->url || !zone->reply || !zone->suffix)
		return rg_reader_refuse(reader, ers->node, "out of memory");
	/* QIL: "any positive response"; the error codes are excluded by rg_dnsbl_match(). */
	(void)(standard ? standard_codes(&zone->codes, ers->lists) :
			  rg_dnsbl_codes_add(&zone->codes, "127.0.0.0/8", NULL));
	return rg_zones_add(reader, ers->node, standard ? STANDARD_ALIAS : QIL_ALIAS);
}

static int check_times(struct rg_reader *reader)
{
	const struct rg_ers_conf *ers = &reader->ers;

	if (ers->standard_ttl_min > ers->standard_ttl_max)
		return rg_reader_refuse(reader, ers->node,
					"standard_ttl_min is more than standard_ttl_max");
	if (ers->qil_ttl_min > ers->qil_ttl_max)
		return rg_reader_refuse(reader, ers->node, "qil_ttl_min is more than qil_ttl_max");
	if (ers->qil_ttl_min < PROMISED_TTL_MIN)
		fprintf(reader->warnings,
			"qil_ttl_min is less than the 5m that the service promises\n");
	return 0;
}

static void warn_of_code(struct rg_reader *reader, const char *code, int override)
{
	const char *state_dir = reader->conf->state_dir;

	if (!rg_secret_is_usual(code))
		fprintf(reader->warnings,
			"the activation code has %zu letters and digits; the service's codes have 14 or "
			"31\n",
			strlen(code));
	if (override == -ESTALE)
		fprintf(reader->warnings,
			"the configured activation code was changed: it counts, and the one that "
			"repgatectl saved in %s does not\n",
			state_dir);
	else if (override && override != -ENOENT)
		fprintf(reader->warnings,
			"%s/" RG_SAVED_CODE_FILE
			" can't be used: the configured activation code counts\n",
			state_dir);
}

/* Finds out which code counts. code: 0 with the code, which the caller wipes. */
static int find_code(struct rg_reader *reader, char code[RG_SECRET_SIZE])
{
	const struct rg_ers_conf *ers = &reader->ers;
	struct rg_conf *conf = reader->conf;
	enum rg_secret_source source;
	struct rg_error why;
	int override;

	if (rg_secret_read(ers->activation_code_file, code, &source, &why))
		return rg_reader_refuse(reader, ers->code_node ? ers->code_node : ers->node, "%s",
					why.text);
	conf->configured_code = strdup(code);
	if (!conf->configured_code)
		return rg_reader_refuse(reader, ers->node, "out of memory");
	override = rg_saved_code_load(conf->state_dir, conf->configured_code, code);
	if (override)
		strcpy(code, conf->configured_code);
	conf->code_source = override ? source : RG_SECRET_COMMAND;
	conf->code_is_stale = override == -ESTALE;
	warn_of_code(reader, code, override);
	return 0;
}

int rg_ers_add_zones(struct rg_reader *reader)
{
	const struct rg_ers_conf *ers = &reader->ers;
	char code[RG_SECRET_SIZE];
	int err;

	if (!ers->node)
		return 0;
	err = check_times(reader);
	if (err)
		return err;
	reader->conf->qil_level = ers->qil_level;
	err = find_code(reader, code);
	if (!err)
		err = add_zone(reader, code, RG_CLASS_STANDARD);
	if (!err)
		err = add_zone(reader, code, RG_CLASS_QIL);
	explicit_bzero(code, sizeof(code));
	return err;
}

/* ------------------------------------------------------------------ another code */

static struct rg_zone_conf *find_zone(struct rg_conf *conf, const char *alias)
{
	return (struct rg_zone_conf *)(uintptr_t)rg_conf_zone_by_alias(conf, alias);
}

bool rg_ers_is_used(const struct rg_conf *conf)
{
	return conf->configured_code != NULL;
}

bool rg_ers_has_zone(const struct rg_zone_conf *zone)
{
	return !strcmp(zone->alias, STANDARD_ALIAS) || !strcmp(zone->alias, QIL_ALIAS);
}

const struct rg_zone_conf *rg_ers_standard(const struct rg_conf *conf)
{
	return rg_ers_is_used(conf) ? rg_conf_zone_by_alias(conf, STANDARD_ALIAS) : NULL;
}

static void swap(char **a, char **b)
{
	char *c = *a;

	*a = *b;
	*b = c;
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

int rg_ers_set_code(struct rg_conf *conf, const char *code, struct rg_error *error)
{
	struct rg_zone_conf *standard, *qil;
	char *one = NULL, *two = NULL;
	int err = 0;

	if (!rg_ers_is_used(conf))
		return rg_fail(error, -EINVAL, "the configuration has no group ers");
	standard = find_zone(conf, STANDARD_ALIAS);
	qil = find_zone(conf, QIL_ALIAS);
	if (asprintf(&one, "%s.r.mail-abuse.com", code) < 0)
		one = NULL;
	if (asprintf(&two, "%s.q.mail-abuse.com", code) < 0)
		two = NULL;
	if (!one || !two) {
		err = rg_fail(error, -ENOMEM, "out of memory");
	} else {
		struct rg_error where;

		swap(&standard->suffix, &one);
		swap(&qil->suffix, &two);
		if (rg_conf_shows_key(conf, &where)) {
			swap(&standard->suffix, &one);
			swap(&qil->suffix, &two);
			err = rg_fail(error, -EINVAL,
				      "%s shows this code in the configuration (not shown here)",
				      where.text);
		}
	}
	if (!err)
		conf->code_source = RG_SECRET_COMMAND;
	wipe(one);
	wipe(two);
	return err;
}

void rg_ers_mask(const struct rg_node *root, const char *state_dir, char *text)
{
	const struct rg_node *ers = rg_node_member(root, "ers"), *file;
	char code[RG_SECRET_SIZE], other[RG_SECRET_SIZE];
	enum rg_secret_source source;
	const char *path = NULL;

	if (!ers || rg_node_type(ers) != RG_NODE_GROUP)
		return;
	file = rg_node_member(ers, "activation_code_file");
	if (file)
		path = rg_node_text(file);
	if ((file && (!path || *path != '/')) || rg_secret_read(path, code, &source, NULL))
		return;
	rg_secret_mask_code(text, code);
	if (state_dir && !rg_saved_code_load(state_dir, code, other))
		rg_secret_mask_code(text, other);
	explicit_bzero(code, sizeof(code));
	explicit_bzero(other, sizeof(other));
}
