/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/config.h"

#include "base/addr.h"
#include "base/names.h"
#include "proto/smtp.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <libconfig.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define CODE_LENGTH 14 /* AB-CDEF-GHIJ-KLMN without hyphens */

/* What a file is read into; the ERS keys become zones when all is read. */
struct ers_conf {
	bool present;
	char *code_file;
	unsigned int lists; /* bits of Standard's last octet */
	unsigned int standard_action, qil_action;
	uint32_t standard_ttl_min, standard_ttl_max, qil_ttl_min, qil_ttl_max; /* s */
	uint32_t qil_level;
	char *standard_reply, *qil_reply;
	config_setting_t *setting; /* for errors */
	config_setting_t *code_setting;
};

struct reader {
	struct rg_conf *conf;
	struct ers_conf ers;
	struct rg_zone_conf zone; /* the one being read */
	unsigned int zone_kind; /* enum rg_class; 0: not set */
	bool zone_codes;
	bool live; /* a command, not a file: errors name no line */
	struct rg_error *error;
	FILE *warnings;
};

struct word {
	const char *word;
	unsigned int value;
};

enum key_type {
	KEY_STRING,
	KEY_TEXT, /* a string that may have several lines */
	KEY_PATH,
	KEY_BOOL,
	KEY_INT,
	KEY_SECONDS,
	KEY_MILLISECONDS,
	KEY_WORD,
	KEY_CUSTOM
};

struct key {
	const char *name;
	enum key_type type;
	size_t offset; /* in the section's struct */
	uint64_t min, max; /* of KEY_INT; in ms of the durations */
	const struct word *words; /* of KEY_WORD */
	int (*read)(struct reader *reader, config_setting_t *setting); /* of KEY_CUSTOM */
};

static const struct word mode_words[] = { { "enforce", RG_MODE_ENFORCE },
					  { "monitor", RG_MODE_MONITOR },
					  {} };
static const struct word unknown_words[] = { { "hold", RG_ACTION_HOLD },
					     { "pass", RG_ACTION_PASS },
					     { "drop", RG_ACTION_DROP },
					     {} };
static const struct word overload_words[] = { { "pass", RG_ACTION_PASS },
					      { "drop", RG_ACTION_DROP },
					      {} };
static const struct word failure_words[] = { { "pass", RG_ACTION_PASS },
					     { "tempfail", RG_ACTION_TEMPFAIL },
					     {} };
static const struct word xdp_words[] = { { "native", RG_XDP_NATIVE },
					 { "generic", RG_XDP_GENERIC },
					 { "auto", RG_XDP_AUTO },
					 {} };
static const struct word attach_words[] = { { "link", RG_ATTACH_LINK },
					    { "dispatcher", RG_ATTACH_DISPATCHER },
					    {} };
static const struct word kind_words[] = { { "standard", RG_CLASS_STANDARD },
					  { "qil", RG_CLASS_QIL },
					  { "allow", RG_CLASS_APPROVED },
					  {} };
static const struct word stage_words[] = { { "rcpt", RG_SMTP_AT_RCPT },
					   { "greeting", RG_SMTP_AT_GREETING },
					   {} };
static const struct word selftest_words[] = { { "full", RG_SELFTEST_FULL },
					      { "negative", RG_SELFTEST_NEGATIVE },
					      { "off", RG_SELFTEST_OFF },
					      {} };

static void vcomplain(struct reader *reader, const config_setting_t *setting, const char *format,
		      va_list args)
{
	const char *file = setting ? config_setting_source_file(setting) : NULL;
	unsigned int line = setting ? config_setting_source_line(setting) : 0;
	size_t size = sizeof(reader->error->text);
	int len;

	if (!file)
		file = reader->conf->path;
	if (reader->live)
		len = snprintf(reader->error->text, size, "%s", "");
	else if (line)
		len = snprintf(reader->error->text, size, "%s:%u: ", file, line);
	else
		len = snprintf(reader->error->text, size, "%s: ", file);
	if (len >= 0 && (size_t)len < size)
		vsnprintf(reader->error->text + len, size - (size_t)len, format, args);
	rg_one_line(reader->error->text);
}

__attribute__((format(printf, 3, 4))) static int complain(struct reader *reader,
							  const config_setting_t *setting,
							  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vcomplain(reader, setting, format, args);
	va_end(args);
	return -EINVAL;
}

static const char *type_name(int type)
{
	switch (type) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "a number";
	case CONFIG_TYPE_FLOAT:
		return "a fraction";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	case CONFIG_TYPE_GROUP:
		return "a group { }";
	default:
		return "a list";
	}
}

static int expect(struct reader *reader, const config_setting_t *setting, int type)
{
	int got = config_setting_type(setting);

	if (got == type)
		return 0;
	return complain(reader, setting, "%s must be %s, not %s", config_setting_name(setting),
			type_name(type), type_name(got));
}

int rg_duration_parse(const char *text, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", SECOND }, { "m", MINUTE }, { "h", HOUR }, { "d", DAY } };
	uint64_t number = 0;
	size_t digits = 0;

	for (; isdigit((unsigned char)text[digits]); digits++) {
		if (digits == 9)
			return -ERANGE;
		number = number * 10 + (uint64_t)(text[digits] - '0');
	}
	if (!digits)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!strcmp(text + digits, units[i].unit)) {
			*ms = number * units[i].ms;
			return 0;
		}
	}
	return -EINVAL;
}

/* As short as it was written: 600000 is "10m". */
static const char *format_duration(uint64_t ms, char text[32])
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "d", DAY }, { "h", HOUR }, { "m", MINUTE }, { "s", SECOND }, { "ms", 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (ms % units[i].ms == 0 && ms >= units[i].ms) {
			snprintf(text, 32, "%llu%s", (unsigned long long)(ms / units[i].ms),
				 units[i].unit);
			return text;
		}
	}
	return "0s";
}

static int read_duration(struct reader *reader, const struct key *key, config_setting_t *setting,
			 uint64_t *ms)
{
	char min[32], max[32];
	const char *text;

	if (config_setting_type(setting) != CONFIG_TYPE_STRING)
		return complain(reader, setting, "%s must be a time with its unit, as in \"10m\"",
				key->name);
	text = config_setting_get_string(setting);
	if (rg_duration_parse(text, ms))
		return complain(reader, setting,
				"%s = \"%s\" is no time: a whole number and ms, s, m, h or d",
				key->name, text);
	if (*ms < key->min || *ms > key->max)
		return complain(reader, setting, "%s = \"%s\" is out of bounds: %s to %s", key->name,
				text, format_duration(key->min, min), format_duration(key->max, max));
	if (key->type == KEY_SECONDS && *ms % SECOND)
		return complain(reader, setting, "%s = \"%s\" must be whole seconds", key->name,
				text);
	return 0;
}

static int read_word(struct reader *reader, const struct key *key, config_setting_t *setting,
		     unsigned int *value)
{
	char choices[200] = "";
	const char *text;
	int err = expect(reader, setting, CONFIG_TYPE_STRING);

	if (err)
		return err;
	text = config_setting_get_string(setting);
	for (const struct word *word = key->words; word->word; word++) {
		if (!strcmp(word->word, text)) {
			*value = word->value;
			return 0;
		}
		snprintf(choices + strlen(choices), sizeof(choices) - strlen(choices), "%s\"%s\"",
			 *choices ? ", " : "", word->word);
	}
	return complain(reader, setting, "%s = \"%s\" is not one of %s", key->name, text, choices);
}

static int read_string(struct reader *reader, const struct key *key, config_setting_t *setting,
		       char **value)
{
	const char *text;
	int err = expect(reader, setting, CONFIG_TYPE_STRING);

	if (err)
		return err;
	text = config_setting_get_string(setting);
	for (const char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c) && (*c != '\n' || key->type != KEY_TEXT))
			return complain(reader, setting, "%s contains a control character",
					key->name);
	if (key->type == KEY_PATH && (*text != '/' || strlen(text) >= PATH_MAX))
		return complain(reader, setting, "%s = \"%s\" is not an absolute path", key->name,
				text);
	free(*value);
	*value = strdup(text);
	return *value ? 0 : complain(reader, setting, "out of memory");
}

static int read_int(struct reader *reader, const struct key *key, config_setting_t *setting,
		    uint32_t *value)
{
	long long number;
	int type = config_setting_type(setting);

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return expect(reader, setting, CONFIG_TYPE_INT);
	number = config_setting_get_int64(setting);
	if (number < (long long)key->min || number > (long long)key->max)
		return complain(reader, setting, "%s = %lld is out of bounds: %llu to %llu",
				key->name, number, (unsigned long long)key->min,
				(unsigned long long)key->max);
	*value = (uint32_t)number;
	return 0;
}

static int read_key(struct reader *reader, const struct key *key, config_setting_t *setting,
		    void *section)
{
	void *field = (char *)section + key->offset;
	uint64_t ms = 0;
	int err;

	switch (key->type) {
	case KEY_STRING:
	case KEY_TEXT:
	case KEY_PATH:
		return read_string(reader, key, setting, field);
	case KEY_BOOL:
		err = expect(reader, setting, CONFIG_TYPE_BOOL);
		if (!err)
			*(bool *)field = config_setting_get_bool(setting);
		return err;
	case KEY_INT:
		return read_int(reader, key, setting, field);
	case KEY_SECONDS:
	case KEY_MILLISECONDS:
		err = read_duration(reader, key, setting, &ms);
		if (!err)
			*(uint32_t *)field = (uint32_t)(key->type == KEY_SECONDS ? ms / SECOND : ms);
		return err;
	case KEY_WORD:
		return read_word(reader, key, setting, field);
	default:
		return key->read(reader, setting);
	}
}

static int read_section(struct reader *reader, const struct key *keys, config_setting_t *group,
			void *section, const char *where)
{
	int count = config_setting_length(group);

	for (int i = 0; i < count; i++) {
		config_setting_t *setting = config_setting_get_elem(group, (unsigned int)i);
		const char *name = config_setting_name(setting);
		const struct key *key = keys;
		int err;

		while (key->name && strcmp(key->name, name))
			key++;
		if (!key->name)
			return complain(reader, setting, "unknown key \"%s\"%s", name, where);
		err = read_key(reader, key, setting, section);
		if (err)
			return err;
	}
	return 0;
}

/* Calls read for each string of a list; a single string counts as a list of one. */
static int read_strings(struct reader *reader, config_setting_t *setting, int max,
			int (*read)(struct reader *reader, config_setting_t *at, const char *text))
{
	int count = config_setting_length(setting), type = config_setting_type(setting);

	if (type == CONFIG_TYPE_STRING)
		return read(reader, setting, config_setting_get_string(setting));
	if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST)
		return complain(reader, setting, "%s must be a list of strings [ \"...\" ], not %s",
				config_setting_name(setting), type_name(type));
	if (!count || count > max)
		return complain(reader, setting, "%s must have 1 to %d entries",
				config_setting_name(setting), max);
	for (int i = 0; i < count; i++) {
		const char *text = config_setting_get_string_elem(setting, i);
		int err;

		if (!text)
			return complain(reader, setting, "%s must be a list of strings",
					config_setting_name(setting));
		err = read(reader, setting, text);
		if (err)
			return err;
	}
	return 0;
}

static int read_interface(struct reader *reader, config_setting_t *at, const char *text)
{
	struct rg_conf *conf = reader->conf;

	if (!*text || strlen(text) >= IFNAMSIZ || strpbrk(text, "/: \t"))
		return complain(reader, at, "\"%s\" is not an interface name", text);
	for (unsigned int i = 0; i < conf->interface_count; i++)
		if (!strcmp(conf->interfaces[i], text))
			return complain(reader, at, "interface \"%s\" is named twice", text);
	conf->interfaces[conf->interface_count] = strdup(text);
	if (!conf->interfaces[conf->interface_count])
		return complain(reader, at, "out of memory");
	conf->interface_count++;
	return 0;
}

static int read_interfaces(struct reader *reader, config_setting_t *setting)
{
	return read_strings(reader, setting, RG_MAX_INTERFACES, read_interface);
}

static int read_ports(struct reader *reader, config_setting_t *setting)
{
	struct rg_conf *conf = reader->conf;
	int count = config_setting_length(setting);

	if (!config_setting_is_array(setting) && !config_setting_is_list(setting))
		return complain(reader, setting, "ports must be a list of numbers, as in [ 25 ]");
	if (count < 1 || count > RG_MAX_PORTS)
		return complain(reader, setting, "ports must have 1 to %d entries", RG_MAX_PORTS);
	conf->port_count = 0;
	for (int i = 0; i < count; i++) {
		config_setting_t *port = config_setting_get_elem(setting, (unsigned int)i);
		int number = config_setting_get_int(port);

		if (config_setting_type(port) != CONFIG_TYPE_INT || number < 1 || number > 65535)
			return complain(reader, setting,
					"ports: entry %d is not a port (1 to 65535)", i + 1);
		conf->ports[conf->port_count++] = (uint16_t)number;
	}
	return 0;
}

/* "127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:53"; without a port: 53 */
static int parse_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	const char *host = text, *port_text = NULL, *close = strrchr(text, ']');
	char copy[RG_ADDR_TEXT];
	size_t len = strlen(text);
	unsigned long port = 53;
	char *end;

	memset(ret, 0, sizeof(*ret));
	if (*text == '[' && close) {
		host = text + 1;
		len = (size_t)(close - host);
		if (close[1] && close[1] != ':')
			return -EINVAL;
		port_text = close[1] ? close + 2 : NULL;
	} else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
		len = (size_t)(strchr(text, ':') - text);
		port_text = text + len + 1;
	}
	if (port_text) {
		port = strtoul(port_text, &end, 10);
		if (!isdigit((unsigned char)*port_text) || *end || port < 1 || port > 65535)
			return -EINVAL;
	}
	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, host, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		return 0;
	}
	if (inet_pton(AF_INET6, copy, &in6->sin6_addr) != 1)
		return -EINVAL;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	return 0;
}

static int read_resolver(struct reader *reader, config_setting_t *setting)
{
	const struct key key = { .name = "resolver", .type = KEY_STRING };
	int err = read_string(reader, &key, setting, &reader->conf->resolver_text);

	if (err)
		return err;
	if (parse_address(reader->conf->resolver_text, &reader->conf->resolver))
		return complain(reader, setting,
				"resolver = \"%s\" is not an address with an optional port, as in "
				"\"127.0.0.1:53\" or \"[::1]:53\"",
				reader->conf->resolver_text);
	return 0;
}

/* The actions that a zone of each kind may have; see docs/actions.md. */
static int read_action(struct reader *reader, config_setting_t *setting, enum rg_class peer_class,
		       unsigned int *ret)
{
	static const char permanent[] = "\"drop\", \"reset\", \"tag\" or \"reject\"";
	static const char temporary[] = "\"tempfail\", \"throttle\", \"drop\", \"reset\" or \"tag\"";
	const char *name = config_setting_name(setting), *text;
	const char *choices = peer_class == RG_CLASS_QIL ? temporary : permanent;
	enum rg_action action;
	int err = expect(reader, setting, CONFIG_TYPE_STRING);

	if (err)
		return err;
	text = config_setting_get_string(setting);
	if (rg_action_parse(text, &action) || action == RG_ACTION_PASS || action == RG_ACTION_HOLD)
		return complain(reader, setting, "%s = \"%s\" is not an action: use %s", name, text,
				choices);
	if (peer_class != RG_CLASS_QIL &&
	    (action == RG_ACTION_TEMPFAIL || action == RG_ACTION_THROTTLE))
		return complain(reader, setting, "%s = \"%s\" is for qil lists only: use %s", name,
				text, choices);
	if (peer_class == RG_CLASS_QIL && action == RG_ACTION_REJECT)
		return complain(reader, setting,
				"%s = \"reject\" is permanent, and a qil listing is not: use %s",
				name, choices);
	*ret = action;
	return 0;
}

static int read_blocked_action(struct reader *reader, config_setting_t *setting)
{
	return read_action(reader, setting, RG_CLASS_BLOCKED, &reader->conf->blocked_action);
}

static int read_ers_list(struct reader *reader, config_setting_t *at, const char *text)
{
	static const struct word lists[] = { { "rbl", 1 }, { "dul", 2 }, { "rss", 4 }, { "ops", 8 } };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (!strcmp(text, lists[i].word)) {
			reader->ers.lists |= lists[i].value;
			return 0;
		}
	}
	return complain(reader, at,
			"lists: \"%s\" is not one of \"rbl\", \"dul\", \"rss\", \"ops\"", text);
}

static int read_ers_lists(struct reader *reader, config_setting_t *setting)
{
	reader->ers.lists = 0;
	return read_strings(reader, setting, 4, read_ers_list);
}

static int read_standard_action(struct reader *reader, config_setting_t *setting)
{
	return read_action(reader, setting, RG_CLASS_STANDARD, &reader->ers.standard_action);
}

static int read_qil_action(struct reader *reader, config_setting_t *setting)
{
	return read_action(reader, setting, RG_CLASS_QIL, &reader->ers.qil_action);
}

static int read_code_file(struct reader *reader, config_setting_t *setting)
{
	const struct key key = { .name = "activation_code_file", .type = KEY_PATH };

	const char *text = config_setting_get_string(setting);

	reader->ers.code_setting = setting;
	/* Somebody may have written the code itself here: it is not repeated. */
	if (text && *text != '/')
		return complain(reader, setting,
				"activation_code_file must be the absolute path of a file that "
				"holds the code (what stands here is not shown)");
	return read_string(reader, &key, setting, &reader->ers.code_file);
}

#define AT(section, member) offsetof(struct section, member)

static const struct key ers_keys[] = {
	{ "activation_code_file", KEY_CUSTOM, 0, 0, 0, NULL, read_code_file },
	{ "lists", KEY_CUSTOM, 0, 0, 0, NULL, read_ers_lists },
	{ "standard_action", KEY_CUSTOM, 0, 0, 0, NULL, read_standard_action },
	{ "standard_ttl_min", KEY_SECONDS, AT(ers_conf, standard_ttl_min), SECOND, 30 * DAY, NULL,
	  NULL },
	{ "standard_ttl_max", KEY_SECONDS, AT(ers_conf, standard_ttl_max), SECOND, 30 * DAY, NULL,
	  NULL },
	{ "qil_action", KEY_CUSTOM, 0, 0, 0, NULL, read_qil_action },
	{ "qil_ttl_min", KEY_SECONDS, AT(ers_conf, qil_ttl_min), SECOND, 12 * HOUR, NULL, NULL },
	{ "qil_ttl_max", KEY_SECONDS, AT(ers_conf, qil_ttl_max), SECOND, 12 * HOUR, NULL, NULL },
	{ "standard_reply", KEY_TEXT, AT(ers_conf, standard_reply), 0, 0, NULL, NULL },
	{ "qil_reply", KEY_TEXT, AT(ers_conf, qil_reply), 0, 0, NULL, NULL },
	{ "qil_level", KEY_INT, AT(ers_conf, qil_level), 1, 4, NULL, NULL },
	{},
};

static int read_ers(struct reader *reader, config_setting_t *setting)
{
	int err = expect(reader, setting, CONFIG_TYPE_GROUP);

	if (err)
		return err;
	reader->ers.present = true;
	reader->ers.setting = setting;
	return read_section(reader, ers_keys, setting, &reader->ers, " in ers");
}

static int read_zone_code(struct reader *reader, config_setting_t *at, const char *text)
{
	struct rg_error why;

	if (rg_dnsbl_codes_add(&reader->zone.codes, text, &why))
		return complain(reader, at, "%s", why.text);
	return 0;
}

static int read_zone_codes(struct reader *reader, config_setting_t *setting)
{
	reader->zone_codes = true;
	return read_strings(reader, setting, RG_MAX_CODES, read_zone_code);
}

/* "60/min burst 5": so many SYNs in a time, and so many at once. */
static int parse_rate(const char *text, struct rg_rate *rate)
{
	static const struct {
		const char *unit;
		uint64_t seconds;
	} units[] = { { "s", 1 }, { "min", 60 }, { "h", 3600 } };
	unsigned int number, burst;
	int end = -1;
	char unit[4];

	if (sscanf(text, "%7u/%3[a-z] burst %7u%n", &number, unit, &burst, &end) != 3 || end < 0 ||
	    text[end] || !isdigit((unsigned char)*text) || !number || !burst || burst > 100000)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!strcmp(units[i].unit, unit)) {
			rate->token_time = units[i].seconds * RG_NSEC_PER_SEC / number;
			rate->burst = burst;
			return rate->token_time ? 0 : -EINVAL;
		}
	}
	return -EINVAL;
}

static int read_qil_throttle(struct reader *reader, config_setting_t *setting)
{
	const char *text;
	int err = expect(reader, setting, CONFIG_TYPE_STRING);

	if (err)
		return err;
	text = config_setting_get_string(setting);
	if (parse_rate(text, &reader->conf->qil_throttle))
		return complain(reader, setting,
				"%s = \"%s\" is not a rate: a number, \"/s\", \"/min\" or \"/h\", and a "
				"burst, as in \"60/min burst 5\"",
				config_setting_name(setting), text);
	return 0;
}

/* The class decides what is allowed, and may come later in the file: check_zone() reads it. */
static int read_zone_action(struct reader *reader, config_setting_t *setting)
{
	(void)setting;
	(void)reader;
	return 0;
}

/* A DNS name of labels; it may hold a key, so an error does not repeat it. */
static int check_suffix(const char *suffix)
{
	size_t label = 0, len = strlen(suffix);

	if (!len || len > 180)
		return -EINVAL;
	for (const char *c = suffix; *c; c++) {
		if (*c == '.') {
			if (!label)
				return -EINVAL;
			label = 0;
		} else if ((!isalnum((unsigned char)*c) && *c != '-' && *c != '_') || ++label > 63) {
			return -EINVAL;
		}
	}
	return label ? 0 : -EINVAL;
}

static int read_zone_suffix(struct reader *reader, config_setting_t *setting)
{
	const char *text;
	size_t len;
	int err = expect(reader, setting, CONFIG_TYPE_STRING);

	if (err)
		return err;
	text = config_setting_get_string(setting);
	len = strlen(text);
	free(reader->zone.suffix);
	reader->zone.suffix = strndup(text, len && text[len - 1] == '.' ? len - 1 : len);
	if (!reader->zone.suffix)
		return complain(reader, setting, "out of memory");
	if (check_suffix(reader->zone.suffix))
		return complain(reader, setting,
				"suffix is not a domain name (it is not shown, as it "
				"may hold a key)");
	return 0;
}

static const struct key zone_keys[] = {
	{ "suffix", KEY_CUSTOM, 0, 0, 0, NULL, read_zone_suffix },
	{ "kind", KEY_WORD, AT(reader, zone_kind), 0, 0, kind_words, NULL },
	{ "codes", KEY_CUSTOM, 0, 0, 0, NULL, read_zone_codes },
	{ "action", KEY_CUSTOM, 0, 0, 0, NULL, read_zone_action },
	{ "ttl_min", KEY_SECONDS, AT(reader, zone.ttl_min), SECOND, 30 * DAY, NULL, NULL },
	{ "ttl_max", KEY_SECONDS, AT(reader, zone.ttl_max), SECOND, 30 * DAY, NULL, NULL },
	{ "reply", KEY_TEXT, AT(reader, zone.reply), 0, 0, NULL, NULL },
	{ "url", KEY_STRING, AT(reader, zone.url), 0, 0, NULL, NULL },
	{ "selftest", KEY_WORD, AT(reader, zone.selftest), 0, 0, selftest_words, NULL },
	{},
};

/*
 * True if text holds the key in the zone's name: a first label of 14 characters or more is one
 * (ERS's activation code has 14), written with hyphens or without.
 */
static bool holds_key(const char *text, const char *suffix)
{
	size_t key = strcspn(suffix, ".");

	if (key < CODE_LENGTH)
		return false;
	for (; *text; text++) {
		size_t at = 0;

		for (const char *c = text; *c && at < key; c++) {
			if (*c == '-' && suffix[at] != '-')
				continue;
			if (tolower((unsigned char)*c) != tolower((unsigned char)suffix[at]))
				break;
			at++;
		}
		if (at == key)
			return true;
	}
	return false;
}

/* The template of a zone, or ours, is right and shows no secret. */
static int check_reply(struct reader *reader, config_setting_t *setting, const char *alias)
{
	struct rg_zone_conf *zone = &reader->zone;
	struct rg_refusal refusal = { .alias = alias,
				      .url = zone->url ? zone->url : "",
				      .permanent = zone->peer_class != RG_CLASS_QIL };
	struct rg_error why;

	if (!zone->reply &&
	    asprintf(&zone->reply, "%s%s",
		     refusal.permanent ? "550 5.7.1 Service unavailable; %a is listed by %z" :
					 "450 4.7.1 Service unavailable; %a is listed by %z, try again "
					 "later",
		     zone->url ? ", see %u" : "") < 0) {
		zone->reply = NULL;
		return complain(reader, setting, "out of memory");
	}
	if (holds_key(zone->reply, zone->suffix) || holds_key(refusal.url, zone->suffix))
		return complain(reader, setting,
				"zone \"%s\": its reply or url shows the key in its real name (not "
				"shown here); %%z is the zone's name for people",
				alias);
	refusal.text = zone->reply;
	if (rg_reply_check(&refusal, &why))
		return complain(reader, setting, "zone \"%s\": %s", alias, why.text);
	return 0;
}

static int check_blocked_reply(struct reader *reader, config_setting_t *root)
{
	const struct rg_refusal refusal = { .text = reader->conf->blocked_reply,
					    .alias = "local",
					    .url = "",
					    .permanent = true };
	struct rg_error why;

	if (rg_reply_check(&refusal, &why))
		return complain(reader, config_setting_get_member(root, "blocked_reply"),
				"blocked_reply: %s", why.text);
	for (unsigned int i = 0; i < reader->conf->zone_count; i++)
		if (holds_key(refusal.text, reader->conf->zones[i].suffix))
			return complain(reader, config_setting_get_member(root, "blocked_reply"),
					"blocked_reply shows the key in a zone's real name (not "
					"shown here)");
	return 0;
}

static int add_zone(struct reader *reader, config_setting_t *setting, const char *alias)
{
	struct rg_conf *conf = reader->conf;
	struct rg_zone_conf *zone = &reader->zone;

	if (conf->zone_count == RG_MAX_ZONES)
		return complain(reader, setting, "more than %d zones", RG_MAX_ZONES);
	if (strlen(alias) >= RG_ALIAS_SIZE)
		return complain(reader, setting, "zone name \"%s\" is longer than %d characters",
				alias, RG_ALIAS_SIZE - 1);
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (!strcmp(conf->zones[i].alias, alias))
			return complain(reader, setting, "zone name \"%s\" is taken", alias);
	if (zone->ttl_min > zone->ttl_max)
		return complain(reader, setting, "zone \"%s\": ttl_min is more than ttl_max", alias);
	if (check_reply(reader, setting, alias))
		return -EINVAL;
	snprintf(zone->alias, sizeof(zone->alias), "%s", alias);
	conf->zones[conf->zone_count++] = *zone;
	*zone = (struct rg_zone_conf){};
	return 0;
}

static int check_zone(struct reader *reader, config_setting_t *setting, const char *alias)
{
	struct rg_zone_conf *zone = &reader->zone;
	config_setting_t *action = config_setting_get_member(setting, "action");
	unsigned int value = reader->zone_kind == RG_CLASS_QIL ? RG_ACTION_TEMPFAIL : RG_ACTION_DROP;
	int err;

	if (!zone->suffix)
		return complain(reader, setting, "zone \"%s\" has no suffix", alias);
	if (!reader->zone_kind)
		return complain(reader, setting,
				"zone \"%s\" has no kind: \"standard\", \"qil\" or \"allow\"", alias);
	zone->peer_class = reader->zone_kind;
	if (zone->peer_class == RG_CLASS_APPROVED) {
		value = RG_ACTION_PASS;
		if (action || zone->reply)
			return complain(reader, action ? action : setting,
					"zone \"%s\": peers of an allow list pass: no action, no reply",
					alias);
	} else if (action) {
		err = read_action(reader, action, zone->peer_class, &value);
		if (err)
			return err;
	}
	zone->action = value;
	if (zone->peer_class == RG_CLASS_QIL && zone->ttl_min && zone->ttl_min < 300)
		fprintf(reader->warnings, "zone \"%s\": ttl_min of less than 5m\n", alias);
	if (!zone->selftest)
		zone->selftest = zone->peer_class == RG_CLASS_APPROVED ? RG_SELFTEST_NEGATIVE :
									 RG_SELFTEST_FULL;
	if (!zone->ttl_min)
		zone->ttl_min = zone->peer_class == RG_CLASS_QIL ? 300 : 60;
	if (!zone->ttl_max)
		zone->ttl_max = zone->peer_class == RG_CLASS_QIL ? 43200 : 86400;
	if (zone->peer_class == RG_CLASS_QIL && zone->ttl_max > 43200)
		return complain(reader, setting,
				"zone \"%s\": a qil entry lasts 12h at most: ttl_max", alias);
	if (!reader->zone_codes)
		rg_dnsbl_codes_default(&zone->codes);
	return add_zone(reader, setting, alias);
}

static int read_zones(struct reader *reader, config_setting_t *setting)
{
	int err = expect(reader, setting, CONFIG_TYPE_GROUP), count;

	if (err)
		return err;
	count = config_setting_length(setting);
	for (int i = 0; i < count; i++) {
		config_setting_t *zone = config_setting_get_elem(setting, (unsigned int)i);
		char where[80];

		err = expect(reader, zone, CONFIG_TYPE_GROUP);
		if (err)
			return err;
		reader->zone_kind = 0;
		reader->zone_codes = false;
		snprintf(where, sizeof(where), " in zone \"%s\"", config_setting_name(zone));
		err = read_section(reader, zone_keys, zone, reader, where);
		if (!err)
			err = check_zone(reader, zone, config_setting_name(zone));
		if (err)
			return err;
	}
	return 0;
}

#define SECONDS(name, member, min, max)                                      \
	{                                                                    \
		name, KEY_SECONDS, AT(rg_conf, member), min, max, NULL, NULL \
	}
#define MILLISECONDS(name, member, min, max)                                      \
	{                                                                         \
		name, KEY_MILLISECONDS, AT(rg_conf, member), min, max, NULL, NULL \
	}
#define INT(name, member, min, max)                                      \
	{                                                                \
		name, KEY_INT, AT(rg_conf, member), min, max, NULL, NULL \
	}
#define WORD(name, member, words)                                      \
	{                                                              \
		name, KEY_WORD, AT(rg_conf, member), 0, 0, words, NULL \
	}
#define PATH(name, member)                                            \
	{                                                             \
		name, KEY_PATH, AT(rg_conf, member), 0, 0, NULL, NULL \
	}
#define STRING(name, member)                                            \
	{                                                               \
		name, KEY_STRING, AT(rg_conf, member), 0, 0, NULL, NULL \
	}
#define CUSTOM(name, read)                            \
	{                                             \
		name, KEY_CUSTOM, 0, 0, 0, NULL, read \
	}

static const struct key top_keys[] = {
	CUSTOM("interfaces", read_interfaces),
	CUSTOM("ports", read_ports),
	WORD("mode", mode, mode_words),
	WORD("unknown", unknown, unknown_words),
	WORD("on_overload", on_overload, overload_words),
	WORD("on_dns_failure", on_dns_failure, failure_words),
	CUSTOM("blocked_action", read_blocked_action),
	CUSTOM("resolver", read_resolver),
	CUSTOM("ers", read_ers),
	CUSTOM("zones", read_zones),
	SECONDS("clean_ttl_min", clean_ttl_min, SECOND, DAY),
	SECONDS("clean_ttl_max", clean_ttl_max, SECOND, 7 * DAY),
	SECONDS("failure_ttl", failure_ttl, SECOND, HOUR),
	INT("ipv6_prefix", ipv6_prefix, 32, 128),
	MILLISECONDS("heartbeat_timeout", heartbeat_timeout, 2 * SECOND, HOUR),
	MILLISECONDS("dns_timeout", dns_timeout, 50, 30 * SECOND),
	INT("dns_tries", dns_tries, 1, 10),
	MILLISECONDS("hold_timeout", hold_timeout, 50, 60 * SECOND),
	INT("new_peers_per_second", new_peers_per_second, 1, 10000000),
	INT("hit_share_window", hit_share_window, 10, 1000000),
	INT("hit_share_jump", hit_share_jump, 0, 100),
	INT("dns_in_flight", dns_in_flight, 1, 65536),
	INT("max_verdicts", max_verdicts, 16, 16777216),
	INT("max_peers", max_peers, 16, 16777216),
	INT("max_list", max_list, 16, 16777216),
	INT("max_inquiries", max_inquiries, 16, 1048576),
	INT("log_per_second", log_per_second, 0, 10000),
	INT("tag_dscp", tag_dscp, 1, 63),
	CUSTOM("qil_throttle", read_qil_throttle),
	INT("throttle_ipv4_prefix", throttle_ipv4_prefix, 8, 32),
	INT("throttle_ipv6_prefix", throttle_ipv6_prefix, 16, 128),
	WORD("reply_stage", reply_stage, stage_words),
	MILLISECONDS("greet_delay", greet_delay, 0, 25 * SECOND),
	INT("max_sessions", max_sessions, 1, 1000000),
	INT("max_sessions_per_peer", max_sessions_per_peer, 1, 1000000),
	STRING("responder_name", responder_name),
	{ "blocked_reply", KEY_TEXT, AT(rg_conf, blocked_reply), 0, 0, NULL, NULL },
	WORD("xdp_mode", xdp_mode, xdp_words),
	WORD("xdp_attach", xdp_attach, attach_words),
	{ "index", KEY_BOOL, AT(rg_conf, index), 0, 0, NULL, NULL },
	{ "keep_on_stop", KEY_BOOL, AT(rg_conf, keep_on_stop), 0, 0, NULL, NULL },
	PATH("pin_path", pin_path),
	PATH("state_dir", state_dir),
	PATH("control_socket", control_socket),
	STRING("control_group", control_group),
	PATH("approved_dir", approved_dir),
	PATH("blocked_dir", blocked_dir),
	STRING("metrics_listen", metrics_listen),
	PATH("country_database", country_database),
	{},
};

/* strdup that a table of defaults can use */
static int set_string(char **field, const char *value)
{
	*field = strdup(value);
	return *field ? 0 : -ENOMEM;
}

static int set_defaults(struct rg_conf *conf, struct ers_conf *ers)
{
	conf->mode = RG_MODE_ENFORCE;
	conf->unknown = RG_ACTION_HOLD;
	conf->blocked_action = RG_ACTION_DROP;
	conf->on_overload = RG_ACTION_PASS;
	conf->on_dns_failure = RG_ACTION_PASS;
	conf->xdp_mode = RG_XDP_NATIVE;
	conf->xdp_attach = RG_ATTACH_LINK;
	conf->ports[0] = 25;
	conf->port_count = 1;
	conf->clean_ttl_min = 60;
	conf->clean_ttl_max = 3600;
	conf->failure_ttl = 30;
	conf->ipv6_prefix = 64;
	conf->heartbeat_timeout = 5000;
	conf->dns_timeout = 2000;
	conf->dns_tries = 2;
	conf->hold_timeout = 900; /* before the first retransmission, which comes after 1 s */
	conf->new_peers_per_second = 2000;
	conf->hit_share_window = 300;
	conf->hit_share_jump = 50;
	conf->dns_in_flight = 2000;
	conf->max_verdicts = RG_DEFAULT_VERDICTS;
	conf->index = true;
	conf->max_peers = RG_DEFAULT_PEERS;
	conf->max_list = RG_DEFAULT_LIST;
	conf->max_inquiries = 20000;
	conf->log_per_second = 50;
	conf->tag_dscp =
		63; /* xxxx11 is for local use (RFC 2474, 6): no sender has a reason to set it */
	conf->qil_throttle = (struct rg_rate){ .token_time = RG_NSEC_PER_SEC, .burst = 5 };
	conf->throttle_ipv4_prefix = 32;
	conf->throttle_ipv6_prefix = 64;
	conf->reply_stage = RG_SMTP_AT_RCPT;
	conf->max_sessions = 10000;
	conf->max_sessions_per_peer = 20;
	*ers = (struct ers_conf){ .lists = 15,
				  .standard_action = RG_ACTION_DROP,
				  .qil_action = RG_ACTION_TEMPFAIL,
				  .standard_ttl_min = 600,
				  .standard_ttl_max = 86400,
				  .qil_ttl_min = 300,
				  .qil_ttl_max = 43200,
				  .qil_level = 2 };
	(void)parse_address("127.0.0.1", &conf->resolver);
	if (set_string(&conf->resolver_text, "127.0.0.1") ||
	    set_string(&conf->pin_path, "/sys/fs/bpf/repgate") ||
	    set_string(&conf->state_dir, "/var/lib/repgate") ||
	    set_string(&conf->control_socket, "/run/repgate/control.sock") ||
	    set_string(&conf->control_group, "repgate") ||
	    set_string(&conf->approved_dir, "/etc/repgate/approved.d") ||
	    set_string(&conf->blocked_dir, "/etc/repgate/blocked.d") ||
	    set_string(&conf->metrics_listen, "127.0.0.1:9125") ||
	    set_string(&conf->blocked_reply, "550 5.7.1 Service unavailable; %a is blocked here"))
		return -ENOMEM;
	return 0;
}

/* The host's name if none is set; a name or address literal of RFC 5321's characters. */
static int check_responder_name(struct reader *reader, config_setting_t *root)
{
	struct rg_conf *conf = reader->conf;
	char name[HOST_NAME_MAX + 1] = "";

	if (!conf->responder_name) {
		(void)gethostname(name, sizeof(name) - 1);
		if (set_string(&conf->responder_name, *name ? name : "localhost"))
			return complain(reader, NULL, "out of memory");
	}
	for (const char *c = conf->responder_name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-._[]:", *c))
			return complain(reader, config_setting_get_member(root, "responder_name"),
					"responder_name = \"%s\" is not a host name",
					conf->responder_name);
	if (!*conf->responder_name || strlen(conf->responder_name) > 255)
		return complain(reader, config_setting_get_member(root, "responder_name"),
				"responder_name must have 1 to 255 characters");
	return 0;
}

/*
 * Normalises an activation code in place: hyphens and blanks go, letters become lower case. Says
 * nothing about its contents. 0 or -EINVAL.
 */
static int normalise_code(char *code)
{
	char *out = code;

	for (const char *in = code; *in; in++) {
		if (*in == '-' || isspace((unsigned char)*in))
			continue;
		if (!isalnum((unsigned char)*in) || out - code >= CODE_LENGTH)
			return -EINVAL;
		*out++ = (char)tolower((unsigned char)*in);
	}
	*out = '\0';
	return out - code == CODE_LENGTH ? 0 : -EINVAL;
}

/* From activation_code_file, or the systemd credential "activation-code". */
static int read_code(struct reader *reader, char code[64])
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	const struct ers_conf *ers = &reader->ers;
	const config_setting_t *at = ers->code_setting ? ers->code_setting : ers->setting;
	RG_CLEANUP_FREE char *path = NULL;
	RG_CLEANUP_CLOSE int fd = -1;
	ssize_t len;

	if (ers->code_file)
		path = strdup(ers->code_file);
	else if (!credentials)
		return complain(reader, at,
				"ers has no activation_code_file, and no systemd credential is there");
	else if (asprintf(&path, "%s/activation-code", credentials) < 0)
		path = NULL;
	if (!path)
		return complain(reader, at, "out of memory");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && ers->code_file && credentials) {
		/* Only root may read it, and systemd has handed it to us. */
		free(path);
		if (asprintf(&path, "%s/activation-code", credentials) < 0) {
			path = NULL;
			return complain(reader, at, "out of memory");
		}
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return complain(reader, at, "activation code file %s: %m", path);
	len = read(fd, code, 63);
	if (len < 0)
		return complain(reader, at, "activation code file %s: %m", path);
	code[len] = '\0';
	if ((size_t)len != strlen(code) || normalise_code(code)) {
		explicit_bzero(code, 64);
		return complain(reader, at,
				"%s does not hold an activation code (14 letters and digits, as in "
				"AB-CDEF-GHIJ-KLMN)",
				path);
	}
	return 0;
}

/* ERS Standard's last octet is a bit mask; with every list selected any 127.1.0.x counts. */
static int standard_codes(struct rg_dnsbl_codes *codes, unsigned int lists)
{
	char text[40];

	if (lists == 15)
		return rg_dnsbl_codes_add(codes, "127.1.0.0/24", NULL);
	snprintf(text, sizeof(text), "127.1.0.0&0.0.0.%u", lists);
	return rg_dnsbl_codes_add(codes, text, NULL);
}

static int add_ers_zone(struct reader *reader, const char *code, enum rg_class peer_class)
{
	static const char url[] = "http://www.mail-abuse.com/cgi-bin/lookup?ip_address=%a";
	const struct ers_conf *ers = &reader->ers;
	struct rg_zone_conf *zone = &reader->zone;
	bool standard = peer_class == RG_CLASS_STANDARD;
	const char *own_reply = standard ? ers->standard_reply : ers->qil_reply;

	*zone = (struct rg_zone_conf){
		.peer_class = peer_class,
		.action = standard ? ers->standard_action : ers->qil_action,
		.ttl_min = standard ? ers->standard_ttl_min : ers->qil_ttl_min,
		.ttl_max = standard ? ers->standard_ttl_max : ers->qil_ttl_max,
		.selftest = RG_SELFTEST_NEGATIVE,
		.url = strdup(url),
		.reply = strdup(own_reply ? own_reply :
				standard ? "550 5.7.1 Mail from %a blocked using Trend Micro Email "
					   "Reputation Services. Please see %u" :
					   "450 4.7.1 Mail from %a temporarily blocked using Trend Micro "
					   "Email Reputation Services. Please see %u"),
	};
	if (asprintf(&zone->suffix, "%s.%c.mail-abuse.com", code, standard ? 'r' : 'q') < 0)
		zone->suffix = NULL;
	if (!zone->url || !zone->reply || !zone->suffix)
		return complain(reader, ers->setting, "out of memory");
	/* QIL: "any positive response"; the error codes are excluded by rg_dnsbl_match(). */
	(void)(standard ? standard_codes(&zone->codes, ers->lists) :
			  rg_dnsbl_codes_add(&zone->codes, "127.0.0.0/8", NULL));
	return add_zone(reader, ers->setting, standard ? "ers-standard" : "ers-qil");
}

static int add_ers(struct reader *reader)
{
	const struct ers_conf *ers = &reader->ers;
	char code[64];
	int err;

	if (!ers->present)
		return 0;
	if (ers->standard_ttl_min > ers->standard_ttl_max)
		return complain(reader, ers->setting,
				"standard_ttl_min is more than standard_ttl_max");
	if (ers->qil_ttl_min > ers->qil_ttl_max)
		return complain(reader, ers->setting, "qil_ttl_min is more than qil_ttl_max");
	if (ers->qil_ttl_min < 300)
		fprintf(reader->warnings,
			"qil_ttl_min is less than the 5m that the service promises\n");
	reader->conf->qil_level = ers->qil_level;
	err = read_code(reader, code);
	if (!err)
		err = add_ers_zone(reader, code, RG_CLASS_STANDARD);
	if (!err)
		err = add_ers_zone(reader, code, RG_CLASS_QIL);
	explicit_bzero(code, sizeof(code));
	return err;
}

/* "" or ADDRESS:PORT */
static int check_metrics(struct reader *reader, config_setting_t *root)
{
	const char *text = reader->conf->metrics_listen;

	if (!*text || (strchr(text, ':') && !parse_address(text, &reader->conf->metrics_address)))
		return 0;
	return complain(
		reader, config_setting_get_member(root, "metrics_listen"),
		"metrics_listen = \"%s\" is not ADDRESS:PORT, as in \"127.0.0.1:9125\", nor \"\"",
		text);
}

static int check_all(struct reader *reader, config_setting_t *root)
{
	const struct rg_conf *conf = reader->conf;
	uint64_t wait = (uint64_t)conf->dns_timeout * conf->dns_tries;
	int err;

	if (!conf->interface_count)
		return complain(reader, NULL, "interfaces is missing: nothing would be filtered");
	if (conf->clean_ttl_min > conf->clean_ttl_max)
		return complain(reader, config_setting_get_member(root, "clean_ttl_min"),
				"clean_ttl_min is more than clean_ttl_max");
	err = add_ers(reader);
	if (!err)
		err = check_metrics(reader, root);
	if (!err)
		err = check_responder_name(reader, root);
	if (!err)
		err = check_blocked_reply(reader, root);
	if (err)
		return err;
	if (!conf->zone_count)
		fprintf(reader->warnings, "no zone is configured: only the local lists count\n");
	if (wait > 30000)
		fprintf(reader->warnings,
			"dns_timeout x dns_tries is %llus: senders give up before that\n",
			(unsigned long long)wait / 1000);
	return 0;
}

static void free_zone(struct rg_zone_conf *zone)
{
	if (zone->suffix)
		explicit_bzero(zone->suffix, strlen(zone->suffix));
	free(zone->suffix);
	free(zone->reply);
	free(zone->url);
}

static int read_file(struct reader *reader, config_t *file)
{
	struct rg_conf *conf = reader->conf;
	const char *slash = strrchr(conf->path, '/');
	RG_CLEANUP_FREE char *dir = NULL;
	config_setting_t *root;
	struct stat st;
	int err;

	if (stat(conf->path, &st))
		return complain(reader, NULL, "%m");
	if (!S_ISREG(st.st_mode))
		return complain(reader, NULL, "not a regular file");
	dir = slash ? strndup(conf->path, (size_t)(slash - conf->path)) : strdup(".");
	if (dir)
		config_set_include_dir(file, dir);
	if (!config_read_file(file, conf->path)) {
		const char *at = config_error_file(file);

		if (config_error_type(file) == CONFIG_ERR_PARSE)
			return rg_fail(reader->error, -EINVAL, "%s:%d: %s", at ? at : conf->path,
				       config_error_line(file), config_error_text(file));
		return complain(reader, NULL, "can't be read");
	}
	root = config_root_setting(file);
	err = read_section(reader, top_keys, root, conf, "");
	return err ? err : check_all(reader, root);
}

/* What may change while the agent runs, besides actions. */
static const char *const live_keys[] = {
	"new_peers_per_second",
	"hit_share_window",
	"hit_share_jump",
	"mode",
	"unknown",
	"on_overload",
	"blocked_action",
	"tag_dscp",
	"qil_throttle",
	"greet_delay",
	"throttle_ipv4_prefix",
	"throttle_ipv6_prefix",
	"reply_stage",
	"max_sessions",
	"max_sessions_per_peer",
	"on_dns_failure",
	"log_per_second",
	"failure_ttl",
};

static const struct key *find_live_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(live_keys); i++)
		if (!strcmp(live_keys[i], name))
			for (const struct key *key = top_keys; key->name; key++)
				if (!strcmp(key->name, name))
					return key;
	return NULL;
}

/* The same action for all zones of a class; 0 zones are no error. */
static int set_class_action(struct reader *reader, config_setting_t *setting, enum rg_class peer_class)
{
	unsigned int action;
	int err = read_action(reader, setting, peer_class, &action);

	for (unsigned int i = 0; !err && i < reader->conf->zone_count; i++)
		if (reader->conf->zones[i].peer_class == peer_class)
			reader->conf->zones[i].action = action;
	return err;
}

static int set_zone_action(struct reader *reader, config_setting_t *setting, const char *alias)
{
	struct rg_conf *conf = reader->conf;

	for (unsigned int i = 0; i < conf->zone_count; i++) {
		unsigned int action;
		int err;

		if (strcmp(conf->zones[i].alias, alias) != 0)
			continue;
		if (conf->zones[i].peer_class == RG_CLASS_APPROVED)
			return complain(reader, setting,
					"zone \"%s\" is an allow list: its peers pass", alias);
		err = read_action(reader, setting, conf->zones[i].peer_class, &action);
		if (!err)
			conf->zones[i].action = action;
		return err;
	}
	return complain(reader, setting, "there is no zone \"%s\"", alias);
}

static int set_key(struct reader *reader, config_setting_t *setting)
{
	const char *name = config_setting_name(setting);
	const struct key *key = find_live_key(name);

	if (!strcmp(name, "standard_action"))
		return set_class_action(reader, setting, RG_CLASS_STANDARD);
	if (!strcmp(name, "qil_action"))
		return set_class_action(reader, setting, RG_CLASS_QIL);
	if (!key)
		return complain(reader, setting, "\"%s\" can't be set while repgated runs", name);
	return read_key(reader, key, setting, reader->conf);
}

#define ZONE_ACTIONS "zone_actions" /* the group of the saved settings for single zones */

/* Classes first: what is said of one zone wins. */
static int apply_saved(struct reader *reader, config_setting_t *root)
{
	config_setting_t *zones = config_setting_get_member(root, ZONE_ACTIONS);
	int err = 0;

	for (int i = 0; !err && i < config_setting_length(root); i++) {
		config_setting_t *setting = config_setting_get_elem(root, (unsigned int)i);

		if (setting != zones)
			err = set_key(reader, setting);
	}
	if (!err && zones)
		err = expect(reader, zones, CONFIG_TYPE_GROUP);
	for (int i = 0; !err && zones && i < config_setting_length(zones); i++) {
		config_setting_t *setting = config_setting_get_elem(zones, (unsigned int)i);
		const char *alias = config_setting_name(setting);

		/* What does not fit its zone any more is no reason to refuse a start. */
		if (set_zone_action(reader, setting, alias))
			fprintf(reader->warnings, "saved action of zone \"%s\" is ignored: %s\n",
				alias, reader->error->text);
	}
	return err;
}

/* repgate.conf -> repgate.saved.conf */
static char *saved_path(const char *path)
{
	size_t len = strlen(path);
	char *saved;

	if (len > 5 && !strcmp(path + len - 5, ".conf"))
		len -= 5;
	return asprintf(&saved, "%.*s.saved.conf", (int)len, path) < 0 ? NULL : saved;
}

/* What `repgatectl set --save` wrote. */
static int read_saved(struct reader *reader)
{
	RG_CLEANUP_FREE char *path = saved_path(reader->conf->path);
	config_t file;
	int err;

	if (!path)
		return complain(reader, NULL, "out of memory");
	if (access(path, F_OK))
		return errno == ENOENT ? 0 : rg_fail(reader->error, -errno, "%s: %m", path);
	config_init(&file);
	if (config_read_file(&file, path))
		err = apply_saved(reader, config_root_setting(&file));
	else if (config_error_type(&file) == CONFIG_ERR_PARSE)
		err = rg_fail(reader->error, -EINVAL, "%s:%d: %s", path, config_error_line(&file),
			      config_error_text(&file));
	else
		err = rg_fail(reader->error, -EIO, "%s: can't be read", path);
	config_destroy(&file);
	return err;
}

/* "key = value;", the value as the key's type wants it. Adds to root; NULL if it is no value. */
static config_setting_t *add_setting(config_setting_t *root, const char *name, const char *value)
{
	const struct key *key = find_live_key(name);
	bool number = key && key->type == KEY_INT && *value &&
		      strspn(value, "0123456789") == strlen(value) && strlen(value) < 10;
	config_setting_t *setting;

	(void)config_setting_remove(root, name);
	setting = config_setting_add(root, name, number ? CONFIG_TYPE_INT : CONFIG_TYPE_STRING);
	if (setting && number)
		config_setting_set_int(setting, atoi(value));
	else if (setting)
		config_setting_set_string(setting, value);
	return setting;
}

/* ALIAS of "ALIAS.action", the caller's; NULL: not of this form. */
static char *zone_of_key(const char *key)
{
	const char *dot = strrchr(key, '.');

	return dot && !strcmp(dot, ".action") ? strndup(key, (size_t)(dot - key)) : NULL;
}

int rg_conf_set(struct rg_conf *conf, const char *key, const char *value, struct rg_error *error)
{
	RG_CLEANUP_FREE char *alias = zone_of_key(key);
	struct reader reader = { .conf = conf, .error = error, .live = true };
	config_setting_t *setting;
	config_t file;
	int err;

	config_init(&file);
	setting = add_setting(config_root_setting(&file), alias ? "action" : key, value);
	if (!setting)
		err = rg_fail(error, -EINVAL, "\"%.60s\" is not a setting's name", key);
	else
		err = alias ? set_zone_action(&reader, setting, alias) : set_key(&reader, setting);
	config_destroy(&file);
	return err;
}

/* A new file in place of the old one, so that a reader finds one of them. */
static int write_saved(config_t *file, const char *path, struct rg_error *error)
{
	RG_CLEANUP_FREE char *fresh = NULL;

	if (asprintf(&fresh, "%s.new", path) < 0) {
		fresh = NULL;
		return rg_fail(error, -ENOMEM, "out of memory");
	}
	/* The agent reads it, whoever writes it: it holds no secret. */
	if (config_write_file(file, fresh) && !chmod(fresh, 0644) && !rename(fresh, path))
		return 0;
	(void)unlink(fresh);
	return rg_fail(error, -EIO, "%s: can't be written: %m", path);
}

static int put_saved(config_t *file, const char *key, const char *value, const char *const *zones,
		     size_t zone_count, struct rg_error *error)
{
	RG_CLEANUP_FREE char *alias = zone_of_key(key);
	config_setting_t *root = config_root_setting(file);
	config_setting_t *group = config_setting_get_member(root, ZONE_ACTIONS);

	for (size_t i = 0; group && i < zone_count; i++)
		(void)config_setting_remove(group, zones[i]);
	if (alias && !group)
		group = config_setting_add(root, ZONE_ACTIONS, CONFIG_TYPE_GROUP);
	if ((alias && !group) || !add_setting(alias ? group : root, alias ? alias : key, value))
		return rg_fail(error, -EINVAL, "\"%.60s\" is not a setting's name", key);
	return 0;
}

int rg_conf_save(const char *path, const char *key, const char *value, const char *const *zones,
		 size_t zone_count, struct rg_error *error)
{
	RG_CLEANUP_FREE char *saved = saved_path(path);
	config_t file;
	int err;

	if (!saved)
		return rg_fail(error, -ENOMEM, "out of memory");
	config_init(&file);
	if (!access(saved, F_OK) && !config_read_file(&file, saved))
		err = rg_fail(error, -EIO, "%s: can't be read", saved);
	else
		err = put_saved(&file, key, value, zones, zone_count, error);
	if (!err)
		err = write_saved(&file, saved, error);
	config_destroy(&file);
	return err;
}

bool rg_conf_uses(const struct rg_conf *conf, enum rg_action action)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].action == action)
			return true;
	return conf->blocked_action == action || conf->on_dns_failure == action;
}

int rg_conf_load(struct rg_conf **ret, const char *path, struct rg_error *error)
{
	struct rg_error unused;
	struct reader reader = { .error = error ? error : &unused };
	size_t size;
	config_t file;
	int err;

	reader.conf = calloc(1, sizeof(*reader.conf));
	if (!reader.conf)
		return rg_fail(error, -ENOMEM, "out of memory");
	reader.conf->references = 1;
	reader.conf->path = strdup(path);
	reader.warnings = open_memstream(&reader.conf->warnings, &size);
	config_init(&file);
	if (!reader.conf->path || !reader.warnings || set_defaults(reader.conf, &reader.ers))
		err = rg_fail(error, -ENOMEM, "out of memory");
	else
		err = read_file(&reader, &file);
	if (!err)
		err = read_saved(&reader);
	config_destroy(&file);
	if (reader.warnings)
		fclose(reader.warnings);
	free(reader.ers.code_file);
	free(reader.ers.standard_reply);
	free(reader.ers.qil_reply);
	free_zone(&reader.zone);
	if (err)
		rg_conf_unref(reader.conf);
	else
		*ret = reader.conf;
	return err;
}

struct rg_conf *rg_conf_ref(struct rg_conf *conf)
{
	conf->references++;
	return conf;
}

void rg_conf_unref(struct rg_conf *conf)
{
	if (!conf || --conf->references)
		return;
	for (unsigned int i = 0; i < conf->interface_count; i++)
		free(conf->interfaces[i]);
	for (unsigned int i = 0; i < conf->zone_count; i++)
		free_zone(&conf->zones[i]);
	free(conf->path);
	free(conf->resolver_text);
	free(conf->pin_path);
	free(conf->state_dir);
	free(conf->control_socket);
	free(conf->control_group);
	free(conf->approved_dir);
	free(conf->blocked_dir);
	free(conf->metrics_listen);
	free(conf->country_database);
	free(conf->responder_name);
	free(conf->blocked_reply);
	free(conf->warnings);
	free(conf);
}

bool rg_conf_same_zone(const struct rg_zone_conf *a, const struct rg_zone_conf *b)
{
	return !strcmp(a->alias, b->alias) && a->peer_class == b->peer_class &&
	       !strcmp(a->suffix, b->suffix) && !memcmp(&a->codes, &b->codes, sizeof(a->codes));
}

const struct rg_zone_conf *rg_conf_find_zone(const struct rg_conf *conf,
					     const struct rg_zone_conf *zone)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (rg_conf_same_zone(&conf->zones[i], zone))
			return &conf->zones[i];
	return NULL;
}

const struct rg_zone_conf *rg_conf_zone_by_alias(const struct rg_conf *conf, const char *alias)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (!strcmp(conf->zones[i].alias, alias))
			return &conf->zones[i];
	return NULL;
}

const struct rg_zone_conf *rg_conf_zone_by_slot(const struct rg_conf *conf, uint32_t slot)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].slot == slot)
			return &conf->zones[i];
	return NULL;
}

struct rg_conf_actions rg_conf_actions(const struct rg_conf *conf)
{
	struct rg_conf_actions actions = { .blocked = conf->blocked_action,
					   .on_dns_failure = conf->on_dns_failure };

	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].slot < RG_MAX_ZONES)
			actions.zones[conf->zones[i].slot] = conf->zones[i].action;
	return actions;
}

bool rg_conf_changes_actions(const struct rg_conf_actions *before, const struct rg_conf *conf)
{
	const struct rg_conf_actions now = rg_conf_actions(conf);

	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++)
		if (now.zones[slot] != RG_ACTION_NONE && now.zones[slot] != before->zones[slot])
			return true;
	return now.blocked != before->blocked || now.on_dns_failure != before->on_dns_failure;
}

static bool same_interfaces(const struct rg_conf *a, const struct rg_conf *b)
{
	if (a->interface_count != b->interface_count)
		return false;
	for (unsigned int i = 0; i < a->interface_count; i++)
		if (strcmp(a->interfaces[i], b->interfaces[i]))
			return false;
	return true;
}

const char *rg_conf_needs_restart(const struct rg_conf *old, const struct rg_conf *fresh)
{
	const struct {
		const char *key;
		bool same;
	} checks[] = {
		{ "interfaces", same_interfaces(old, fresh) },
		{ "xdp_attach", old->xdp_attach == fresh->xdp_attach },
		{ "xdp_mode", old->xdp_mode == fresh->xdp_mode },
		{ "resolver", !strcmp(old->resolver_text, fresh->resolver_text) },
		{ "ipv6_prefix", old->ipv6_prefix == fresh->ipv6_prefix },
		{ "dns_timeout", old->dns_timeout == fresh->dns_timeout },
		{ "dns_tries", old->dns_tries == fresh->dns_tries },
		{ "hold_timeout", old->hold_timeout == fresh->hold_timeout },
		{ "dns_in_flight", old->dns_in_flight == fresh->dns_in_flight },
		{ "max_verdicts", old->max_verdicts == fresh->max_verdicts },
		{ "index", old->index == fresh->index },
		{ "max_peers", old->max_peers == fresh->max_peers },
		{ "max_list", old->max_list == fresh->max_list },
		{ "pin_path", !strcmp(old->pin_path, fresh->pin_path) },
		{ "state_dir", !strcmp(old->state_dir, fresh->state_dir) },
		{ "control_socket", !strcmp(old->control_socket, fresh->control_socket) },
		{ "control_group", !strcmp(old->control_group, fresh->control_group) },
		{ "approved_dir", !strcmp(old->approved_dir, fresh->approved_dir) },
		{ "blocked_dir", !strcmp(old->blocked_dir, fresh->blocked_dir) },
		{ "metrics_listen", !strcmp(old->metrics_listen, fresh->metrics_listen) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (!checks[i].same)
			return checks[i].key;
	return NULL;
}
